//! What is seen while a run goes on: a live line on a terminal, plain lines elsewhere; a checkpoint line in the FASE
//! manner (time, each metric, growth since the baseline, per minute, ok or not).

use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use leakcheck_model::event::{Event, Happening, Phase};
use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::{Sample, Scenario};
use leakcheck_runner::{Audience, Notice};

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
    phase: Phase,
    phase_began: f64,
    now: f64,
    lengths: BTreeMap<Phase, Duration>,
    told: String,
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
            phase: Phase::Idle,
            phase_began: 0.0,
            now: 0.0,
            lengths,
            told: String::new(),
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
        match &event.what {
            Happening::RunStarted { run_id, scenario, .. } => {
                self.say(&format!("{BOLD}{scenario}{PLAIN} {DIM}run {run_id}{PLAIN}"))
            }
            Happening::EngineFound(engine) => {
                let aloud = if engine.kind == "simulated" {
                    "simulated engine (no Docker, no real containers)"
                } else {
                    "Docker engine"
                };
                self.say(&format!(
                    "{aloud} {}, API {}, at {}",
                    engine.version, engine.api, engine.host
                ));
            }
            Happening::ImageReady { image, made } => {
                self.say(&format!("load image {image} {}", if *made { "made" } else { "found" }))
            }
            Happening::TargetStarted(target) => {
                let pid = target.pid.map_or(String::new(), |pid| format!(", pid {pid}"));
                self.say(&format!("target: {}{pid}", target.kind));
            }
            Happening::TargetReady { after_s } => self.say(&format!("target ready after {after_s:.1} s")),
            Happening::Launched { running, planned } => self.say(&format!("{running} of {planned} containers run")),
            Happening::PhaseBegan { phase } => self.phase_began(*phase, event.t_s),
            Happening::Checkpoint { values, .. } => self.checkpoint(values),
            Happening::Warning { reason } => self.say(&format!("{DOUBT}note{PLAIN}: {}", reason.message)),
            Happening::Impaired { reason } => {
                self.say(&format!("{BAD}{}{PLAIN}: {}", reason.code.name(), reason.message))
            }
            Happening::TargetDied { status } => self.say(&format!("{BAD}the target ended by itself{PLAIN}: {status}")),
            Happening::TargetRestarted { message } => self.say(&format!("{BAD}{message}{PLAIN}")),
            Happening::FaultBegan { what, .. } => self.say(&format!("{DOUBT}fault{PLAIN}: {what}")),
            Happening::FaultEnded { index } => self.say(&format!("fault {} is over", index + 1)),
            Happening::EndedByUser { measured_s } => self.say(&format!(
                "ended after {measured_s:.0} s of measuring; this is what they show"
            )),
            Happening::StoppedEarly { saved_s } => self.say(&format!(
                "{BAD}a fail is certain{PLAIN}: ending the run, {saved_s:.0} s early"
            )),
            Happening::Finished => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            Happening::Interrupted | Happening::Lines(_) | Happening::Attributed(_) | Happening::SelfMeasured(_) => {}
        }
    }

    fn phase_began(&mut self, phase: Phase, t_s: f64) {
        self.phase = phase;
        self.phase_began = t_s;
        if let Some(length) = self.lengths.get(&phase) {
            self.say(&format!(
                "{DIM}{}{PLAIN} {}",
                phase.name(),
                leakcheck_model::Span(*length)
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
            }
            live.push(text);
        }
        let length = self.lengths.get(&self.phase).map_or(0.0, Duration::as_secs_f64);
        let done = (sample.t_s - self.phase_began).min(length);
        if length > 0.0 {
            bar.set_length((length * 10.0).max(1.0) as u64);
            bar.set_position((done * 10.0) as u64);
            let left = leakcheck_model::Span::seconds((length - done).round() as u64);
            bar.set_message(format!("{} {left} left  {}", self.phase.name(), live.join("  ")));
        }
    }

    /// One line: time since the baseline, then each metric with its growth and whether it is within its limit.
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
            let Some((limit, (from, first))) = metric.growth.as_ref().zip(self.baseline.get(&metric.name)) else {
                continue;
            };
            let minutes = (self.now - from) / 60.0;
            if minutes > 0.0 {
                let rate = (value - first) / minutes;
                let kept = matches!(limit.bound, Bound::Number(bound) if limit.comparison.holds(rate, bound));
                let mark = if kept {
                    format!("{GOOD}ok{PLAIN}")
                } else {
                    format!("{DOUBT}over{PLAIN}")
                };
                line.push_str(&format!(
                    " ({}, {}/min {mark})",
                    signed(value - first, metric.unit),
                    per_minute(rate, metric.unit)
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
                unit: all.get(&name).map_or("", |m| m.info().unit),
                name,
                growth,
            }),
        }
    }
    metrics.sort_by_key(|m| (m.growth.is_none(), m.name.clone()));
    metrics
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
    use super::*;

    #[test]
    fn a_sparkline_goes_from_the_smallest_to_the_largest_value() {
        let line = |values: &[f64]| sparkline(&values.iter().copied().collect());
        assert_eq!(line(&[0.0, 7.0, 3.5, 1.0]), "▁█▅▂");
        assert_eq!(line(&[5.0, 5.0]), "▁▁");
        assert_eq!(line(&[]), "");
    }
}
