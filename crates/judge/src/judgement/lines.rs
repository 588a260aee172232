//! Limits on the line check.

use leakcheck_model::Record;
use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::limit_result::{compared, invalid};

/// Judges a limit such as `lost == 0` or `delivered >= 99% of expected`.
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
    // A failure stands; a pass needs every line accounted for.
    if judged.outcome == Verdict::Pass && lines.unaccounted > 0 {
        let message = format!(
            "the number of lines that {} emitters sent is unknown",
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

#[cfg(test)]
mod tests {
    use leakcheck_model::lines::LineCounts;

    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    fn outcome_of(counts: Option<LineCounts>, rule: &str) -> (Verdict, Option<ReasonCode>, Option<f64>) {
        let builder = RunBuilder::run(60, 5)
            .limit("lines", rule)
            .with(|r| r.facts.lines = counts);
        let limit = judged(&builder.record()).limits.remove(0);
        (limit.outcome, limit.reason.map(|r| r.code), limit.measured)
    }

    fn counts() -> LineCounts {
        LineCounts {
            sent: 100,
            delivered: 98,
            lost: 2,
            duplicated: 3,
            reordered: 4,
            torn: 5,
            ..LineCounts::default()
        }
    }

    #[test]
    fn each_count_is_compared_with_its_limit() {
        for (rule, measured) in [
            ("lost", 2.0),
            ("duplicated", 3.0),
            ("reordered", 4.0),
            ("torn", 5.0),
            ("delivered", 98.0),
        ] {
            let kept = outcome_of(Some(counts()), &format!("{rule} <= {measured}"));
            assert_eq!(kept, (Verdict::Pass, None, Some(measured)), "{rule}");
            let (outcome, code, _) = outcome_of(Some(counts()), &format!("{rule} < {measured}"));
            assert_eq!(
                (outcome, code),
                (Verdict::Fail, Some(ReasonCode::LimitExceeded)),
                "{rule}"
            );
        }
        let floor = |rule: &str| outcome_of(Some(counts()), rule);
        assert_eq!(floor("delivered >= 98% of expected").0, Verdict::Pass);
        assert_eq!(floor("delivered >= 99% of expected").1, Some(ReasonCode::FloorMissed));
        // A limit on lost lines is no floor of work, even if it is a lower bound.
        assert_eq!(floor("lost > 2").1, Some(ReasonCode::LimitExceeded));
    }

    #[test]
    fn unaccounted_lines_do_not_pass() {
        let (outcome, code, _) = outcome_of(None, "lost == 0");
        assert_eq!((outcome, code), (Verdict::Invalid, Some(ReasonCode::LinesUnaccounted)));
        let some = LineCounts {
            unaccounted: 1,
            ..counts()
        };
        assert_eq!(
            outcome_of(Some(some.clone()), "lost < 3").1,
            Some(ReasonCode::LinesUnaccounted)
        );
        // A failure stands.
        assert_eq!(outcome_of(Some(some), "lost == 0").0, Verdict::Fail);
        let none = outcome_of(Some(LineCounts::default()), "lost == 0");
        assert_eq!((none.0, none.1), (Verdict::Invalid, Some(ReasonCode::LoadNotDelivered)));
    }
}
