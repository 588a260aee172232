//! The result as Markdown.

use crate::measure::Counts;
use crate::trace::Kind;
use std::collections::BTreeSet;
use std::fmt::Write;

pub(crate) fn opening(command: &str, parts: &BTreeSet<&str>) -> String {
    let of = parts.first().and_then(|part| part.split('/').nth(1)).unwrap_or("1");
    let measured = parts.len();
    format!(
        "# How good the judge is\n\n\
         Written by `just judge-quality`, that is `judge_quality {command}` (crates/judge/examples), and by nothing else.\n\
         Measured so far: {measured} of {of} parts of the traces. Nothing was tuned on the seed of the recipe, 20261127.\n\
         Limit 2 per minute, sampled each second, rotation period known. Shares of traces in per cent; *n* is their number. *Endpoint*: (last − first) / minutes > 2.\n\
         *OLS*: least-squares slope > 2. *TS+MK*: Theil–Sen slope > 2 and Mann–Kendall with Hamed & Rao's correction below 5 % (on 150 equally spaced points).\n\
         These three have no third outcome: what they do not fail, they pass. *Bound wrong*: the 99 % lower bound lies above the true growth. *Watched*: rotation\n\
         every 30 s, looked at each minute from the second on, ending at the first `fail` or at the planned length with a `pass`; what is undecided\n\
         then goes on once, two fifths longer (*extended*: shares of all that were watched). Minutes count from the onset of the leak. `Fill` is watched from\n\
         the beginning here: while it lasts, filling cannot be distinguished from a leak, so interim analyses belong after start-up.\n\n"
    )
}

/// The table of short runs, a row per kind, length and limit.
pub(crate) struct Short(String);

impl Short {
    pub(crate) fn new() -> Self {
        Self(
            "## Under two minutes\n\n\
             Rotation each second. *Quiet*: a count with noise of 0.3, rounded; it leaks from the beginning (*QuietLinear*) or from 0.4 to 0.7 of the run on (*QuietLate*).\n\n\
             | kind | × limit | seconds | limit | n | fail | pass | undecided |\n|---|--:|--:|--:|--:|--:|--:|--:|\n"
                .to_owned(),
        )
    }

    pub(crate) fn row(&mut self, kind: Kind, times: f64, minutes: f64, limit: f64, c: &Counts) {
        let _ = writeln!(
            self.0,
            "| {kind:?} | {times} | {:.0} | {limit} | {} | {} | {} | {} |",
            minutes * 60.0,
            c.traces,
            percent(c.fail, c.traces),
            percent(c.pass, c.traces),
            share(c.fail, c.pass, c.traces),
        );
    }

    pub(crate) fn text(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

pub(crate) struct Section {
    title: String,
    sound: String,
    leaking: String,
    very_late: String,
    deceiving: String,
    held_out: String,
    all_sound: Counts,
    by_size: Vec<(f64, Counts)>,
    all: Counts,
}

fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.2}", 100.0 * part as f64 / whole as f64)
    }
}

fn share(fail: usize, pass: usize, whole: usize) -> String {
    percent(whole - fail - pass, whole)
}

/// Formats the median and the 90th percentile, in minutes.
fn minutes(times: &[f64]) -> String {
    if times.is_empty() {
        return "–".to_owned();
    }
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |p: f64| sorted[((sorted.len() - 1) as f64 * p).round() as usize];
    format!("{:.1} / {:.1}", at(0.5), at(0.9))
}

impl Section {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            sound: String::new(),
            leaking: String::new(),
            very_late: String::new(),
            deceiving: String::new(),
            held_out: String::new(),
            all_sound: Counts::default(),
            by_size: Vec::new(),
            all: Counts::default(),
        }
    }

    pub(crate) fn sound(&mut self, kind: Kind, counts: &Counts) {
        self.sound.push_str(&sound_row(&format!("{kind:?}"), counts));
        self.all_sound.add(counts);
        self.all.add(counts);
    }

    pub(crate) fn leaking(&mut self, kind: Kind, times: f64, counts: &Counts) {
        self.leaking.push_str(&leaking_row(&format!("{kind:?}"), times, counts));
        self.all.add(counts);
        match self.by_size.iter_mut().find(|(known, _)| *known == times) {
            Some((_, sum)) => sum.add(counts),
            None => self.by_size.push((times, counts.clone())),
        }
    }

    pub(crate) fn very_late(&mut self, times: f64, counts: &Counts) {
        self.very_late
            .push_str(&leaking_row(&format!("{:?}", Kind::VeryLate), times, counts));
    }

    pub(crate) fn deceiving(&mut self, kind: Kind, counts: &Counts) {
        self.deceiving.push_str(&short_row(&format!("{kind:?}"), counts));
    }

    pub(crate) fn held_out(&mut self, name: &str, counts: &Counts) {
        self.held_out.push_str(&short_row(name, counts));
    }

    pub(crate) fn text(mut self) -> String {
        let mut text = String::new();
        self.sound.push_str(&sound_row("**all**", &self.all_sound));
        for (times, counts) in &self.by_size {
            self.leaking.push_str(&leaking_row("**all**", *times, counts));
        }
        let mean_ms = self.all.microseconds / self.all.traces.max(1) as f64 / 1000.0;
        let _ = write!(
            text,
            "## {}\n\n{} traces, {mean_ms:.2} ms per evaluation, 99 % lower bound wrong in {} %.\n\n\
             Sound targets: `fail` is wrong.\n\n\
             | kind | n | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong | watched: n | fail | pass | extended: fail | pass |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             Leaking targets: `pass` is wrong.\n\n\
             | kind | × limit | n | fail | pass | undecided | endpoint passes | OLS passes | TS+MK passes | bound wrong | watched: n | fail | pass | extended: fail | pass | minutes to fail, median / 90 % |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             Leaks that begin in the last 3 to 15 % of the run: `pass` is wrong where the leak has had the time to show.\n\n\
             | kind | × limit | n | fail | pass | undecided | endpoint passes | OLS passes | TS+MK passes | bound wrong | watched: n | fail | pass | extended: fail | pass | minutes to fail, median / 90 % |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             Sound targets made to deceive, nothing tuned on them:\n\n\
             | kind | n | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             All kinds under noise laws of their own (two time scales, outliers, sd 0.5 to 15, warm-up up to 200 s, bursts up to 60 s, sawtooth up to 250, odd rotation periods).\n\
             Two things were chosen by traces of these laws, from other seeds: that a warm-up which still falls at the end does not pass, and the error of a pass in a short run.\n\n\
             | kind | n | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n",
            self.title,
            self.all.traces,
            percent(self.all.bound_wrong, self.all.traces),
            self.sound,
            self.leaking,
            self.very_late,
            self.deceiving,
            self.held_out
        );
        text
    }
}

fn sound_row(name: &str, c: &Counts) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        c.traces,
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.endpoint_fail, c.traces),
        percent(c.least_squares_fail, c.traces),
        percent(c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
        c.watched,
        percent(c.watched_fail, c.watched),
        percent(c.watched_pass, c.watched),
        percent(c.extended_fail, c.watched),
        percent(c.extended_pass, c.watched),
    )
}

fn leaking_row(name: &str, times: f64, c: &Counts) -> String {
    format!(
        "| {name} | {times} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        c.traces,
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.traces - c.endpoint_fail, c.traces),
        percent(c.traces - c.least_squares_fail, c.traces),
        percent(c.traces - c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
        c.watched,
        percent(c.watched_fail, c.watched),
        percent(c.watched_pass, c.watched),
        percent(c.extended_fail, c.watched),
        percent(c.extended_pass, c.watched),
        minutes(&c.fail_minutes),
    )
}

fn short_row(name: &str, c: &Counts) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        c.traces,
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.endpoint_fail, c.traces),
        percent(c.least_squares_fail, c.traces),
        percent(c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
    )
}
