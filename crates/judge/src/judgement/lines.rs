//! Limits on the line check.

use leakcheck_model::Record;
use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::limit::{compared, invalid};

/// `lost == 0`, `delivered >= 99% of expected`.
#[expect(clippy::cast_precision_loss, reason = "2^53 lines are never sent")]
pub(super) fn judge(record: &Record, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(lines) = &record.facts.lines else {
        let message = "the lines were not checked: the run did not come to its end";
        return invalid(result, Reason::of(ReasonCode::LinesUnaccounted, "lines", message));
    };
    let (what, measured) = match rule.statistic {
        Statistic::Lost => ("lines lost", lines.lost),
        Statistic::Duplicated => ("lines repeated", lines.duplicated),
        Statistic::Reordered => ("lines out of order", lines.reordered),
        Statistic::Torn => ("lines torn", lines.torn),
        _ => ("lines delivered", lines.delivered),
    };
    let bound = match rule.bound {
        Bound::Number(bound) => bound,
        Bound::OfExpected(share) => share * lines.sent as f64,
    };
    let code = if rule.comparison.is_ceiling() || rule.statistic != Statistic::Delivered {
        ReasonCode::LimitExceeded
    } else {
        ReasonCode::FloorMissed
    };
    let judged = compared(
        result,
        rule,
        measured as f64,
        bound,
        code,
        &format!("the number of {what}"),
    );
    // What was seen to be wrong is wrong; what looks right is so only if every line is accounted for.
    if judged.outcome == Verdict::Pass && lines.unaccounted > 0 {
        let message = format!(
            "of {} emitters nobody knows how many lines they sent",
            lines.unaccounted
        );
        return invalid(judged, Reason::of(ReasonCode::LinesUnaccounted, "lines", message));
    }
    if judged.outcome == Verdict::Pass && lines.sent == 0 {
        return invalid(
            judged,
            Reason::of(
                ReasonCode::LoadNotDelivered,
                "lines",
                "no line was sent, so none could be lost",
            ),
        );
    }
    judged
}
