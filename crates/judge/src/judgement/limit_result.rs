//! The results of single limits.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

pub(super) fn empty(metric: &str, rule: &Limit) -> LimitResult {
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

/// Returns an invalid result with its reason.
pub(super) fn invalid(result: LimitResult, reason: Reason) -> LimitResult {
    LimitResult {
        outcome: Verdict::Invalid,
        reason: Some(reason),
        ..result
    }
}

/// Compares a measured number with its bound.
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
        rule.unit.format(measured),
        rule.comparison.symbol(),
        rule.unit.format(bound)
    );
    LimitResult {
        bound: Some(bound),
        measured: Some(measured),
        outcome: if holds { Verdict::Pass } else { Verdict::Fail },
        reason: (!holds).then(|| Reason::of(code, result.metric.clone(), message)),
        ..result
    }
}
