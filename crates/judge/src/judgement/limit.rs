//! One limit: a check that the data could show a leak, then the statistic.

use leakcheck_model::format::number;
use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::context::JudgementContext;
use super::limit_result::{empty, invalid};
use super::{counter, drained, endpoint_rate, growth, level, lines, net_growth, stale_metrics};

/// Minimum share of the samples that must contain the metric.
const MIN_SAMPLED_SHARE: f64 = 0.95;

/// Minimum number of containers added by the load for a constant metric to be suspicious.
const MIN_ADDED_CONTAINERS: f64 = 3.0;

/// Judges one limit.
pub(super) fn judge(context: &JudgementContext, metric: &str, rule: &Limit) -> LimitResult {
    let record = context.record;
    let result = empty(metric, rule);
    if metric == "lines" {
        return lines::judge(record, rule, result);
    }
    if let Some(reason) = missing_data(context, metric, rule) {
        return invalid(result, reason);
    }
    let judged = by_statistic(context, metric, rule, result);
    let scraped = record.metrics.get(metric).is_some_and(|info| info.source == "metrics");
    if judged.outcome == Verdict::Pass
        && scraped
        && let Some(since_s) = stale_metrics::unchanged_since_s(context)
    {
        let message = format!(
            "nothing on the target's /metrics has changed since {since_s:.0} s, though work was counted before and the load went on"
        );
        return invalid(judged, Reason::of(ReasonCode::MetricStuck, metric, message));
    }
    judged
}

fn by_statistic(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let record = context.record;
    match rule.statistic {
        Statistic::GrowthPerMin => growth::per_minute(context, metric, rule, result),
        Statistic::PerRotation => growth::per_rotation(context, metric, rule, result),
        Statistic::Growth => net_growth::judge(context, metric, rule, result),
        Statistic::EndpointPerMin => endpoint_rate::judge(context, metric, rule, result),
        Statistic::Min | Statistic::Max | Statistic::Mean | Statistic::Last => {
            level::judge(record, metric, rule, result)
        }
        Statistic::Increase | Statistic::RatePerMin => counter::judge(context, metric, rule, result),
        Statistic::Drained => drained::judge(record, metric, rule, result),
        Statistic::Lost | Statistic::Duplicated | Statistic::Reordered | Statistic::Torn | Statistic::Delivered => {
            let message = format!(
                "`{}` is a statistic of `lines`, not of `{metric}`",
                rule.statistic.name()
            );
            invalid(result, Reason::of(ReasonCode::NotComputable, metric, message))
        }
    }
}

/// Returns the reason why the metric could not have shown a leak: it is absent, sparse or stuck.
fn missing_data(context: &JudgementContext, metric: &str, rule: &Limit) -> Option<Reason> {
    let JudgementContext { record, judged, .. } = context;
    let whole_run = rule.statistic == Statistic::Drained;
    let column = record.samples.column(metric);
    let planned = judged.rows.len();
    let seen = match context.series(metric) {
        Ok(series) => series.len(),
        Err(_) => column.map_or(0, |c| judged.rows.iter().filter(|&&i| c[i].is_some()).count()),
    };
    if planned == 0 && !whole_run {
        return Some(Reason::of(
            ReasonCode::TooShort,
            metric,
            "nothing was sampled in the judged part of the run",
        ));
    }
    let source = record.metrics.get(metric).map_or("", |m| m.source.as_str());
    if seen == 0 && (!whole_run || column.is_none_or(|c| c.iter().all(Option::is_none))) {
        let message = match source {
            "metrics" => format!(
                "`{metric}` never appeared on the target's /metrics, so it could not show a leak (it is not read as 0)"
            ),
            _ => format!("`{metric}` was never seen, so it could not show a leak (it is not read as 0)"),
        };
        return Some(Reason::of(ReasonCode::MetricAbsent, metric, message));
    }
    if (seen as f64) < MIN_SAMPLED_SHARE * planned as f64 {
        let message = format!("`{metric}` was seen in {seen} of {planned} samples; 95 % are needed");
        return Some(Reason::of(ReasonCode::MetricSparse, metric, message));
    }
    stuck(record, metric, column?)
}

/// Returns a reason if the load is known to change the metric, but the metric stayed constant under load.
fn stuck(record: &Record, metric: &str, column: &[Option<f64>]) -> Option<Reason> {
    if !record.metrics.get(metric)?.moves_with_load {
        return None;
    }
    let containers = record.samples.column("containers")?;
    let idle = record
        .samples
        .rows(|p| p == Phase::Idle)
        .filter_map(|i| containers[i])
        .fold(f64::INFINITY, f64::min);
    let most = containers.iter().flatten().copied().fold(0.0, f64::max);
    let mut values = column.iter().flatten();
    let first = values.next()?;
    let constant = values.all(|v| (v - first).abs() < f64::EPSILON);
    (constant && idle.is_finite() && most - idle >= MIN_ADDED_CONTAINERS).then(|| {
        let message = format!(
            "`{metric}` was {} throughout, though {} containers came and each costs something: the metric does not move",
            number(*first),
            number(most - idle)
        );
        Reason::of(ReasonCode::MetricStuck, metric, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    fn outcome_of(builder: RunBuilder, rule: &str) -> (Verdict, Option<ReasonCode>, String) {
        let limit = judged(&builder.limit("fds", rule).record()).limits.remove(0);
        let message = limit.reason.as_ref().map_or(String::new(), |r| r.message.clone());
        (limit.outcome, limit.reason.map(|r| r.code), message)
    }

    fn seen_in(missed: f64) -> (Verdict, Option<ReasonCode>, String) {
        // 61 samples in the judged part.
        outcome_of(
            RunBuilder::run(60, 5).metric("fds", move |t| (t < 0.0 || t >= missed).then_some(40.0)),
            "max < 100",
        )
    }

    #[test]
    fn a_metric_must_be_seen_in_nineteen_of_twenty_samples() {
        assert_eq!(seen_in(0.0).0, Verdict::Pass);
        // 58 of 61 are 95.1 %, 57 are 93.4 %.
        assert_eq!(seen_in(3.0).0, Verdict::Pass);
        let (outcome, code, message) = seen_in(4.0);
        assert_eq!((outcome, code), (Verdict::Invalid, Some(ReasonCode::MetricSparse)));
        assert_eq!(message, "`fds` was seen in 57 of 61 samples; 95 % are needed");
    }

    #[test]
    fn a_metric_that_never_appeared_is_absent_and_not_zero() {
        let (outcome, code, message) = outcome_of(RunBuilder::run(60, 5).metric("fds", |_| None), "max < 100");
        assert_eq!((outcome, code), (Verdict::Invalid, Some(ReasonCode::MetricAbsent)));
        assert!(message.contains("/metrics"), "{message}");
        let of_proc = RunBuilder::run(60, 5).metric("fds", |_| None).with(|r| {
            r.metrics.get_mut("fds").expect("there").source = "proc".into();
        });
        assert!(outcome_of(of_proc, "max < 100").2.starts_with("`fds` was never seen"));
        let nowhere = outcome_of(RunBuilder::run(60, 5), "max < 100");
        assert_eq!(nowhere.1, Some(ReasonCode::MetricAbsent));
        // Values before and after the load say nothing about the judged part, but are all that `drained` needs.
        let outside = || RunBuilder::run(60, 5).metric("fds", |t| (!(0.0..=60.0).contains(&t)).then_some(40.0));
        assert_eq!(outcome_of(outside(), "max < 100").1, Some(ReasonCode::MetricAbsent));
        assert_eq!(outcome_of(outside(), "drained <= 2").1, Some(ReasonCode::MetricSparse));
        assert_eq!(
            outcome_of(RunBuilder::run(60, 5).metric("fds", |_| None), "drained <= 2").1,
            Some(ReasonCode::MetricAbsent)
        );
    }

    #[test]
    fn a_run_in_which_nothing_was_judged_is_too_short() {
        let nothing = || {
            RunBuilder::run(60, 5)
                .metric("fds", |_| Some(40.0))
                .without(Phase::Measure)
        };
        assert_eq!(outcome_of(nothing(), "max < 100").1, Some(ReasonCode::TooShort));
        // The level after the load is known nevertheless.
        assert_eq!(outcome_of(nothing(), "drained <= 2").0, Verdict::Pass);
    }

    #[test]
    fn a_metric_that_load_moves_and_that_did_not_move_is_stuck() {
        let still = |containers: u64, moves: bool, value: fn(f64) -> f64| {
            let builder = RunBuilder::run(60, containers).metric("fds", move |t| Some(value(t)));
            outcome_of(
                builder.with(|r| r.metrics.get_mut("fds").expect("there").moves_with_load = moves),
                "max < 100",
            )
        };
        let (outcome, code, message) = still(5, true, |_| 40.0);
        assert_eq!((outcome, code), (Verdict::Invalid, Some(ReasonCode::MetricStuck)));
        assert!(
            message.starts_with("`fds` was 40 throughout, though 5 containers came"),
            "{message}"
        );
        // Three containers are enough, two are not, and not every metric changes with load.
        assert_eq!(still(3, true, |_| 40.0).0, Verdict::Invalid);
        assert_eq!(still(2, true, |_| 40.0).0, Verdict::Pass);
        assert_eq!(still(5, false, |_| 40.0).0, Verdict::Pass);
        assert_eq!(still(5, true, |t| if t < 0.0 { 40.0 } else { 45.0 }).0, Verdict::Pass);
        let never_idle = RunBuilder::run(60, 5)
            .metric("fds", |_| Some(40.0))
            .with(|r| r.metrics.get_mut("fds").expect("there").moves_with_load = true)
            .without(Phase::Idle);
        assert_eq!(outcome_of(never_idle, "max < 100").0, Verdict::Pass);
    }

    #[test]
    fn statistics_of_lines_apply_to_no_metric() {
        let (outcome, code, message) = outcome_of(RunBuilder::run(60, 5).metric("fds", |_| Some(40.0)), "lost == 0");
        assert_eq!((outcome, code), (Verdict::Invalid, Some(ReasonCode::NotComputable)));
        assert_eq!(message, "`lost` is a statistic of `lines`, not of `fds`");
    }

    #[test]
    fn an_exceeded_limit_names_the_value() {
        let (outcome, code, message) = outcome_of(RunBuilder::run(60, 5).metric("fds", |_| Some(40.0)), "max < 40");
        assert_eq!((outcome, code), (Verdict::Fail, Some(ReasonCode::LimitExceeded)));
        assert_eq!(message, "the largest `fds` is 40, and the limit is < 40");
        let memory = outcome_of(
            RunBuilder::run(60, 5).metric("fds", |_| Some(3_145_728.0)),
            "max < 2 MiB",
        );
        assert_eq!(memory.2, "the largest `fds` is 3 MiB, and the limit is < 2 MiB");
    }

    #[test]
    fn the_computed_bound_is_reported() {
        // 90 % of 5 containers · 3 rotations.
        let builder = RunBuilder::run(90, 5)
            .rotating_every(30.0)
            .metric("rotations", |t| Some((t.max(0.0) / 6.0).floor()));
        let limits = judged(&builder.limit("rotations", "increase >= 90% of expected").record()).limits;
        assert_eq!((limits[0].bound, limits[0].measured), (Some(13.5), Some(15.0)));
    }

    #[test]
    fn load_is_the_number_of_added_containers() {
        // Seven before and eight under load: one more container is too few to call a metric stuck.
        let beside = |idle: f64| {
            let builder = RunBuilder::run(60, 8).metric("fds", |_| Some(40.0)).with(|r| {
                r.metrics.get_mut("fds").expect("there").moves_with_load = true;
                let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
                for (phase, n) in r.samples.phase.iter().zip(&mut r.samples.columns[at]) {
                    if *phase == Phase::Idle {
                        *n = Some(idle);
                    }
                }
            });
            outcome_of(builder, "max < 100").0
        };
        assert_eq!((beside(7.0), beside(5.0)), (Verdict::Pass, Verdict::Invalid));
    }

    #[test]
    fn a_metric_that_moved_in_its_last_digit_is_not_stuck() {
        let builder = RunBuilder::run(60, 5)
            .metric("fds", |t| Some(if t < 0.0 { 1.0 } else { 1.0 + f64::EPSILON }))
            .with(|r| r.metrics.get_mut("fds").expect("there").moves_with_load = true);
        assert_eq!(outcome_of(builder, "max < 100").0, Verdict::Pass);
    }
}
