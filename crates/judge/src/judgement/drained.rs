//! The drain check: after the load is gone, does the target come back to where it began?

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Phase, Record};

use super::limit::{compared, invalid};

/// Samples at the end of each phase whose median is its level.
const TAIL: usize = 3;

/// Level after the load was gone less the level before it came; `None` if one of them was not seen.
pub(super) fn drained(record: &Record, metric: &str) -> Option<f64> {
    let level = |phase| {
        let values: Vec<f64> = record.samples.series(metric, |p| p == phase).map(|(_, v)| v).collect();
        crate::median::median_of(&mut values[values.len().saturating_sub(TAIL)..].to_vec())
    };
    // A target that was started after the load has no level without load: then it may end no higher than it was with it.
    let before = level(Phase::Idle).or_else(|| {
        let (_, first) = record.samples.series(metric, Phase::is_judged).next()?;
        Some(first)
    });
    Some(level(Phase::Drain)? - before?)
}

/// `drained <= 2`.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    match (drained(record, metric), rule.bound) {
        (Some(left), Bound::Number(bound)) => {
            let what = format!("after the load was gone, what was left of `{metric}` above its level before the load");
            compared(result, rule, left, bound, ReasonCode::NotDrained, &what)
        }
        _ => {
            let message =
                format!("`{metric}` was not seen after the load was gone, so whether it drained is not known");
            invalid(result, Reason::of(ReasonCode::NotComputable, metric, message))
        }
    }
}
