//! The content of a metric's chart, independent of its rendering as SVG, PNG or interactive page.

mod decimate;
mod growth;
mod limit;

use leakcheck_model::result::MetricResult;
use leakcheck_model::{Phase, Record, RunResult, Samples, Unit, Verdict};

pub use decimate::{Gap, Point, decimate};
pub use growth::GrowthLine;
pub use limit::LimitLine;

/// The chart of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The name of the metric.
    pub metric: String,
    /// The unit of its values.
    pub unit: Unit,
    /// True for a counter, which is drawn as its increase since the judged part began, without resets.
    pub counter: bool,
    /// The worst outcome of its limits; `None` without limits.
    pub verdict: Option<Verdict>,
    /// Its limits, failed ones first.
    pub limits: Vec<LimitLine>,
    /// The label of the time axis.
    pub time_label: &'static str,
    /// Begin and end of the time axis, in seconds.
    pub span_s: (f64, f64),
    /// The measured values, decimated.
    pub points: Vec<Point>,
    /// Periods without a value.
    pub gaps: Vec<Gap>,
    /// The phases of the run.
    pub phases: Vec<PhaseBand>,
    /// The injected faults.
    pub faults: Vec<FaultBand>,
    /// Time and value of the baseline.
    pub baseline: Option<(f64, f64)>,
    /// Time and value of each checkpoint.
    pub checkpoints: Vec<(f64, f64)>,
    /// The measured growth.
    pub growth: Option<GrowthLine>,
    /// Times of stream rotations, if the target counts them.
    pub rotations: Vec<f64>,
}

/// A phase of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseBand {
    /// The phase.
    pub phase: Phase,
    /// Beginning, seconds.
    pub from_s: f64,
    /// End, seconds.
    pub to_s: f64,
}

/// An injected fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultBand {
    /// `F1`, `F2`, … in order of time, as in the reports' table of faults.
    pub label: String,
    /// Its description.
    pub description: String,
    /// Beginning, seconds.
    pub from_s: f64,
    /// End, seconds.
    pub to_s: f64,
}

/// The metric that counts stream rotations, as the built-in targets name it.
const ROTATIONS: &str = "rotations";

/// Returns the figures of a run: metrics with limits first, in the order of the scenario, then the others by name.
/// Each has at most about `max_points` points; decimation keeps peaks and gaps.
#[must_use]
pub fn figures(result: &RunResult, record: &Record, max_points: usize) -> Vec<Figure> {
    charted_metrics(result, record)
        .into_iter()
        .filter_map(|name| figure(result, record, name, max_points))
        .collect()
}

/// Returns the metrics that have a chart, in the order of [`figures`].
#[must_use]
pub fn charted_metrics<'a>(result: &'a RunResult, record: &'a Record) -> Vec<&'a str> {
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
    let unit = info.map_or(Unit::Count, |i| i.unit);
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
        time_label: if record.plan.is_some() {
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

/// Returns time and value of the judge's baseline, on the scale of the chart.
fn baseline(measured: Option<&MetricResult>, counter: bool, judged: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (t, first) = *judged.first()?;
    let stored = measured.and_then(|m| m.baseline).filter(|_| !counter);
    Some((t, stored.unwrap_or(first)))
}

/// Returns begin and end of the time axis. It begins at 0 if the first sample came soon after it.
fn span(first: f64, last: f64) -> (f64, f64) {
    const SOON: f64 = 0.02;
    let soon = first > 0.0 && first < (last - first) * SOON;
    (if soon { 0.0 } else { first }, last)
}

/// Returns a counter's increase since its first value. A fall is a restart from zero, except while the load is removed: then
/// the series of removed containers leave the sum.
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

/// Counts an increase from the begin of the judged part, as the judge does. Earlier values are negative.
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

/// Returns the values before the load, which `drained` compares with.
fn level_before_load(samples: &Samples, values: &[Option<f64>]) -> Vec<f64> {
    samples
        .rows(|p| p == Phase::Idle)
        .filter_map(|row| values[row])
        .collect()
}

/// Returns the phases of the samples, each up to the beginning of the next.
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

/// Returns the faults in order of time, numbered. A fault without an end lasts until `end_s`.
#[must_use]
pub fn fault_bands(record: &Record, end_s: f64) -> Vec<FaultBand> {
    let mut faults: Vec<_> = record.facts.faults.iter().collect();
    faults.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    faults
        .into_iter()
        .enumerate()
        .map(|(i, fault)| FaultBand {
            label: format!("F{}", i + 1),
            description: match fault.hits {
                Some(hits) => format!("{} (hits: {hits})", fault.what),
                None => fault.what.clone(),
            },
            from_s: fault.from_s,
            to_s: fault.to_s.unwrap_or(end_s).max(fault.from_s),
        })
        .collect()
}

/// Returns the checkpoints on the scale of the chart: the sample at or just before each.
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
