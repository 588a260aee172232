//! Limits on a level: smallest, largest, mean and last value of the judged part.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Phase, Record};

use super::limit::{compared, invalid};

/// `min >= 53`, `max <= 57`, `mean < 3`, `last == 0`.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let values: Vec<f64> = record
        .samples
        .series(metric, Phase::is_judged)
        .map(|(_, v)| v)
        .collect();
    let (what, measured) = match rule.statistic {
        Statistic::Min => ("smallest", values.iter().copied().reduce(f64::min)),
        Statistic::Max => ("largest", values.iter().copied().reduce(f64::max)),
        Statistic::Mean => ("mean", Some(values.iter().sum::<f64>() / values.len() as f64)),
        _ => ("last", values.last().copied()),
    };
    let code = if rule.comparison.is_ceiling() {
        ReasonCode::LimitExceeded
    } else {
        ReasonCode::FloorMissed
    };
    match (measured, rule.bound) {
        (Some(measured), Bound::Number(bound)) => {
            compared(result, rule, measured, bound, code, &format!("the {what} `{metric}`"))
        }
        _ => invalid(
            result,
            Reason::of(
                ReasonCode::NotComputable,
                metric,
                format!("`{rule}` cannot be computed"),
            ),
        ),
    }
}
