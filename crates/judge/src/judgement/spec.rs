//! The test specification of a metric's growth.

use leakcheck_model::metric::{is_integer, quantum_of};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Phase, Record};

use super::judged_part::JudgedPart;
use super::rotations;
use crate::series::Series;
use crate::test_spec::{Analysis, TestSpec};

/// Shortest judged part from which the effect of a container is estimated, seconds: ten differences of 15 s means.
const COVARIATE_MIN_S: f64 = 150.0;

/// Returns the judged values of a metric as a series.
pub(super) fn series(record: &Record, metric: &str) -> Result<Series, Reason> {
    let most = record.samples.len();
    let (mut t, mut v) = (Vec::with_capacity(most), Vec::with_capacity(most));
    for (t_s, value) in record.samples.series(metric, Phase::is_judged) {
        t.push(t_s);
        v.push(value);
    }
    Series::new(t, v).map_err(|error| Reason::of(ReasonCode::ClockJumped, metric, format!("`{metric}`: {error}")))
}

/// Specifies the test of the growth of a metric against `bound`.
pub(super) fn test_spec(
    record: &Record,
    judged: &JudgedPart,
    analysis: Analysis,
    metric: &str,
    bound: f64,
) -> TestSpec {
    let (planned, max) = record
        .plan
        .as_ref()
        .map_or((judged.length_s(), judged.length_s()), |p| (p.measure_s, p.max_s));
    // The last tick of a phase may be missing or early, so two samples less than planned are enough.
    let slack = 2.0 * judged.every_s;
    TestSpec {
        limit_per_min: bound,
        rotation_period_s: record.rotation_period_s,
        rotations_counted: rotations::per_container(record, judged),
        quantum: quantum(record, metric),
        planned_s: planned - slack,
        max_s: max - slack,
        metrics: growth_limits(record),
        analysis,
        covariate: containers(record, judged, metric),
        allowed_swing: None,
    }
}

/// Returns the step of a metric: as configured, or smaller if its values are not whole numbers.
fn quantum(record: &Record, metric: &str) -> f64 {
    let info = record.metrics.get(metric);
    let known = info.map_or(1.0, |m| m.quantum);
    // The quantum of a plain table is derived from its values already.
    if info.is_some_and(|m| m.source == "csv") {
        return known;
    }
    let column = record.samples.column(metric).unwrap_or_default();
    if column.iter().flatten().all(|&v| is_integer(v)) {
        known
    } else {
        known.min(quantum_of(column))
    }
}

/// Returns the number of growth limits of a run, which share its error.
fn growth_limits(record: &Record) -> usize {
    use leakcheck_model::limit::Statistic::{GrowthPerMin, PerRotation};
    record
        .limits
        .iter()
        .filter(|(_, rule)| matches!(rule.statistic, GrowthPerMin | PerRotation))
        .count()
        .max(1)
}

/// Returns the number of containers at each sample of the metric, if it changed during the judged part (churn).
fn containers(record: &Record, judged: &JudgedPart, metric: &str) -> Option<Vec<f64>> {
    let (column, containers) = (record.samples.column(metric)?, record.samples.column("containers")?);
    if judged.length_s() < COVARIATE_MIN_S {
        return None;
    }
    let wanted = judged.rows.iter().filter(|&&i| column[i].is_some());
    let all: Vec<f64> = wanted.map(|&i| containers[i]).collect::<Option<_>>()?;
    let first = *all.first()?;
    all.iter().any(|n| (n - first).abs() > 0.5).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::tests::test_support::{RunBuilder, noise};

    fn run(seconds: u32, value: impl Fn(f64) -> f64) -> RunBuilder {
        RunBuilder::run(seconds, 5).metric("fds", move |t| Some((1000.0 + value(t) + noise(t)).round()))
    }

    #[test]
    fn a_metric_of_fractions_has_their_step() {
        let of = |value: fn(f64) -> f64| {
            let run = RunBuilder::run(60, 5).metric("load", move |t| Some(value(t)));
            quantum(&run.record(), "load")
        };
        assert_eq!(of(|t| t), 1.0);
        assert_eq!(of(|t| t / 4.0), 0.01);
        assert_eq!(quantum(&RunBuilder::run(60, 5).record(), "nothing"), 1.0);
    }

    #[test]
    fn a_metric_of_whole_numbers_keeps_its_known_step() {
        let run = RunBuilder::run(60, 5)
            .metric("memory", |t| Some(t.abs() + 3.0))
            .with(|r| r.metrics.get_mut("memory").expect("there").quantum = 4096.0);
        assert_eq!(quantum(&run.record(), "memory"), 4096.0);
    }

    #[test]
    fn both_lengths_of_a_plan_are_kept_to_within_two_samples() {
        let record = run(600, |_| 0.0)
            .with(|r| {
                let plan = r.plan.as_mut().expect("planned");
                (plan.sample_every_s, plan.max_s) = (5.0, 700.0);
            })
            .record();
        let spec = test_spec(&record, &JudgedPart::of(&record), Analysis::Single, "fds", 2.0);
        assert_eq!((spec.planned_s, spec.max_s), (590.0, 690.0));
    }

    #[test]
    fn containers_are_a_covariate_where_they_change_and_the_run_is_long_enough() {
        let churning = |seconds: u32| {
            run(seconds, |_| 0.0).with(|r| {
                let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
                let number = |t: &f64| Some((10.0 + 6.0 * (t / 200.0).sin()).round());
                r.samples.columns[at] = r.samples.t_s.iter().map(number).collect();
            })
        };
        let known = |run: RunBuilder| {
            let record = run.record();
            containers(&record, &JudgedPart::of(&record), "fds").is_some()
        };
        assert!(known(churning(1200)));
        assert!(!known(churning(148)));
        assert!(known(churning(149)));
        assert!(!known(run(1200, |_| 0.0)));
    }
}
