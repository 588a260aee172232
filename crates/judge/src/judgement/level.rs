//! Limits on a level: minimum, maximum, mean and last value of the judged part.

use leakcheck_model::Record;
use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode};

use super::judged_part::values;
use super::limit_result::{compared, invalid};

/// Judges a limit such as `min >= 53`, `max <= 57`, `mean < 3` or `last == 0`.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let values = values(record, metric);
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

#[cfg(test)]
mod tests {
    use leakcheck_model::verdict::Verdict;

    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    #[test]
    fn levels_are_those_of_the_judged_part() {
        // 0 to 60 and back; 500 before and after.
        let outcome_of = |rule: &str| {
            let builder = RunBuilder::run(120, 5).metric("streams", |t| {
                Some(if (0.0..=120.0).contains(&t) {
                    60.0 - (t - 60.0).abs() + 1.0
                } else {
                    500.0
                })
            });
            let limit = judged(&builder.limit("streams", rule).record()).limits.remove(0);
            (limit.outcome, limit.measured, limit.reason.map(|r| (r.code, r.message)))
        };
        for (rule, outcome, measured) in [
            ("min >= 1", Verdict::Pass, 1.0),
            ("min >= 2", Verdict::Fail, 1.0),
            ("max <= 61", Verdict::Pass, 61.0),
            ("max < 61", Verdict::Fail, 61.0),
            ("last == 1", Verdict::Pass, 1.0),
            ("last > 1", Verdict::Fail, 1.0),
        ] {
            let (got, value, _) = outcome_of(rule);
            assert_eq!((got, value), (outcome, Some(measured)), "{rule}");
        }
        // Twice 1 … 60 and 61: 3721 over 121.
        let (_, mean, _) = outcome_of("mean < 100");
        assert!((mean.expect("known") - 3721.0 / 121.0).abs() < 1e-9, "{mean:?}");
        let reason = |rule: &str| outcome_of(rule).2.expect("a reason");
        assert_eq!(reason("min >= 2").0, ReasonCode::FloorMissed);
        assert_eq!(reason("max < 61").0, ReasonCode::LimitExceeded);
        assert!(reason("min >= 2").1.starts_with("the smallest `streams` is 1"));
        assert!(reason("max < 61").1.starts_with("the largest"));
        assert!(reason("mean < 1").1.starts_with("the mean"));
        assert!(reason("last > 1").1.starts_with("the last"));
        assert_eq!(reason("min >= 90% of expected").0, ReasonCode::NotComputable);
    }
}
