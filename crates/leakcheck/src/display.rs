//! What is seen while a run goes on: a live line on a terminal, plain lines elsewhere; a checkpoint line in the FASE
//! manner (time, each metric, growth since the baseline, per minute, what the judge would say now).

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use leakcheck_model::event::{Event, EventKind, Phase};
use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_model::{Sample, Scenario, Verdict};
use leakcheck_runner::{Audience, LAST_WORDS, Notice};

use crate::style::{self, BAD, BOLD, DIM, DOUBT, GOOD, PLAIN};
use crate::summary::human;

/// Bars of all sparklines together, one for each of the last values: the line has to show the numbers too.
const BARS: usize = 30;

/// Bars of one sparkline at least.
const LEAST_BARS: usize = 6;

/// The progress of one run.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    metrics: Vec<Shown>,
    /// The last values of each metric, for its sparkline.
    recent: BTreeMap<String, VecDeque<f64>>,
    baseline: BTreeMap<String, (f64, f64)>,
    /// How each limit on growth stands by what was measured so far, by metric.
    standing: BTreeMap<String, LimitResult>,
    so_far: String,
    phase: Phase,
    phase_began: f64,
    now: f64,
    lengths: BTreeMap<Phase, Duration>,
    told: String,
    /// The first line, which waits for the engine: on which one a run is must be seen before anything else.
    title: Option<String>,
}

/// A metric that stands in a checkpoint line.
struct Shown {
    name: String,
    unit: &'static str,
    growth: Option<Limit>,
}

impl Display {
    /// A display for a run of this scenario.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let schedule = &scenario.schedule;
        let lengths = BTreeMap::from([
            (Phase::WarmUp, schedule.warm_up.0),
            (Phase::Measure, schedule.measure.0),
            (Phase::Extend, schedule.extend.0),
            (Phase::Drain, schedule.drain.0),
        ]);
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(line_style());
            bar
        });
        Self {
            bar,
            metrics: shown(scenario),
            recent: BTreeMap::new(),
            baseline: BTreeMap::new(),
            standing: BTreeMap::new(),
            so_far: String::new(),
            phase: Phase::Idle,
            phase_began: 0.0,
            now: 0.0,
            lengths,
            told: String::new(),
            title: None,
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| style::say(line)),
            None => style::say(line),
        }
    }

    fn event(&mut self, event: &Event) {
        self.now = event.t_s;
        let title = self.title.take();
        if let (Some(title), false) = (&title, matches!(event.kind, EventKind::EngineFound(_))) {
            self.say(title);
        }
        match &event.kind {
            EventKind::RunStarted { run_id, scenario, .. } => {
                self.title = Some(format!("{BOLD}{scenario}{PLAIN} {DIM}run {run_id}{PLAIN}"));
            }
            EventKind::EngineFound(engine) => {
                let aloud = if engine.kind == "simulated" {
                    "simulated engine (no Docker, no real containers)"
                } else {
                    "Docker engine"
                };
                let title = title.map_or_else(String::new, |title| format!("{title}, "));
                self.say(&format!(
                    "{title}{aloud} {}, API {}, at {}",
                    engine.version, engine.api, engine.host
                ));
            }
            EventKind::ImageReady { image, made } => {
                self.say(&format!("load image {image} {}", if *made { "made" } else { "found" }))
            }
            EventKind::TargetStarted(target) => {
                let pid = target.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
                self.say(&format!("target: {}{pid}", target.kind));
            }
            EventKind::TargetDescribed(target) => {
                let build = target.build.iter().map(|b| format!("build {b}"));
                let version = target.version.iter().map(|v| format!("version {v}"));
                let commit = target.commit.iter().map(|c| format!("commit {c}"));
                let told: Vec<String> = version
                    .chain(commit)
                    .chain(build.filter(|b| b != "build unknown"))
                    .collect();
                if !told.is_empty() {
                    self.say(&format!("{DIM}{}{PLAIN}", told.join(", ")));
                }
            }
            EventKind::TargetReady { after_s } => self.say(&format!("target ready after {after_s:.1} s")),
            EventKind::Launched { running, planned } => self.say(&format!("{running} of {planned} containers run")),
            EventKind::PhaseBegan { phase } => self.phase_began(*phase, event.t_s),
            EventKind::Checkpoint { values, .. } => self.checkpoint(values),
            EventKind::Warning { reason } => self.say(&format!("{DOUBT}note{PLAIN}: {}", reason.message)),
            EventKind::Impaired { reason } => self.say(&format!(
                "{BAD}{}{PLAIN}: {}",
                reason.code.name(),
                headline(&reason.message)
            )),
            EventKind::TargetDied { status } => {
                self.say(&format!("{BAD}the target ended by itself{PLAIN}: {}", headline(status)));
            }
            EventKind::TargetRestarted { message } => self.say(&format!("{BAD}{message}{PLAIN}")),
            EventKind::FaultBegan { what, .. } => self.say(&format!("{DOUBT}fault{PLAIN}: {what}")),
            EventKind::FaultEnded { index, hits } => {
                let hits = hits.map_or(String::new(), |times| format!("; strikes: {times}"));
                self.say(&format!("fault {} is over{hits}", index + 1));
            }
            EventKind::EndedByUser { measured_s } => self.say(&format!(
                "ended after {measured_s:.0} s of measuring; this is what they show"
            )),
            EventKind::StoppedEarly { saved_s } => self.say(&format!(
                "{BAD}a fail is certain{PLAIN}: ending the run, {saved_s:.0} s early"
            )),
            EventKind::Finished => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            EventKind::Interrupted | EventKind::Lines(_) | EventKind::Attributed(_) | EventKind::SelfMeasured(_) => {}
        }
    }

    fn phase_began(&mut self, phase: Phase, t_s: f64) {
        self.phase = phase;
        self.phase_began = t_s;
        if let Some(length) = self.lengths.get(&phase) {
            self.say(&format!(
                "{DIM}{}{PLAIN} {}",
                phase.name(),
                leakcheck_model::HumanDuration(*length)
            ));
        }
    }

    fn sample(&mut self, names: &[String], sample: &Sample) {
        self.now = sample.t_s;
        if sample.phase == Phase::Measure {
            for (name, value) in names.iter().zip(&sample.values) {
                if let (Some(value), false) = (value, self.baseline.contains_key(name)) {
                    self.baseline.insert(name.clone(), (sample.t_s, *value));
                }
            }
        }
        let Some(bar) = &self.bar else { return };
        let values: BTreeMap<String, f64> = names
            .iter()
            .zip(&sample.values)
            .filter_map(|(n, v)| Some((n.clone(), (*v)?)))
            .collect();
        let growing = self.metrics.iter().filter(|m| m.growth.is_some()).count();
        let width = (BARS / growing.max(1)).max(LEAST_BARS);
        let mut live = Vec::new();
        for metric in &self.metrics {
            let Some(value) = values.get(&metric.name) else {
                continue;
            };
            let mut text = format!("{} {}", metric.name, human(*value, metric.unit));
            if metric.growth.is_some() {
                let recent = self.recent.entry(metric.name.clone()).or_default();
                recent.push_back(*value);
                while recent.len() > width {
                    recent.pop_front();
                }
                text.push_str(&format!(" {}", sparkline(recent)));
                if let Some(standing) = self.standing.get(&metric.name) {
                    text.push_str(&interval(standing, metric.unit));
                }
            }
            live.push(text);
        }
        let length = self.lengths.get(&self.phase).map_or(0.0, Duration::as_secs_f64);
        let done = (sample.t_s - self.phase_began).min(length);
        if length > 0.0 {
            bar.set_length((length * 10.0).max(1.0) as u64);
            bar.set_position((done * 10.0) as u64);
            let left = leakcheck_model::HumanDuration::seconds((length - done).round() as u64);
            bar.set_message(format!(
                "{} {left} left{}  {}",
                self.phase.name(),
                self.so_far,
                live.join("  ")
            ));
        }
    }

    /// One line: time since the baseline, then each metric with its growth and what the judge would say of it now.
    fn checkpoint(&self, values: &BTreeMap<String, f64>) {
        let began = self.baseline.values().map(|(t, _)| *t).fold(f64::INFINITY, f64::min);
        let elapsed = (self.now - began).max(0.0).round();
        let mut line = format!("{:>3}:{:02}", (elapsed / 60.0) as u64, elapsed as u64 % 60);
        for metric in &self.metrics {
            let Some(value) = values.get(&metric.name) else {
                line.push_str(&format!("  {} {DOUBT}not seen{PLAIN}", metric.name));
                continue;
            };
            line.push_str(&format!("  {} {}", metric.name, human(*value, metric.unit)));
            let Some((from, first)) = metric.growth.as_ref().and(self.baseline.get(&metric.name)) else {
                continue;
            };
            let minutes = (self.now - from) / 60.0;
            if minutes > 0.0 {
                let standing = self.standing.get(&metric.name);
                // As it is judged, once there is enough for an interval: the estimate then lies within it.
                let judged = standing.filter(|s| s.low.is_some()).and_then(|s| s.measured);
                let rate = judged.unwrap_or((value - first) / minutes);
                let mark = mark(standing);
                line.push_str(&format!(
                    " ({}, {}/min{} {mark})",
                    signed(value - first, metric.unit),
                    per_minute(rate, metric.unit),
                    standing.map_or(String::new(), |s| interval(s, metric.unit)),
                ));
            }
        }
        self.say(&line);
    }

    fn progress(&mut self, what: &str, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            if !self.lengths.contains_key(&self.phase) || self.phase == Phase::Idle {
                bar.set_length(of.max(1));
                bar.set_position(done);
                bar.set_message(if of > 1 {
                    format!("{what} {done}/{of}")
                } else {
                    what.to_owned()
                });
            }
        } else if self.told != what && of <= 1 {
            self.told = what.to_owned();
        }
    }
}

impl Audience for Display {
    fn follows(&self) -> bool {
        true
    }

    fn standing(&mut self, limits: &[LimitResult]) {
        self.standing = self
            .metrics
            .iter()
            .filter_map(|m| {
                let rule = m.growth.as_ref()?.to_string();
                let standing = limits.iter().find(|l| l.metric == m.name && l.rule == rule)?;
                Some((m.name.clone(), standing.clone()))
            })
            .collect();
        self.so_far = so_far(limits).map_or(String::new(), |words| format!(", so far {words}"));
    }

    fn learned(&mut self, scenario: &Scenario) {
        self.metrics = shown(scenario);
        let judged: Vec<String> = scenario
            .all_limits()
            .iter()
            .map(|(metric, limit)| format!("{metric} {limit}"))
            .collect();
        self.say(&format!("judged by: {}", judged.join(", ")));
        if let Some(url) = &scenario.target.metrics_url {
            self.say(&format!("metrics: {url}"));
        }
    }

    fn notice(&mut self, notice: Notice<'_>) {
        match notice {
            Notice::Event(event) => self.event(event),
            Notice::Sample(names, sample) => self.sample(names, sample),
            Notice::Progress { what, done, of } => self.progress(what, done, of),
        }
    }
}

/// What happened without the last words of a process: the verdict tells them a moment later.
fn headline(text: &str) -> &str {
    text.split_once(LAST_WORDS).map_or(text, |(headline, _)| headline)
}

/// The metrics that have limits; those judged by growth first, because they are what the run is about.
fn shown(scenario: &Scenario) -> Vec<Shown> {
    let all = scenario.all_metrics();
    let mut metrics: Vec<Shown> = Vec::new();
    for (name, limit) in scenario.all_limits() {
        if name == "lines" {
            continue;
        }
        let growth = (limit.statistic == Statistic::GrowthPerMin).then_some(limit);
        match metrics.iter_mut().find(|m| m.name == name) {
            Some(shown) => shown.growth = shown.growth.take().or(growth),
            None => metrics.push(Shown {
                unit: all.get(&name).map_or("", |m| m.info().unit.symbol()),
                name,
                growth,
            }),
        }
    }
    metrics.sort_by_key(|m| (m.growth.is_none(), m.name.clone()));
    metrics
}

/// The interval of a growth as it stands, if there is one yet.
fn interval(standing: &LimitResult, unit: &str) -> String {
    standing.low.zip(standing.high).map_or(String::new(), |(low, high)| {
        format!(" [{}..{}]", per_minute(low, unit), per_minute(high, unit))
    })
}

/// What the judge would say of a growth if the run ended now.
fn mark(standing: Option<&LimitResult>) -> String {
    match standing.map(|s| s.outcome) {
        Some(Verdict::Pass) => format!("{GOOD}ok{PLAIN}"),
        Some(Verdict::Fail) => format!("{BAD}over{PLAIN}"),
        Some(Verdict::Inconclusive) if standing.is_some_and(lacks_only_time) => format!("{DIM}ok so far{PLAIN}"),
        Some(Verdict::Invalid | Verdict::Inconclusive) | None => format!("{DOUBT}undecided{PLAIN}"),
    }
}

/// Whether nothing but the run's length stands between a growth and a pass: its whole interval lies within the limit.
fn lacks_only_time(standing: &LimitResult) -> bool {
    let is_inside = standing
        .high
        .zip(standing.bound)
        .is_some_and(|(high, bound)| high < bound);
    let is_early = standing.reason.as_ref().is_some_and(|r| r.code == ReasonCode::TooShort);
    is_inside && is_early
}

/// The verdict so far, of those limits that can be judged by now: counters, for one, have not had their time yet.
fn so_far(limits: &[LimitResult]) -> Option<&'static str> {
    let mut judged = limits.iter().filter(|l| l.low.is_some()).map(|l| l.outcome).peekable();
    judged.peek()?;
    Some(match Verdict::worst(judged) {
        Verdict::Fail => "over a limit",
        Verdict::Invalid | Verdict::Inconclusive => "undecided",
        Verdict::Pass => "ok",
    })
}

/// The values as a row of bars, from the smallest to the largest of them.
fn sparkline(values: &VecDeque<f64>) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: &f64| {
        let share = if most > least {
            (value - least) / (most - least)
        } else {
            0.0
        };
        // From 0 to 7; a share is never negative.
        HEIGHTS[((share * 7.0).round() as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

fn line_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:28.cyan/238} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}

/// A rate with its sign, in the FASE manner: two decimals.
fn per_minute(rate: f64, unit: &str) -> String {
    if unit.is_empty() {
        // No "-0.00": it is 0 to a reader.
        let rate = if rate.abs() < 0.005 { 0.0 } else { rate };
        format!("{rate:+.2}")
    } else {
        signed(rate, unit)
    }
}

/// A difference with its sign.
fn signed(x: f64, unit: &str) -> String {
    let text = human(x.abs(), unit);
    let sign = if x < 0.0 { "-" } else { "+" };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use leakcheck_model::verdict::Reason;

    use super::*;

    #[test]
    fn a_rate_that_rounds_to_nothing_has_no_minus() {
        assert_eq!(per_minute(-0.004, ""), "+0.00");
        assert_eq!(per_minute(-0.006, ""), "-0.01");
        assert_eq!(per_minute(-1024.0, "B"), "-1.0 KiB");
    }

    #[test]
    fn the_live_word_is_the_verdict_if_the_run_ended_now() {
        let standing = |outcome| LimitResult {
            metric: "fds".into(),
            rule: "growth_per_min < 1".into(),
            bound: Some(1.0),
            measured: Some(0.0),
            low: Some(-3.0),
            high: Some(3.0),
            outcome,
            reason: None,
        };
        for (outcome, word) in [
            (Verdict::Pass, "ok"),
            (Verdict::Fail, "over"),
            (Verdict::Inconclusive, "undecided"),
        ] {
            assert!(mark(Some(&standing(outcome))).contains(word));
        }
        assert!(mark(None).contains("undecided"));
        let inside = LimitResult {
            high: Some(0.5),
            reason: Some(Reason::new(
                ReasonCode::TooShort,
                "240 s of the 300 s that were planned",
            )),
            ..standing(Verdict::Inconclusive)
        };
        assert!(mark(Some(&inside)).contains("ok so far"));
        let wide = LimitResult {
            high: Some(3.0),
            ..inside
        };
        assert!(mark(Some(&wide)).contains("undecided"));
    }

    #[test]
    fn last_words_are_left_to_the_verdict() {
        let died = format!("exit code 3{LAST_WORDS}boom\nbang");
        assert_eq!(headline(&died), "exit code 3");
        assert_eq!(headline("signal 9"), "signal 9");
    }

    #[test]
    fn a_sparkline_goes_from_the_smallest_to_the_largest_value() {
        let line = |values: &[f64]| sparkline(&values.iter().copied().collect());
        assert_eq!(line(&[0.0, 7.0, 3.5, 1.0]), "▁█▅▂");
        assert_eq!(line(&[5.0, 5.0]), "▁▁");
        assert_eq!(line(&[]), "");
    }
}
