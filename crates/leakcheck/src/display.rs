//! Progress of a run: a live line on a terminal, and plain lines elsewhere.
//!
//! A checkpoint line has the time and, for each metric, its value, its growth since the baseline and per minute, and the
//! judge's assessment so far.

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use leakcheck_model::event::{Event, EventKind, Phase};
use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_model::{Sample, Scenario, Unit, Verdict};
use leakcheck_runner::{LOG_TAIL_INTRO, RunObserver, Update};

use crate::style::{self, BAD, BOLD, DIM, DOUBT, GOOD, PLAIN};

/// Total width of all sparklines, in characters.
const SPARKLINES_WIDTH: usize = 30;

/// Smallest width of one sparkline.
const MIN_SPARKLINE_WIDTH: usize = 6;

/// The progress display of one run.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    metrics: Vec<DisplayedMetric>,
    /// The latest values of each metric, for its sparkline.
    recent: BTreeMap<String, VecDeque<f64>>,
    baseline: BTreeMap<String, (f64, f64)>,
    /// The assessment of each growth limit so far, by metric.
    standing: BTreeMap<String, LimitResult>,
    so_far: String,
    phase: Phase,
    phase_began: f64,
    now: f64,
    lengths: BTreeMap<Phase, Duration>,
    last_activity: String,
    /// The first line, which is held back until the engine is known.
    title: Option<String>,
}

/// A metric in checkpoint lines.
struct DisplayedMetric {
    name: String,
    unit: Unit,
    growth_limit: Option<Limit>,
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
            metrics: displayed_metrics(scenario),
            recent: BTreeMap::new(),
            baseline: BTreeMap::new(),
            standing: BTreeMap::new(),
            so_far: String::new(),
            phase: Phase::Idle,
            phase_began: 0.0,
            now: 0.0,
            lengths,
            last_activity: String::new(),
            title: None,
        }
    }

    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| style::print_line(line)),
            None => style::print_line(line),
        }
    }

    fn event(&mut self, event: &Event) {
        self.now = event.t_s;
        let title = self.title.take();
        if let (Some(title), false) = (&title, matches!(event.kind, EventKind::EngineFound(_))) {
            self.print(title);
        }
        match &event.kind {
            EventKind::RunStarted { run_id, scenario, .. } => {
                self.title = Some(format!("{BOLD}{scenario}{PLAIN} {DIM}run {run_id}{PLAIN}"));
            }
            EventKind::EngineFound(engine) => {
                let description = if engine.kind == "simulated" {
                    "simulated engine (no Docker, no real containers)"
                } else {
                    "Docker engine"
                };
                let title = title.map_or_else(String::new, |title| format!("{title}, "));
                self.print(&format!(
                    "{title}{description} {}, API {}, at {}",
                    engine.version, engine.api, engine.host
                ));
            }
            EventKind::ImageReady { image, made } => {
                self.print(&format!("load image {image} {}", if *made { "made" } else { "found" }))
            }
            EventKind::TargetStarted(target) => {
                let pid = target.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
                self.print(&format!("target: {}{pid}", target.kind));
            }
            EventKind::TargetDescribed(target) => {
                let build = target.build.iter().map(|b| format!("build {b}"));
                let version = target.version.iter().map(|v| format!("version {v}"));
                let commit = target.commit.iter().map(|c| format!("commit {c}"));
                let details: Vec<String> = version
                    .chain(commit)
                    .chain(build.filter(|b| b != "build unknown"))
                    .collect();
                if !details.is_empty() {
                    self.print(&format!("{DIM}{}{PLAIN}", details.join(", ")));
                }
            }
            EventKind::TargetReady { after_s } => self.print(&format!("target ready after {after_s:.1} s")),
            EventKind::Launched { running, planned } => {
                self.print(&format!("{running} of {planned} containers are running"))
            }
            EventKind::PhaseBegan { phase } => self.phase_began(*phase, event.t_s),
            EventKind::Checkpoint { values, .. } => self.checkpoint(values),
            EventKind::Warning { reason } => self.print(&format!("{DOUBT}note{PLAIN}: {}", reason.message)),
            EventKind::Impaired { reason } => self.print(&format!(
                "{BAD}{}{PLAIN}: {}",
                reason.code.name(),
                headline(&reason.message)
            )),
            EventKind::TargetDied { status } => {
                self.print(&format!("{BAD}the target ended{PLAIN}: {}", headline(status)));
            }
            EventKind::TargetRestarted { message } => self.print(&format!("{BAD}{message}{PLAIN}")),
            EventKind::FaultBegan { what, .. } => self.print(&format!("{DOUBT}fault{PLAIN}: {what}")),
            EventKind::FaultEnded { index, hits } => {
                let hits = hits.map_or(String::new(), |times| format!("; hits: {times}"));
                self.print(&format!("fault {} ended{hits}", index + 1));
            }
            EventKind::EndedByUser { measured_s } => {
                self.print(&format!("ended by the user after {measured_s:.0} s of measuring"))
            }
            EventKind::StoppedEarly { saved_s } => self.print(&format!(
                "{BAD}a failure is certain{PLAIN}: stopping {saved_s:.0} s early"
            )),
            EventKind::Finished => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            EventKind::Interrupted
            | EventKind::Lines(_)
            | EventKind::Attributed(_)
            | EventKind::Explained(_)
            | EventKind::SelfMeasured(_) => {}
        }
    }

    fn phase_began(&mut self, phase: Phase, t_s: f64) {
        self.phase = phase;
        self.phase_began = t_s;
        if let Some(length) = self.lengths.get(&phase) {
            self.print(&format!(
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
        let growing = self.metrics.iter().filter(|m| m.growth_limit.is_some()).count();
        let width = (SPARKLINES_WIDTH / growing.max(1)).max(MIN_SPARKLINE_WIDTH);
        let mut live = Vec::new();
        for metric in &self.metrics {
            let Some(value) = values.get(&metric.name) else {
                continue;
            };
            let mut text = format!("{} {}", metric.name, metric.unit.format(*value));
            if metric.growth_limit.is_some() {
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

    /// Prints a checkpoint: time since the baseline, then each metric with its growth and its assessment.
    fn checkpoint(&self, values: &BTreeMap<String, f64>) {
        let began = self.baseline.values().map(|(t, _)| *t).fold(f64::INFINITY, f64::min);
        let elapsed = (self.now - began).max(0.0).round();
        let mut line = format!("{:>3}:{:02}", (elapsed / 60.0) as u64, elapsed as u64 % 60);
        for metric in &self.metrics {
            let Some(value) = values.get(&metric.name) else {
                line.push_str(&format!("  {} {DOUBT}absent{PLAIN}", metric.name));
                continue;
            };
            line.push_str(&format!("  {} {}", metric.name, metric.unit.format(*value)));
            let Some((from, first)) = metric.growth_limit.as_ref().and(self.baseline.get(&metric.name)) else {
                continue;
            };
            let minutes = (self.now - from) / 60.0;
            if minutes > 0.0 {
                let standing = self.standing.get(&metric.name);
                // The judge's estimate, once it has an interval.
                let judged = standing.filter(|s| s.low.is_some()).and_then(|s| s.measured);
                let rate = judged.unwrap_or((value - first) / minutes);
                let mark = mark(standing);
                line.push_str(&format!(
                    " ({}, {}{} {mark})",
                    metric.unit.format_signed(value - first),
                    metric.unit.format_rate(rate),
                    standing.map_or(String::new(), |s| interval(s, metric.unit)),
                ));
            }
        }
        self.print(&line);
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
        } else if self.last_activity != what && of <= 1 {
            self.last_activity = what.to_owned();
        }
    }
}

impl RunObserver for Display {
    fn wants_standings(&self) -> bool {
        true
    }

    fn standings(&mut self, limits: &[LimitResult]) {
        self.standing = self
            .metrics
            .iter()
            .filter_map(|m| {
                let rule = m.growth_limit.as_ref()?.to_string();
                let standing = limits.iter().find(|l| l.metric == m.name && l.rule == rule)?;
                Some((m.name.clone(), standing.clone()))
            })
            .collect();
        self.so_far = so_far(limits).map_or(String::new(), |verdict| format!(", so far {verdict}"));
    }

    fn scenario_completed(&mut self, scenario: &Scenario) {
        self.metrics = displayed_metrics(scenario);
        let judged: Vec<String> = scenario
            .all_limits()
            .iter()
            .map(|(metric, limit)| format!("{metric} {limit}"))
            .collect();
        self.print(&format!("judged by: {}", judged.join(", ")));
        if let Some(url) = &scenario.target.metrics_url {
            self.print(&format!("metrics: {url}"));
        }
    }

    fn update(&mut self, update: Update<'_>) {
        match update {
            Update::Event(event) => self.event(event),
            Update::Sample(names, sample) => self.sample(names, sample),
            Update::Progress { what, done, of } => self.progress(what, done, of),
        }
    }
}

/// A message without the tail of the process's log, which the summary prints.
fn headline(text: &str) -> &str {
    text.split_once(LOG_TAIL_INTRO).map_or(text, |(headline, _)| headline)
}

/// The metrics with limits, those with a limit on growth first.
fn displayed_metrics(scenario: &Scenario) -> Vec<DisplayedMetric> {
    let all = scenario.all_metrics();
    let mut metrics: Vec<DisplayedMetric> = Vec::new();
    for (name, limit) in scenario.all_limits() {
        if name == "lines" {
            continue;
        }
        let growth_limit = (limit.statistic == Statistic::GrowthPerMin).then_some(limit);
        match metrics.iter_mut().find(|m| m.name == name) {
            Some(shown) => shown.growth_limit = shown.growth_limit.take().or(growth_limit),
            None => metrics.push(DisplayedMetric {
                unit: all.get(&name).map_or(Unit::Count, |m| m.info().unit),
                name,
                growth_limit,
            }),
        }
    }
    metrics.sort_by_key(|m| (m.growth_limit.is_none(), m.name.clone()));
    metrics
}

/// The interval of the growth so far, if there is one yet.
fn interval(standing: &LimitResult, unit: Unit) -> String {
    standing.low.zip(standing.high).map_or(String::new(), |(low, high)| {
        format!(" [{}..{}]", unit.format_signed(low), unit.format_signed(high))
    })
}

/// The verdict on a growth limit if the run ended now.
fn mark(standing: Option<&LimitResult>) -> String {
    match standing.map(|s| s.outcome) {
        Some(Verdict::Pass) => format!("{GOOD}ok{PLAIN}"),
        Some(Verdict::Fail) => format!("{BAD}over{PLAIN}"),
        Some(Verdict::Inconclusive) if standing.is_some_and(needs_only_time) => format!("{DIM}ok so far{PLAIN}"),
        Some(Verdict::Invalid | Verdict::Inconclusive) | None => format!("{DOUBT}undecided{PLAIN}"),
    }
}

/// Returns whether only more time is needed to pass: the whole interval lies within the limit.
fn needs_only_time(standing: &LimitResult) -> bool {
    let is_inside = standing
        .high
        .zip(standing.bound)
        .is_some_and(|(high, bound)| high < bound);
    let is_early = standing.reason.as_ref().is_some_and(|r| r.code == ReasonCode::TooShort);
    is_inside && is_early
}

/// The verdict so far on the limits that have an interval.
fn so_far(limits: &[LimitResult]) -> Option<&'static str> {
    let mut judged = limits.iter().filter(|l| l.low.is_some()).map(|l| l.outcome).peekable();
    judged.peek()?;
    Some(match Verdict::worst(judged) {
        Verdict::Fail => "over a limit",
        Verdict::Invalid | Verdict::Inconclusive => "undecided",
        Verdict::Pass => "ok",
    })
}

/// Draws values as bars, scaled from the smallest to the largest.
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
        HEIGHTS[((share * 7.0).round() as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

fn line_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:28.cyan/238} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}

#[cfg(test)]
mod tests {
    use leakcheck_model::verdict::Reason;

    use super::*;

    #[test]
    fn the_mark_is_the_verdict_if_the_run_ended_now() {
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
        for (outcome, text) in [
            (Verdict::Pass, "ok"),
            (Verdict::Fail, "over"),
            (Verdict::Inconclusive, "undecided"),
        ] {
            assert!(mark(Some(&standing(outcome))).contains(text));
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
    fn the_log_tail_is_left_to_the_summary() {
        let died = format!("exit code 3{LOG_TAIL_INTRO}boom\nbang");
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
