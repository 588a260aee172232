//! What a chart of one metric shows, before it is drawn: the same figure becomes SVG, PNG and the interactive page.

mod decimate;
mod growth;
mod limit;

use leakcheck_model::result::MetricResult;
use leakcheck_model::{Phase, Record, RunResult, Samples, Verdict};

pub use decimate::{Gap, Point, decimate};
pub use growth::GrowthLine;
pub use limit::LimitLine;

use crate::quantity::Unit;

/// A chart of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name.
    pub metric: String,
    /// How its values are shown.
    pub unit: Unit,
    /// A counter is drawn as its increase since the judged part began, with resets taken out.
    pub counter: bool,
    /// What its limits come to; `None` if it has none.
    pub verdict: Option<Verdict>,
    /// Its limits, those that failed first.
    pub limits: Vec<LimitLine>,
    /// What the axis of time counts from.
    pub time: &'static str,
    /// First and last moment of the run, in seconds.
    pub span_s: (f64, f64),
    /// The measured values, thinned out.
    pub points: Vec<Point>,
    /// Stretches in which it was not seen.
    pub gaps: Vec<Gap>,
    /// What the run was doing.
    pub phases: Vec<PhaseBand>,
    /// What was broken on purpose.
    pub faults: Vec<FaultBand>,
    /// Where growth begins: time and value.
    pub baseline: Option<(f64, f64)>,
    /// Time and value of each checkpoint.
    pub checkpoints: Vec<(f64, f64)>,
    /// The growth that was found.
    pub growth: Option<GrowthLine>,
    /// When streams were rotated, where the target counts it.
    pub rotations: Vec<f64>,
}

/// A phase of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseBand {
    /// Which.
    pub phase: Phase,
    /// Beginning, seconds.
    pub from_s: f64,
    /// End, seconds.
    pub to_s: f64,
}

/// A fault on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultBand {
    /// `F1`, `F2`, … in order of time, as in the reports' table of faults.
    pub label: String,
    /// In words.
    pub what: String,
    /// Beginning, seconds.
    pub from_s: f64,
    /// End, seconds.
    pub to_s: f64,
}

/// The metric whose increase says when streams were rotated (the name that the built-in target gives it).
const ROTATIONS: &str = "rotations";

/// The figures of a run: metrics with limits first, in the scenario's order, then the others by name.
/// Each has at most about `max_points` points; peaks and gaps survive the thinning.
#[must_use]
pub fn figures(result: &RunResult, record: &Record, max_points: usize) -> Vec<Figure> {
    charted(result, record)
        .into_iter()
        .filter_map(|name| figure(result, record, name, max_points))
        .collect()
}

/// The metrics that have a chart, in the order of [`figures`].
#[must_use]
pub fn charted<'a>(result: &'a RunResult, record: &'a Record) -> Vec<&'a str> {
    let samples = &record.samples;
    if samples.is_empty() {
        return Vec::new();
    }
    let mut names: Vec<&str> = Vec::new();
    let limited = result.limits.iter().map(|l| l.metric.as_str());
    for name in limited.chain(samples.names.iter().map(String::as_str)) {
        if !names.contains(&name) && samples.column(name).is_some() {
            names.push(name);
        }
    }
    names
}

fn figure(result: &RunResult, record: &Record, metric: &str, max_points: usize) -> Option<Figure> {
    let samples = &record.samples;
    let info = record.metrics.get(metric);
    let unit = Unit::of(info.map_or("", |i| i.unit.symbol()));
    let counter = info.is_some_and(|i| i.counter);
    let column = samples.column(metric)?;
    let values = if counter {
        since_judged(samples, increase(column, &samples.phase))
    } else {
        column.to_vec()
    };
    let span_s = span(*samples.t_s.first()?, *samples.t_s.last()?);
    let judged: Vec<(f64, f64)> = samples
        .rows(Phase::is_judged)
        .filter_map(|row| values[row].map(|v| (samples.t_s[row], v)))
        .collect();
    let measured = result.metrics.get(metric);
    let baseline = baseline(measured, counter, &judged);
    let limits = limit::lines(
        result,
        metric,
        baseline,
        &judged,
        &level_before_load(samples, &values),
        span_s,
        unit,
    );
    let (points, gaps) = decimate(&samples.t_s, &values, max_points);
    Some(Figure {
        metric: metric.to_owned(),
        unit,
        counter,
        verdict: (!limits.is_empty()).then(|| Verdict::worst(limits.iter().map(|l| l.outcome))),
        limits,
        time: if record.plan.is_some() {
            "time since the run began"
        } else {
            "time"
        },
        span_s,
        points,
        gaps,
        phases: phase_bands(samples),
        faults: fault_bands(record, span_s.1),
        baseline,
        checkpoints: checkpoints(result, samples, &values),
        growth: measured
            .and_then(|m| m.growth_per_min)
            .and_then(|g| GrowthLine::through(g, &judged, info.map_or(0.0, |i| i.quantum))),
        rotations: rotation_times(samples),
    })
}

/// Where growth begins: the judge's baseline, on the chart's own scale.
fn baseline(measured: Option<&MetricResult>, counter: bool, judged: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (t, first) = *judged.first()?;
    let stored = measured.and_then(|m| m.baseline).filter(|_| !counter);
    Some((t, stored.unwrap_or(first)))
}

/// What the axis of time shows: from 0 if the first sample came soon after it.
fn span(first: f64, last: f64) -> (f64, f64) {
    const SOON: f64 = 0.02;
    let soon = first > 0.0 && first < (last - first) * SOON;
    (if soon { 0.0 } else { first }, last)
}

/// A counter's increase since its first value; a fall is a restart from zero. While the load goes away it is none:
/// then the series of the containers that are gone leave the sum.
fn increase(column: &[Option<f64>], phases: &[Phase]) -> Vec<Option<f64>> {
    let mut sum = 0.0;
    let mut last: Option<f64> = None;
    column
        .iter()
        .zip(phases)
        .map(|(value, phase)| {
            let value = (*value)?;
            match last {
                Some(last) if value >= last => sum += value - last,
                Some(_) if *phase != Phase::Drain => sum += value,
                _ => {}
            }
            last = Some(value);
            Some(sum)
        })
        .collect()
}

/// An increase counted from where the judged part begins, as the judge counts it: what came before lies below zero.
fn since_judged(samples: &Samples, mut values: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let zero = samples
        .rows(Phase::is_judged)
        .find_map(|row| values[row])
        .unwrap_or(0.0);
    for value in values.iter_mut().flatten() {
        *value -= zero;
    }
    values
}

/// The values without load, which `drained` compares with.
fn level_before_load(samples: &Samples, values: &[Option<f64>]) -> Vec<f64> {
    samples
        .rows(|p| p == Phase::Idle)
        .filter_map(|row| values[row])
        .collect()
}

/// Runs of one phase, each up to the beginning of the next.
#[must_use]
pub fn phase_bands(samples: &Samples) -> Vec<PhaseBand> {
    let mut bands: Vec<PhaseBand> = Vec::new();
    for (t, phase) in samples.t_s.iter().zip(&samples.phase) {
        match bands.last_mut() {
            Some(last) if last.phase == *phase => last.to_s = *t,
            last => {
                if let Some(last) = last {
                    last.to_s = *t;
                }
                bands.push(PhaseBand {
                    phase: *phase,
                    from_s: *t,
                    to_s: *t,
                });
            }
        }
    }
    bands
}

/// The faults in order of time, numbered; one that never ended lasts to the run's end.
#[must_use]
pub fn fault_bands(record: &Record, end_s: f64) -> Vec<FaultBand> {
    let mut faults: Vec<_> = record.facts.faults.iter().collect();
    faults.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    faults
        .into_iter()
        .enumerate()
        .map(|(i, fault)| FaultBand {
            label: format!("F{}", i + 1),
            what: match fault.hits {
                Some(times) => format!("{} (strikes: {times})", fault.what),
                None => fault.what.clone(),
            },
            from_s: fault.from_s,
            to_s: fault.to_s.unwrap_or(end_s).max(fault.from_s),
        })
        .collect()
}

/// Checkpoints on the chart's own scale: the sample at or just before each.
fn checkpoints(result: &RunResult, samples: &Samples, values: &[Option<f64>]) -> Vec<(f64, f64)> {
    result
        .checkpoints
        .iter()
        .filter_map(|checkpoint| {
            let row = samples.t_s.partition_point(|t| *t <= checkpoint.t_s).checked_sub(1)?;
            Some((samples.t_s[row], values[row]?))
        })
        .collect()
}

fn rotation_times(samples: &Samples) -> Vec<f64> {
    let column = increase(samples.column(ROTATIONS).unwrap_or_default(), &samples.phase);
    let mut last = None;
    let mut times = Vec::new();
    for (row, value) in column.into_iter().enumerate() {
        let Some(value) = value else { continue };
        if last.is_some_and(|last| value > last) {
            times.push(samples.t_s[row]);
        }
        last = Some(value);
    }
    times
}

#[cfg(test)]
mod tests;
