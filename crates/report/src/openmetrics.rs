//! Renders samples as OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.
//!
//! Format: OpenMetrics 1.0. A metric `fds` becomes `leakcheck_fds`, one of bytes `leakcheck_rss_bytes`, a counter
//! `leakcheck_rotations_total`. Labels identify the run. Missing values are left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use leakcheck_model::{Event, Phase, Record};

/// The labels of each series.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The run's id.
    pub run_id: &'a str,
    /// The target's commit, if it is known.
    pub commit: Option<&'a str>,
}

/// Returns the wall-clock time of the run's second 0, from the event nearest to it: there a drifting clock is off least.
#[must_use]
pub fn clock_zero(events: &[Event]) -> Option<Timestamp> {
    let nearest = events.iter().min_by(|a, b| a.t_s.abs().total_cmp(&b.t_s.abs()))?;
    let at: Timestamp = nearest.at.parse().ok()?;
    at.checked_sub(jiff::SignedDuration::try_from_secs_f64(nearest.t_s).ok()?)
        .ok()
}

/// Renders the samples. Rows whose time does not increase are left out: a time series cannot hold them.
#[must_use]
pub fn openmetrics(record: &Record, zero: Timestamp, labels: Labels<'_>) -> String {
    let samples = &record.samples;
    let zero = zero.as_millisecond();
    let mut rows: Vec<(usize, i64)> = Vec::with_capacity(samples.len());
    for (row, t_s) in samples.t_s.iter().enumerate() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds since 1970; out of range saturates"
        )]
        let at = zero.saturating_add((t_s * 1e3).round() as i64);
        if rows.last().is_none_or(|(_, last)| at > *last) {
            rows.push((row, at));
        }
    }
    let labels = label_set(labels);
    let mut text = String::new();
    let mut taken = BTreeSet::from([PHASE.to_owned()]);
    for (name, column) in samples.names.iter().zip(&samples.columns) {
        let family = Family::of(name, record, &mut taken);
        family.head(&mut text);
        for (row, at) in &rows {
            if let Some(value) = column[*row].filter(|v| v.is_finite()) {
                let _ = writeln!(
                    text,
                    "{}{}{{{labels}}} {value} {}",
                    family.name,
                    family.suffix(),
                    seconds(*at)
                );
            }
        }
    }
    phases(&mut text, record, &rows, &labels);
    text.push_str("# EOF\n");
    text
}

const PHASE: &str = "leakcheck_phase";

struct Family {
    name: String,
    unit: Option<&'static str>,
    counter: bool,
    source: String,
}

impl Family {
    fn of(metric: &str, record: &Record, taken: &mut BTreeSet<String>) -> Self {
        let info = record.metrics.get(metric);
        let unit = match info.map_or(leakcheck_model::Unit::Count, |i| i.unit) {
            leakcheck_model::Unit::Bytes => Some("bytes"),
            // The only built-in metric in seconds.
            _ if metric == "cpu" => Some("seconds"),
            _ => None,
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name = format!("leakcheck_{}", metric.chars().map(plain).collect::<String>());
        name.truncate(name.strip_suffix("_total").map_or(name.len(), str::len));
        if let Some(unit) = unit
            && !name.ends_with(&format!("_{unit}"))
        {
            name = format!("{name}_{unit}");
        }
        let mut unique = name.clone();
        let mut nth = 2;
        while !taken.insert(unique.clone()) {
            // A name must end with its unit.
            let stem = unit.and_then(|u| name.strip_suffix(&format!("_{u}"))).unwrap_or(&name);
            let end = unit.map_or(String::new(), |u| format!("_{u}"));
            unique = format!("{stem}_{nth}{end}");
            nth += 1;
        }
        Self {
            name: unique,
            unit,
            counter: info.is_some_and(|i| i.counter),
            source: format!(
                "{metric} of the target, from {}",
                info.map_or("csv", |i| i.source.as_str())
            ),
        }
    }

    fn suffix(&self) -> &'static str {
        if self.counter { "_total" } else { "" }
    }

    fn head(&self, text: &mut String) {
        let kind = if self.counter { "counter" } else { "gauge" };
        let _ = writeln!(text, "# TYPE {} {kind}", self.name);
        if let Some(unit) = self.unit {
            let _ = writeln!(text, "# UNIT {} {unit}", self.name);
        }
        let _ = writeln!(text, "# HELP {} {}", self.name, escaped(&self.source));
    }
}

/// Appends one series per phase, with samples while the phase lasts: `leakcheck_phase{phase="measure"} 1`.
fn phases(text: &mut String, record: &Record, rows: &[(usize, i64)], labels: &str) {
    let _ = writeln!(
        text,
        "# TYPE {PHASE} gauge\n# HELP {PHASE} 1 while the run is in this phase"
    );
    for phase in [
        Phase::Idle,
        Phase::Launch,
        Phase::WarmUp,
        Phase::Measure,
        Phase::Extend,
        Phase::Drain,
    ] {
        for (row, at) in rows {
            if record.samples.phase[*row] == phase {
                let _ = writeln!(
                    text,
                    "{PHASE}{{{labels},phase=\"{}\"}} 1 {}",
                    phase.name(),
                    seconds(*at)
                );
            }
        }
    }
}

fn label_set(labels: Labels<'_>) -> String {
    let mut set = format!(
        "scenario=\"{}\",run_id=\"{}\"",
        escaped(labels.scenario),
        escaped(labels.run_id)
    );
    if let Some(commit) = labels.commit {
        let _ = write!(set, ",commit=\"{}\"", escaped(commit));
    }
    set
}

/// Formats milliseconds as seconds, without rounding.
fn seconds(millis: i64) -> String {
    let (whole, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    format!("{whole}.{rest:03}")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
