//! The results of each metric, with or without a limit.

use std::collections::BTreeMap;

use leakcheck_model::result::{Growth, LimitResult, MetricResult};
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{MetricInfo, Unit};

use super::context::JudgementContext;
use super::drained;
use super::judged_part::values;
use crate::assessment::{Assessment, Shape};
use crate::endpoint;

/// Measures one metric over the judged part.
pub(super) fn measure(
    context: &JudgementContext,
    name: &str,
    info: &MetricInfo,
    limits: &[LimitResult],
) -> MetricResult {
    let record = context.record;
    let series = context.series(name).ok();
    let seen = match &series {
        Some(series) => ValueSummary::of(series.value()),
        None => ValueSummary::of(&values(record, name)),
    };
    let mut result = MetricResult {
        source: info.source.clone(),
        samples: seen.samples as u64,
        missing: (context.judged.rows.len() - seen.samples) as u64,
        baseline: seen.first,
        last: seen.last,
        min: seen.min,
        max: seen.max,
        endpoint_per_min: series.as_deref().and_then(endpoint::series_rate_per_min),
        drained: drained::residual(record, name),
        ..MetricResult::default()
    };
    if series.is_none_or(|s| s.len() < 2) {
        return result;
    }
    let bound = limits
        .iter()
        .find(|l| l.metric == name && l.rule.starts_with("growth_per_min"))
        .and_then(|l| l.bound);
    // Without a limit, growth is assessed at the metric's own scale.
    let bound = bound.filter(|b| *b > 0.0).unwrap_or(info.quantum.max(1.0));
    let Ok(assessment) = context.per_minute(name, bound) else {
        return result;
    };
    result.growth_per_min = interval(&assessment);
    result.shape = shape(&assessment, info.unit);
    result.smallest_late_leak_per_min = assessment.smallest_late_leak.map(|l| l.per_min);
    result.late_window_s = assessment.smallest_late_leak.map(|l| l.window_s);
    if name != "rotations" {
        result.per_rotation = context.per_rotation(name, bound).ok().as_deref().and_then(interval);
    }
    result
}

/// The number, ends and extremes of a list of values.
#[derive(Default)]
struct ValueSummary {
    samples: usize,
    first: Option<f64>,
    last: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl ValueSummary {
    fn of(values: &[f64]) -> Self {
        Self {
            samples: values.len(),
            first: values.first().copied(),
            last: values.last().copied(),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
        }
    }
}

fn interval(assessment: &Assessment) -> Option<Growth> {
    let growth = assessment.growth.as_ref()?;
    Some(Growth {
        estimate: growth.estimate,
        low: growth.low,
        high: growth.high,
    })
}

/// Describes the dominant shape.
fn shape(assessment: &Assessment, unit: Unit) -> Option<String> {
    let size = |x: f64| unit.format_signed(x);
    Some(match assessment.shapes.first()?.shape {
        Shape::Flat => "flat".into(),
        Shape::Linear => "a steady ramp".into(),
        Shape::Step { size: by, at_s } => format!("a step of {} at {at_s:.0} s that stayed", size(by)),
        Shape::TwoSteps {
            first_size,
            first_at_s,
            second_size,
            second_at_s,
        } => {
            format!(
                "steps of {} at {first_at_s:.0} s and {} at {second_at_s:.0} s",
                size(first_size),
                size(second_size)
            )
        }
        Shape::LateOnset { at_s, .. } => format!("growth that began at {at_s:.0} s"),
        Shape::StoppedGrowing { at_s, .. } => format!("growth that ended at {at_s:.0} s"),
        Shape::WarmUp {
            size: by,
            time_constant_s,
        } => format!("a warm-up of {} within about {:.0} s", size(by), 3.0 * time_constant_s),
        Shape::WarmUpAndStep {
            size: by,
            step_size,
            step_at_s,
            ..
        } => {
            format!(
                "a warm-up of {} and a step of {} at {step_at_s:.0} s",
                size(by),
                size(step_size)
            )
        }
        Shape::Sawtooth { swing, period_s } => format!("a sawtooth of {} every {period_s:.0} s", unit.format(swing)),
    })
}

/// Returns a warning for each limit that passes although growth is certain.
pub(super) fn warnings(
    infos: &BTreeMap<String, MetricInfo>,
    metrics: &BTreeMap<String, MetricResult>,
    limits: &[LimitResult],
) -> Vec<Reason> {
    limits
        .iter()
        .filter(|l| l.outcome == Verdict::Pass && l.rule.starts_with("growth_per_min"))
        .filter_map(|l| {
            let growth = metrics.get(&l.metric)?.growth_per_min?;
            (growth.low > 0.0).then(|| {
                let unit = infos.get(&l.metric).map_or(Unit::Count, |i| i.unit);
                let rate = unit.format(growth.estimate);
                let message = format!("`{}` grows by {rate} a minute: within its limit, but certain", l.metric);
                Reason::of(ReasonCode::Straddles, l.metric.clone(), message)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    fn noise(t: f64) -> f64 {
        (t.abs() * 7919.0 % 7.0).floor() - 3.0
    }

    fn measured(seconds: u32, value: impl Fn(f64) -> f64) -> MetricResult {
        let builder = RunBuilder::run(seconds, 5).metric("fds", move |t| Some((1000.0 + value(t) + noise(t)).round()));
        judged(&builder.record()).metrics.remove("fds").expect("measured")
    }

    #[test]
    fn a_metric_has_figures() {
        let builder = RunBuilder::run(120, 5).metric("fds", |t| (t != 50.0).then_some(100.0 + t / 2.0));
        let result = judged(&builder.record()).metrics.remove("fds").expect("measured");
        assert_eq!((result.samples, result.missing), (120, 1));
        assert_eq!((result.baseline, result.last), (Some(100.0), Some(160.0)));
        assert_eq!((result.min, result.max), (Some(100.0), Some(160.0)));
        assert_eq!(result.endpoint_per_min, Some(30.0));
        let growth = result.growth_per_min.expect("fitted");
        assert!(growth.low <= 30.0 && 30.0 <= growth.high, "{growth:?}");
        assert_eq!(result.per_rotation, None);
        assert!(result.smallest_late_leak_per_min.is_some() && result.late_window_s == Some(121.0 / 8.0));
        let once = RunBuilder::run(0, 5).metric("fds", |_| Some(3.0));
        let once = judged(&once.record()).metrics.remove("fds").expect("measured");
        assert_eq!((once.samples, once.growth_per_min), (1, None));
    }

    #[test]
    fn the_shape_of_a_series_is_described() {
        let shape = |value: fn(f64) -> f64| measured(1800, value).shape.expect("present");
        assert_eq!(shape(|_| 0.0), "flat");
        assert_eq!(shape(|t| t / 6.0), "a steady ramp");
        let up = shape(|t| if t > 690.0 { 90.0 } else { 0.0 });
        assert!(up.contains("step") && up.contains("step of +"), "{up}");
        let down = shape(|t| if t > 690.0 { -90.0 } else { 0.0 });
        assert!(down.contains("step") && down.contains("step of -"), "{down}");
        let two = shape(|t| {
            if t > 1200.0 {
                160.0
            } else if t > 500.0 {
                60.0
            } else {
                0.0
            }
        });
        assert!(two.starts_with("steps of ") && two.contains(" s and "), "{two}");
        let late = shape(|t| 138.0 * (t - 1080.0).max(0.0) / 60.0);
        assert!(late.starts_with("growth that began at 10"), "{late}");
        let ended = shape(|t| 40.0 * t.min(600.0) / 60.0);
        assert!(ended.starts_with("growth that ended at "), "{ended}");
        let warm = shape(|t| 300.0 * (1.0 - (-t.max(0.0) / 60.0).exp()));
        assert!(
            warm.starts_with("a warm-up of ") && warm.contains("within about"),
            "{warm}"
        );
    }

    #[test]
    fn growth_per_rotation_is_reported_where_rotations_are_counted() {
        let builder = RunBuilder::run(600, 5)
            .metric("fds", |t| Some(1000.0 + 4.0 * (t.max(0.0) / 30.0).floor() + noise(t)))
            .metric("rotations", |t| Some((t.max(0.0) / 30.0).floor()));
        let metrics = judged(&builder.record()).metrics;
        let each = metrics["fds"].per_rotation.expect("counted");
        assert!((each.estimate - 4.0).abs() < 0.4, "{each:?}");
        assert_eq!(metrics["rotations"].per_rotation, None);
    }

    #[test]
    fn growth_inside_its_limit_is_a_warning() {
        let warned = |value: fn(f64) -> f64, rule: &str| {
            let builder = RunBuilder::run(1800, 5).metric("fds", move |t| Some((1000.0 + value(t) + noise(t)).round()));
            judged(&builder.limit("fds", rule).record()).warnings
        };
        let warnings = warned(|t| t / 60.0, "growth_per_min < 2");
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].message.contains("`fds` grows by 1"),
            "{}",
            warnings[0].message
        );
        assert!(warned(|_| 0.0, "growth_per_min < 2").is_empty());
        assert!(warned(|t| t / 6.0, "growth_per_min < 2").is_empty(), "a fail says more");
        assert!(warned(|t| t / 60.0, "max < 9000").is_empty());
    }

    #[test]
    fn source_and_residual_of_a_metric_are_reported() {
        // 1040 before the load, 1043 after it.
        let builder = RunBuilder::run(60, 5).metric("fds", |t| Some(if t > 60.0 { 1043.0 } else { 1040.0 }));
        let result = judged(&builder.record()).metrics.remove("fds").expect("measured");
        assert_eq!((result.source.as_str(), result.drained), ("metrics", Some(3.0)));
    }

    #[test]
    fn two_samples_have_growth_and_one_has_not() {
        let seen = |samples: f64| {
            let builder = RunBuilder::run(60, 5).metric("fds", move |t| (t >= 0.0 && t < samples).then_some(40.0));
            judged(&builder.record()).metrics.remove("fds").expect("measured")
        };
        assert_eq!((seen(2.0).samples, seen(1.0).samples, seen(0.0).samples), (2, 1, 0));
        assert_eq!(
            (seen(1.0).endpoint_per_min, seen(2.0).endpoint_per_min),
            (None, Some(0.0))
        );
    }

    #[test]
    fn growth_is_assessed_on_the_scale_of_the_metrics_own_limit() {
        // The smallest late leak lies above the limit: 500, 7, and 1 without a limit.
        let builder = || {
            let steady = |t: f64| Some(1000.0 + noise(t));
            RunBuilder::run(600, 5)
                .metric("fds", steady)
                .metric("tasks", steady)
                .metric("threads", steady)
        };
        let record = builder()
            .limit("tasks", "growth_per_min < 7")
            .limit("fds", "max < 90000")
            .limit("fds", "growth_per_min < 500")
            .record();
        let seen = |name: &str| {
            judged(&record).metrics[name]
                .smallest_late_leak_per_min
                .expect("fitted")
        };
        let beyond = |name: &str, limit: f64| seen(name) - limit;
        let (fds, tasks, threads) = (beyond("fds", 500.0), beyond("tasks", 7.0), beyond("threads", 1.0));
        assert!(
            threads > 0.0 && (fds - threads).abs() < 1e-6 && (tasks - threads).abs() < 1e-6,
            "{fds} {tasks} {threads}"
        );
    }

    #[test]
    fn bytes_are_shown_in_mebibytes_and_counts_as_they_are() {
        let shape = |unit: Unit| {
            let step = |t: f64| if t > 690.0 { 3.0 * 1_048_576.0 } else { 0.0 };
            let builder = RunBuilder::run(1800, 5)
                .metric("x", move |t| Some((step(t) + 1000.0 + noise(t)).round()))
                .with(|r| r.metrics.get_mut("x").expect("there").unit = unit);
            judged(&builder.record()).metrics["x"].shape.clone().expect("present")
        };
        assert!(shape(Unit::Bytes).contains("+3 MiB"), "{}", shape(Unit::Bytes));
        assert!(shape(Unit::Count).contains("+3,145,7"), "{}", shape(Unit::Count));
    }

    #[test]
    fn a_lower_limit_hides_no_growth() {
        let builder = RunBuilder::run(600, 5).metric("fds", |t| Some(1000.0 + noise(t)));
        let result = judged(&builder.limit("fds", "growth_per_min < 0").record())
            .metrics
            .remove("fds");
        assert!(result.expect("measured").growth_per_min.is_some());
    }
}
