//! Limits on counters: increase, rate, and the expected number of rotations.

use leakcheck_model::format::number;
use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::scenario::ROTATIONS_MIN;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::context::JudgementContext;
use super::limit_result::{compared, invalid};
use super::rotations::{self, increase, planned, whole};
use crate::test_spec::Analysis;

/// Periods of rotation after which a floor may fail before the end of the run.
const MIN_PERIODS: f64 = 3.0;

/// Returns the smallest number of rotations of a container and the number due, if one container stopped although the
/// total is sufficient. Injected faults delay rotations, so a run with faults is not checked.
fn stopped_container(context: &JudgementContext, share: f64) -> Option<(f64, f64)> {
    let record = context.record;
    let (_, period_s) = planned(record)?;
    rotations::steady_containers(record, &context.judged).filter(|_| record.facts.faults.is_empty())?;
    let least = increase(record, ROTATIONS_MIN)?;
    let due = whole(period_s, context.judged.length_s());
    // The first and the last rotation may lie outside the judged part.
    (least < (share * due).floor() - 1.0).then_some((least, due))
}

/// Judges a limit such as `increase >= 90% of expected`, `increase < 5` or `rate_per_min >= 100`.
pub(super) fn judge(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let JudgementContext {
        record,
        judged,
        analysis,
        ..
    } = context;
    let Some(increase) = increase(record, metric) else {
        return invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "one sample has no increase"),
        );
    };
    let floor = !rule.comparison.is_ceiling();
    // A run that ended early may miss a floor because of the time at which it ended, so only a certain miss counts.
    let cut_short = record.plan.is_some() && (record.facts.is_cut_short() || record.facts.saved_s.is_some());
    if floor && (*analysis == Analysis::Interim || cut_short) {
        return interim_floor(context, metric, rule, increase, result);
    }
    let minutes = (judged.to_s - judged.from_s) / 60.0;
    let (what, measured) = match rule.statistic {
        Statistic::RatePerMin if minutes > 0.0 => ("rate per minute", increase / minutes),
        Statistic::RatePerMin => {
            return invalid(
                result,
                Reason::of(ReasonCode::TooShort, metric, "one sample has no rate"),
            );
        }
        _ => ("increase", increase),
    };
    let what = format!("the {what} of `{metric}`");
    let code = if floor {
        ReasonCode::FloorMissed
    } else {
        ReasonCode::LimitExceeded
    };
    match rule.bound {
        Bound::Number(bound) => compared(result, rule, measured, bound, code, &what),
        Bound::OfExpected(share) => of_expected(context, metric, rule, share, measured, result),
    }
}

/// Judges a limit such as `increase >= 90% of expected`, for the total and for the container with the fewest
/// rotations.
fn of_expected(
    context: &JudgementContext,
    metric: &str,
    rule: &Limit,
    share: f64,
    measured: f64,
    result: LimitResult,
) -> LimitResult {
    let Some(expected) = rotations::expected(context.record, &context.judged) else {
        let message = "how many to expect is not known: set [target] rotate_every, and give it a load to follow";
        return invalid(result, Reason::of(ReasonCode::NotComputable, metric, message));
    };
    if expected < 1.0 {
        let message = "no whole rotation was due in the judged part, so none could be missing: measure longer";
        return invalid(result, Reason::of(ReasonCode::TooFewRotations, metric, message));
    }
    let mut judged = compared(
        result,
        rule,
        measured,
        share * expected,
        ReasonCode::FloorMissed,
        metric,
    );
    let missed = if judged.outcome != Verdict::Pass {
        Some(format!(
            "{} of {} expected {metric} were seen; the limit is {}",
            number(measured),
            number(expected),
            rule.text
        ))
    } else {
        stopped_container(context, share)
            .filter(|_| metric == "rotations")
            .map(|(least, due)| {
                format!(
                    "a container made only {} of {} rotations, though all together made enough; the limit is {}",
                    number(least),
                    number(due),
                    rule.text
                )
            })
    };
    if let Some(message) = missed {
        judged.outcome = Verdict::Fail;
        judged.reason = Some(Reason::of(ReasonCode::FloorMissed, metric, message));
    }
    judged
}

/// Judges a floor before the end of the run: it fails if the rest of the run cannot reach it any more.
fn interim_floor(
    context: &JudgementContext,
    metric: &str,
    rule: &Limit,
    increase: f64,
    result: LimitResult,
) -> LimitResult {
    let JudgementContext { record, judged, .. } = context;
    let undecided = LimitResult {
        measured: Some(increase),
        outcome: Verdict::Inconclusive,
        ..result
    };
    let (Bound::OfExpected(share), Some(plan), Some((containers, period_s))) =
        (rule.bound, &record.plan, planned(record))
    else {
        return undecided;
    };
    let so_far = judged.length_s();
    // A rest of two and a half periods has up to three rotations.
    let rest_s = (plan.measure_s - so_far).max(0.0);
    let rest = if rest_s > 0.0 {
        containers * (whole(period_s, rest_s) + 1.0)
    } else {
        0.0
    };
    let bound = share * containers * whole(period_s, plan.measure_s);
    if so_far < MIN_PERIODS * period_s || increase + rest >= bound {
        return undecided;
    }
    let message = format!(
        "only {} of {} expected {metric} in {so_far:.0} s; even a faultless rest could not reach `{}` any more",
        number(increase),
        number(containers * whole(period_s, so_far)),
        rule.text
    );
    LimitResult {
        bound: Some(bound),
        outcome: Verdict::Fail,
        reason: Some(Reason::of(ReasonCode::FloorMissed, metric, message)),
        ..undecided
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_model::Record;
    use leakcheck_model::facts::FaultSpan;

    use super::*;
    use crate::judgement::judge::{certain_failures, judge as judged};
    use crate::judgement::judged_part::JudgedPart;
    use crate::judgement::tests::test_support::RunBuilder;

    const FLOOR: &str = "increase >= 90% of expected";

    fn expected_rotations(record: &Record) -> Option<f64> {
        rotations::expected(record, &JudgedPart::of(record))
    }

    /// A run with ten containers that rotate every `period_s`, `stopped` of which stop after their first rotation.
    fn rotating(seconds: u32, period_s: f64, stopped: f64) -> RunBuilder {
        let of_one = move |t: f64| (t.max(0.0) / period_s).floor();
        RunBuilder::run(seconds, 10)
            .rotating_every(period_s)
            .metric("rotations", move |t| {
                Some((10.0 - stopped) * of_one(t) + stopped * of_one(t).min(1.0))
            })
            .metric(ROTATIONS_MIN, move |t| {
                Some(if stopped > 0.0 { of_one(t).min(1.0) } else { of_one(t) })
            })
    }

    fn outcome(builder: RunBuilder, rule: &str) -> (Verdict, Option<ReasonCode>) {
        let limit = judged(&builder.limit("rotations", rule).record()).limits.remove(0);
        (limit.outcome, limit.reason.map(|r| r.code))
    }

    #[test]
    fn whole_rotations_of_each_container_are_expected() {
        // 120 s / 45 s: two of each; a partial rotation does not count.
        let record = rotating(120, 45.0, 0.0).record();
        assert_eq!(expected_rotations(&record), Some(20.0));
        assert_eq!(outcome(rotating(120, 45.0, 0.0), FLOOR), (Verdict::Pass, None));
        assert_eq!(expected_rotations(&rotating(300, 30.0, 0.0).record()), Some(100.0));
        assert_eq!(expected_rotations(&RunBuilder::run(300, 10).record()), None);
    }

    #[test]
    fn five_containers_that_stopped_are_missed_and_so_is_one() {
        let missed = (Verdict::Fail, Some(ReasonCode::FloorMissed));
        // Five of ten: 55 of 100. One of ten: 91 of 100, which is nine tenths of the total, but not for each
        // container.
        assert_eq!(outcome(rotating(300, 30.0, 5.0), FLOOR), missed);
        assert_eq!(outcome(rotating(300, 30.0, 1.0), FLOOR), missed);
        assert_eq!(outcome(rotating(300, 30.0, 0.0), FLOOR), (Verdict::Pass, None));
        // An injected fault delays rotations.
        let broken = rotating(300, 30.0, 1.0).with(|record| {
            record.facts.faults.push(FaultSpan {
                index: 0,
                what: "stall".into(),
                from_s: 10.0,
                to_s: Some(20.0),
                hits: Some(1),
            });
        });
        assert_eq!(outcome(broken, FLOOR), (Verdict::Pass, None));
    }

    #[test]
    fn one_may_lag_by_a_rotation() {
        let lagging = |least: f64| {
            RunBuilder::run(300, 10)
                .rotating_every(30.0)
                .metric("rotations", |t| Some(100.0 * (t.max(0.0) / 300.0)))
                .metric(ROTATIONS_MIN, move |t| Some(least * (t.max(0.0) / 300.0)))
        };
        assert_eq!(outcome(lagging(8.0), FLOOR).0, Verdict::Pass);
        assert_eq!(outcome(lagging(7.9), FLOOR).0, Verdict::Fail);
    }

    #[test]
    fn a_floor_that_nothing_could_miss_is_invalid() {
        let too_few = (Verdict::Invalid, Some(ReasonCode::TooFewRotations));
        assert_eq!(outcome(rotating(120, 130.0, 0.0), FLOOR), too_few);
        let empty = RunBuilder::run(300, 0)
            .rotating_every(30.0)
            .metric("rotations", |_| Some(0.0));
        assert_eq!(
            outcome(empty, FLOOR),
            (Verdict::Invalid, Some(ReasonCode::NotComputable))
        );
    }

    #[test]
    fn counters_have_an_increase_and_a_rate() {
        let counting = || RunBuilder::run(120, 1).metric("rotations", |t| Some(100.0 + t));
        for (rule, expected) in [
            ("increase >= 120", Verdict::Pass),
            ("increase >= 121", Verdict::Fail),
            ("increase < 121", Verdict::Pass),
            ("increase < 120", Verdict::Fail),
            ("rate_per_min >= 60", Verdict::Pass),
            ("rate_per_min > 60", Verdict::Fail),
            ("rate_per_min <= 60", Verdict::Pass),
        ] {
            assert_eq!(outcome(counting(), rule).0, expected, "{rule}");
        }
        assert_eq!(outcome(counting(), "increase < 120").1, Some(ReasonCode::LimitExceeded));
        assert_eq!(outcome(counting(), "increase >= 121").1, Some(ReasonCode::FloorMissed));
        let once = || RunBuilder::run(0, 1).metric("rotations", |_| Some(5.0));
        assert_eq!(outcome(once(), "rate_per_min > 60").1, Some(ReasonCode::TooShort));
    }

    #[test]
    fn a_floor_fails_early_only_if_the_rest_cannot_reach_it() {
        // Ten containers, 30 min, every 300 s: 60 are expected and 54 needed. All stop after the first rotation.
        let after = |seconds: u32, each: f64| {
            let builder = RunBuilder::run(1800, 10)
                .rotating_every(300.0)
                .metric("rotations", move |t| {
                    Some(10.0 * (t.max(0.0) / 300.0).floor().min(each))
                })
                .limit("rotations", FLOOR)
                .cut_at(f64::from(seconds));
            certain_failures(&builder.record())
        };
        // At 899 s the rest may have three rotations and one at its start; three periods must be over.
        assert_eq!((after(898, 1.0).len(), after(899, 1.0).len()), (0, 1));
        let fails = after(900, 1.0);
        assert_eq!(fails.len(), 1);
        assert_eq!((fails[0].bound, fails[0].measured), (Some(54.0), Some(10.0)));
        let message = &fails[0].reason.as_ref().expect("a fail has a reason").message;
        assert!(
            message.starts_with("only 10 of 30 expected rotations in 901 s"),
            "{message}"
        );
        assert_eq!(after(900, 99.0).len(), 0);
    }

    #[test]
    fn of_a_run_that_was_cut_short_only_what_is_certain_counts() {
        let cut = rotating(300, 30.0, 0.0)
            .cut_at(60.0)
            .with(|record| record.facts.finished = false);
        assert_eq!(outcome(cut, FLOOR), (Verdict::Inconclusive, None));
        let early = rotating(300, 30.0, 0.0)
            .cut_at(60.0)
            .with(|record| record.facts.saved_s = Some(240.0));
        assert_eq!(outcome(early, FLOOR), (Verdict::Inconclusive, None));
    }

    #[test]
    fn without_containers_nothing_is_planned() {
        let empty = RunBuilder::run(300, 0).rotating_every(30.0).with(|r| {
            r.plan.as_mut().expect("a plan").rotations_per_s = Some(1.0);
        });
        assert_eq!(expected_rotations(&empty.record()), None);
    }

    #[test]
    fn one_rotation_of_one_container_can_be_missed() {
        let of = |rotations: f64| {
            let builder = RunBuilder::run(60, 1).rotating_every(60.0);
            outcome(
                builder.metric("rotations", move |t| Some(if t < 60.0 { 0.0 } else { rotations })),
                FLOOR,
            )
            .0
        };
        assert_eq!((of(1.0), of(0.0)), (Verdict::Pass, Verdict::Fail));
    }

    #[test]
    fn a_rate_is_counted_from_the_first_sample() {
        let late = RunBuilder::run(120, 1)
            .metric("rotations", |t| Some(100.0 + t))
            .with(|r| r.samples.t_s.iter_mut().for_each(|t| *t += 5000.0));
        let limit = judged(&late.limit("rotations", "rate_per_min >= 60").record())
            .limits
            .remove(0);
        assert_eq!((limit.outcome, limit.measured), (Verdict::Pass, Some(60.0)));
    }

    #[test]
    fn a_run_that_has_nothing_left_has_no_rest_to_catch_up_in() {
        // 85 of 100, 90 needed; the run was cut short only after the whole judged part.
        let builder = RunBuilder::run(300, 10)
            .rotating_every(30.0)
            .metric("rotations", |t| Some((t.max(0.0) * 85.0 / 300.0).floor()))
            .with(|r| r.facts.finished = false);
        assert_eq!(outcome(builder, FLOOR), (Verdict::Fail, Some(ReasonCode::FloorMissed)));
    }
}
