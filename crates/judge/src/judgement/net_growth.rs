//! Limits on net growth, robust at both ends.

use leakcheck_model::format::number;
use leakcheck_model::limit::Limit;
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::context::JudgementContext;
use super::growth::{ceiling, no_baseline, not_a_ceiling};
use super::limit_result::{compared, invalid};
use crate::assessment::{Assessment, Code, Outcome};
use crate::net_growth::{net_growth, risen_from_lowest};
use crate::series::Series;

/// Makes a pass inconclusive if the value still falls, or if it fell and has since grown beyond the budget.
fn within_budget(judged: LimitResult, metric: &str, series: &Series, assessment: &Assessment) -> LimitResult {
    if assessment.reason.code == Code::StillFalling {
        return no_baseline(judged, metric);
    }
    let risen = risen_from_lowest(series).unwrap_or(0.0);
    if assessment.outcome != Outcome::Fail || judged.bound.is_none_or(|bound| risen < bound) {
        return judged;
    }
    let message = format!(
        "`{metric}` fell and has grown by {} since: within the budget only because it fell",
        number(risen)
    );
    LimitResult {
        outcome: Verdict::Inconclusive,
        reason: Some(Reason::of(ReasonCode::Straddles, metric, message)),
        ..judged
    }
}

/// Judges a limit such as `growth < 50`. A level that rose once and stayed is over the budget, but no leak.
pub(super) fn judge(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    let series = match context.series(metric) {
        Ok(series) => series,
        Err(reason) => return invalid(result, reason),
    };
    let Some(net) = net_growth(&series) else {
        return invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "too few samples for a net growth"),
        );
    };
    let judged = compared(
        result,
        rule,
        net,
        bound,
        ReasonCode::LimitExceeded,
        &format!("net growth of `{metric}`"),
    );
    let minutes = context.judged.length_s() / 60.0;
    if minutes <= 0.0 {
        return judged;
    }
    let Ok(assessment) = context.per_minute(metric, bound / minutes) else {
        return judged;
    };
    if judged.outcome == Verdict::Pass {
        return within_budget(judged, metric, &series, &assessment);
    }
    // Over the budget: a leak if the value still grows, else a level that rose once.
    if !assessment.growing {
        let message = format!(
            "`{metric}` rose by {} and stays there: more than the budget of {}, but not a leak",
            number(net),
            number(bound)
        );
        let reason = Some(Reason::of(ReasonCode::OverBudget, metric, message));
        return LimitResult {
            outcome: Verdict::Inconclusive,
            reason,
            ..judged
        };
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    #[test]
    fn a_budget_is_kept_unless_a_leak_is_seen_that_has_outgrown_it() {
        // |i − 50| rose by 40 from its lowest tenth to its last.
        let times = (0..100).map(f64::from).collect();
        let valley = Series::new(times, (0..100).map(|i: i32| f64::from((i - 50).abs())).collect()).expect("a series");
        let of = |outcome: Outcome, bound: f64| {
            let record = RunBuilder::run(60, 5)
                .metric("fds", |_| Some(40.0))
                .limit("fds", "growth < 50")
                .record();
            let mut limit = judged(&record).limits.remove(0);
            (limit.outcome, limit.bound) = (Verdict::Pass, Some(bound));
            let assessment = Assessment::without_figures(outcome, Code::LimitExceeded, String::new());
            within_budget(limit, "fds", &valley, &assessment).outcome
        };
        assert_eq!(
            [41.0, 40.0, 30.0].map(|bound| of(Outcome::Fail, bound)),
            [Verdict::Pass, Verdict::Inconclusive, Verdict::Inconclusive]
        );
        assert_eq!(
            [41.0, 40.0, 30.0].map(|bound| of(Outcome::Inconclusive, bound)),
            [Verdict::Pass; 3]
        );
    }
}
