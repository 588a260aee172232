//! The result as Markdown.

use crate::measure::{Counts, Effort};
use crate::trace::Kind;
use std::fmt::Write;

pub(crate) fn opening(effort: &Effort) -> String {
    format!(
        "# How good the judge is\n\n\
         Written by `cargo run --release -p leakcheck-judge --example judge_quality -- --traces {} --watched {} --seed {} --write docs/judge-quality.md`.\n\
         Limit 2 per minute, sampled each second, rotation period known. Shares of traces in per cent. *Endpoint*: (last − first) / minutes > 2. *OLS*: least-squares slope > 2.\n\
         *TS+MK*: Theil–Sen slope > 2 and Mann–Kendall with Hamed & Rao's correction below 5 % (on 150 equally spaced points). These three know no third\n\
         answer: what they do not fail, they pass. *Bound wrong*: the 99 % lower bound lies above the true growth. *Watched*: rotation every 30 s, looked at\n\
         each minute from the second on, ending at the first `fail`; minutes count from the onset of the leak. `Fill` is watched from\n\
         the beginning here: while it lasts, filling cannot be told from a leak, so looks belong after start-up.\n\n",
        effort.traces, effort.watched, effort.seed
    )
}

pub(crate) struct Section {
    title: String,
    sound: String,
    leaking: String,
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

/// Middle and 90th percentile, in minutes.
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
             | kind | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong | watched: fail | pass |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             Leaking targets: `pass` is wrong.\n\n\
             | kind | × limit | fail | pass | undecided | endpoint passes | OLS passes | TS+MK passes | bound wrong | watched: fail | pass | minutes to fail, median / 90 % |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             Sound targets made to deceive, nothing tuned on them:\n\n\
             | kind | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|\n{}\n\
             All kinds under noise laws of their own (two time scales, outliers, sd 0.5 to 15, warm-up up to 200 s, bursts up to 60 s, sawtooth up to 250, odd rotation periods):\n\n\
             | kind | fail | pass | undecided | endpoint fails | OLS fails | TS+MK fails | bound wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|\n{}\n",
            self.title,
            self.all.traces,
            percent(self.all.bound_wrong, self.all.traces),
            self.sound,
            self.leaking,
            self.deceiving,
            self.held_out
        );
        text
    }
}

fn sound_row(name: &str, c: &Counts) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.endpoint_fail, c.traces),
        percent(c.least_squares_fail, c.traces),
        percent(c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
        percent(c.watched_fail, c.watched),
        percent(c.watched_pass, c.watched),
    )
}

fn leaking_row(name: &str, times: f64, c: &Counts) -> String {
    format!(
        "| {name} | {times} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.traces - c.endpoint_fail, c.traces),
        percent(c.traces - c.least_squares_fail, c.traces),
        percent(c.traces - c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
        percent(c.watched_fail, c.watched),
        percent(c.watched_pass, c.watched),
        minutes(&c.fail_minutes),
    )
}

fn short_row(name: &str, c: &Counts) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |\n",
        percent(c.fail, c.traces),
        percent(c.pass, c.traces),
        share(c.fail, c.pass, c.traces),
        percent(c.endpoint_fail, c.traces),
        percent(c.least_squares_fail, c.traces),
        percent(c.mann_kendall_fail, c.traces),
        percent(c.bound_wrong, c.traces),
    )
}
