//! Limits on the endpoint rate, for comparison with the tables of the FASE case study.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::context::JudgementContext;
use super::growth::no_baseline;
use super::limit_result::{compared, invalid};
use crate::assessment::Code;
use crate::endpoint;

/// Judges a limit such as `endpoint_per_min < 2`.
pub(super) fn judge(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let rate = context.series(metric).map(|s| endpoint::series_rate_per_min(&s));
    match (rate, rule.bound) {
        (Ok(Some(rate)), Bound::Number(bound)) => {
            let what = format!("`{metric}` per minute from first to last sample");
            let judged = compared(result, rule, rate, bound, ReasonCode::LimitExceeded, &what);
            let is_ceiling = rule.comparison.is_ceiling() && bound > 0.0;
            let falls = || rate < -bound || still_falls(context, metric, bound);
            if judged.outcome == Verdict::Pass && is_ceiling && falls() {
                return no_baseline(judged, metric);
            }
            judged
        }
        (Err(reason), _) => invalid(result, reason),
        _ => invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "one sample has no rate"),
        ),
    }
}

/// True if the value still falls faster than the limit allows it to rise.
fn still_falls(context: &JudgementContext, metric: &str, bound: f64) -> bool {
    let assessment = context.per_minute(metric, bound);
    assessment.is_ok_and(|assessment| assessment.reason.code == Code::StillFalling)
}
