//! One limit: first whether the data could show anything, then the statistic.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::{Judged, counter, drained, growth, level, lines};
use crate::Look;

/// Share of the samples in which a metric must have been seen (contract: 95 %).
const SEEN: f64 = 0.95;

/// Containers that must have come for a frozen metric to be called frozen.
const ENOUGH_LOAD: f64 = 3.0;

/// What became of one limit.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, look: Look) -> LimitResult {
    let result = empty(metric, rule);
    if metric == "lines" {
        return lines::judge(record, rule, result);
    }
    if let Some(reason) = blind(record, metric, rule) {
        return invalid(result, reason);
    }
    match rule.statistic {
        Statistic::GrowthPerMin => growth::per_minute(record, metric, rule, look, result),
        Statistic::PerRotation => growth::per_rotation(record, metric, rule, look, result),
        Statistic::Growth => growth::net(record, metric, rule, result),
        Statistic::EndpointPerMin => growth::endpoint(record, metric, rule, result),
        Statistic::Min | Statistic::Max | Statistic::Mean | Statistic::Last => {
            level::judge(record, metric, rule, result)
        }
        Statistic::Increase | Statistic::RatePerMin => counter::judge(record, metric, rule, look, result),
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

fn empty(metric: &str, rule: &Limit) -> LimitResult {
    LimitResult {
        metric: metric.to_owned(),
        rule: rule.text.clone(),
        bound: match rule.bound {
            Bound::Number(number) => Some(number),
            Bound::OfExpected(_) => None,
        },
        measured: None,
        low: None,
        high: None,
        outcome: Verdict::Invalid,
        reason: None,
    }
}

/// A limit on data that could not have shown anything.
pub(super) fn invalid(result: LimitResult, reason: Reason) -> LimitResult {
    LimitResult {
        outcome: Verdict::Invalid,
        reason: Some(reason),
        ..result
    }
}

/// A limit on a plain number, kept or not.
pub(super) fn compared(
    result: LimitResult,
    rule: &Limit,
    measured: f64,
    bound: f64,
    code: ReasonCode,
    what: &str,
) -> LimitResult {
    let holds = rule.comparison.holds(measured, bound);
    let message = format!(
        "{what} is {}, and the limit is {} {}",
        amount(measured, unit(&rule.text)),
        rule.comparison.sign(),
        amount(bound, unit(&rule.text))
    );
    LimitResult {
        bound: Some(bound),
        measured: Some(measured),
        outcome: if holds { Verdict::Pass } else { Verdict::Fail },
        reason: (!holds).then(|| Reason::of(code, result.metric.clone(), message)),
        ..result
    }
}

/// The unit that a rule is written in: bytes or none.
pub(super) fn unit(rule: &str) -> &'static str {
    if rule.trim_end_matches("/min").trim_end().ends_with('B') {
        "B"
    } else {
        ""
    }
}

/// A number in its metric's unit: bytes as KiB or MiB.
pub(super) fn amount(x: f64, unit: &str) -> String {
    match unit {
        "B" if x.abs() >= 1_048_576.0 => format!("{} MiB", number(x / 1_048_576.0)),
        "B" => format!("{} KiB", number(x / 1024.0)),
        _ => number(x),
    }
}

/// A number for people: whole if it is, else with as many decimals as it needs.
pub(super) fn number(x: f64) -> String {
    let decimals = match x.abs() {
        a if (a - a.round()).abs() < 1e-9 => 0,
        a if a >= 100.0 => 1,
        a if a >= 0.1 => 2,
        _ => 4,
    };
    // No "-0": it is 0 to a reader.
    let text = format!("{x:.decimals$}");
    if text.trim_start_matches(['-', '0', '.']).is_empty() {
        "0".to_owned()
    } else {
        text
    }
}

/// Why the metric could not have shown a leak: it never appeared, or too seldom, or it does not move.
fn blind(record: &Record, metric: &str, rule: &Limit) -> Option<Reason> {
    let judged = Judged::of(record);
    let whole_run = rule.statistic == Statistic::Drained;
    let column = record.samples.column(metric);
    let planned = judged.rows.len();
    let seen = column.map_or(0, |c| judged.rows.iter().filter(|&&i| c[i].is_some()).count());
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
                "`{metric}` never appeared on the target's /metrics, so the run is blind to it (it is not read as 0)"
            ),
            _ => format!("`{metric}` was never seen, so the run is blind to it (it is not read as 0)"),
        };
        return Some(Reason::of(ReasonCode::MetricAbsent, metric, message));
    }
    if (seen as f64) < SEEN * planned as f64 {
        let message = format!("`{metric}` was seen in {seen} of {planned} samples; 95 % are needed");
        return Some(Reason::of(ReasonCode::MetricSparse, metric, message));
    }
    stuck(record, metric, column?)
}

/// A metric that load is known to move, and that stayed frozen while the load came.
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
    let frozen = values.all(|v| (v - first).abs() < f64::EPSILON);
    (frozen && idle.is_finite() && most - idle >= ENOUGH_LOAD).then(|| {
        let message = format!(
            "`{metric}` was {} throughout, though {} containers came and each costs something: the metric does not move",
            number(*first),
            number(most - idle)
        );
        Reason::of(ReasonCode::MetricStuck, metric, message)
    })
}
