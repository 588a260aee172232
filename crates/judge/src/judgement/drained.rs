//! The drain check: after the load is gone, does the target come back to where it began?

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::limit::{compared, invalid};
use crate::drain::{Drained, drained as left_after};
use crate::{Outcome, Series};

/// Level after the load was gone against the level before it came; `None` if one of them was not seen.
fn measure(record: &Record, metric: &str, allowed: f64) -> Option<Drained> {
    let of = |wanted: &dyn Fn(Phase) -> bool| {
        let (t, v) = record.samples.series(metric, wanted).unzip();
        Series::new(t, v).ok()
    };
    // A target that was started after the load has no level without load: then it may end no higher than it was at its baseline.
    let idle = of(&|p| p == Phase::Idle)?;
    let before = if idle.is_empty() {
        let first = record.samples.rows(Phase::is_judged).next()?;
        let (from, to) = (record.samples.t_s[first], record.samples.t_s[first] + 10.0);
        of(&Phase::is_judged)?.since(from).until(to)
    } else {
        idle
    };
    let measured = left_after(&before, &of(&|p| p == Phase::Drain)?, allowed);
    (measured.outcome != Outcome::Invalid).then_some(measured)
}

/// Level after the load was gone less the level before it; `None` if one of them was not seen.
pub(super) fn left(record: &Record, metric: &str) -> Option<f64> {
    measure(record, metric, 0.0).map(|m| m.left)
}

/// `drained <= 2`.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Bound::Number(bound) = rule.bound else {
        return invalid(
            result,
            Reason::of(
                ReasonCode::NotComputable,
                metric,
                format!("`{rule}` cannot be computed"),
            ),
        );
    };
    let Some(measured) = measure(record, metric, bound) else {
        let message = format!("`{metric}` was not seen before or after the load, so whether it drained is not known");
        return invalid(result, Reason::of(ReasonCode::NotComputable, metric, message));
    };
    let what = format!("after the load was gone, what was left of `{metric}` above its level before the load");
    let (low, high) = (
        measured.left - measured.uncertainty,
        measured.left + measured.uncertainty,
    );
    let mut told = compared(result, rule, measured.left, bound, ReasonCode::NotDrained, &what);
    (told.low, told.high) = (Some(low), Some(high));
    // Noise at either level may hide the difference.
    if measured.outcome == Outcome::Inconclusive
        && measured.uncertainty > 0.0
        && rule.comparison.is_ceiling()
        && low < bound
        && high > bound
    {
        let message = format!(
            "{what} is between {} and {}",
            super::limit::number(low),
            super::limit::number(high)
        );
        told.outcome = Verdict::Inconclusive;
        told.reason = Some(Reason::of(ReasonCode::Straddles, metric, message));
    }
    told
}
