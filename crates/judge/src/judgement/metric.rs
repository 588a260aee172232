//! What was measured of each metric, whether a limit asks for it or not.

use std::collections::BTreeMap;

use leakcheck_model::record::MetricInfo;
use leakcheck_model::result::{Growth, LimitResult, MetricResult};
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::limit::{amount, number};
use super::{Judged, drained, growth};
use crate::{Answer, Form, Look, assess, assess_per_rotation, endpoint};

/// Everything that is said of one metric.
pub(super) fn measure(record: &Record, name: &str, info: &MetricInfo, limits: &[LimitResult]) -> MetricResult {
    let judged = Judged::of(record);
    let values: Vec<f64> = record.samples.series(name, Phase::is_judged).map(|(_, v)| v).collect();
    let series = growth::series(record, name).ok();
    let mut result = MetricResult {
        source: info.source.clone(),
        samples: values.len() as u64,
        missing: (judged.rows.len() - values.len()) as u64,
        baseline: values.first().copied(),
        last: values.last().copied(),
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        endpoint_per_min: series.as_ref().and_then(endpoint::of),
        drained: drained::left(record, name),
        ..MetricResult::default()
    };
    let Some(series) = series.filter(|s| s.len() >= 2) else {
        return result;
    };
    let bound = limits
        .iter()
        .find(|l| l.metric == name && l.rule.starts_with("growth_per_min"))
        .and_then(|l| l.bound);
    // Without a limit of its own, growth is looked at on the metric's own scale.
    let bound = bound.filter(|b| *b > 0.0).unwrap_or(info.quantum.max(1.0));
    let question = growth::question(record, name, bound, Look::Final);
    let answer = assess(&series, &question);
    result.growth_per_min = interval(&answer);
    result.shape = shape(&answer, info.unit);
    result.smallest_late_leak_per_min = answer.smallest_late_leak.map(|l| l.per_min);
    if name != "rotations"
        && let Some(rotations) = growth::rotations(record, name)
    {
        result.per_rotation = interval(&assess_per_rotation(&series, &rotations, &question));
    }
    result
}

fn interval(answer: &Answer) -> Option<Growth> {
    let growth = answer.growth.as_ref()?;
    Some(Growth {
        estimate: growth.estimate,
        low: growth.low,
        high: growth.high,
    })
}

/// The dominant form in words.
fn shape(answer: &Answer, unit: &str) -> Option<String> {
    let size = |x: f64| {
        if unit == "B" {
            format!("{:+.2} MiB", x / 1_048_576.0)
        } else {
            format!("{}{}", if x > 0.0 { "+" } else { "" }, number(x))
        }
    };
    Some(match answer.shapes.first()?.form {
        Form::Flat => "flat".into(),
        Form::Ramp => "a steady ramp".into(),
        Form::Step { size: by, at_s } => format!("a step of {} at {at_s:.0} s that stayed", size(by)),
        Form::TwoSteps {
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
        Form::LateOnset { at_s, .. } => format!("growth that began at {at_s:.0} s"),
        Form::StoppedGrowing { at_s, .. } => format!("growth that ended at {at_s:.0} s"),
        Form::WarmUp {
            size: by,
            time_constant_s,
        } => format!("a warm-up of {} within about {:.0} s", size(by), 3.0 * time_constant_s),
        Form::WarmUpAndStep {
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
        Form::Sawtooth { swing, period_s } => format!("a sawtooth of {} every {period_s:.0} s", number(swing)),
    })
}

/// Growth inside its limit that is certainly growth all the same.
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
                let unit = infos.get(&l.metric).map_or("", |i| i.unit);
                let rate = amount(growth.estimate, unit);
                let message = format!(
                    "`{}` grows by {rate} a minute: inside its limit, but not nothing",
                    l.metric
                );
                Reason::of(ReasonCode::Straddles, l.metric.clone(), message)
            })
        })
        .collect()
}
