//! Limits on the drain: the level after the load compared with the level before it.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::limit_result::{compared, invalid};
use crate::assessment::Outcome;
use crate::drain::{DrainAssessment, assess_drain};
use crate::series::Series;

/// Compares the level after the load with the level before it; `None` if one of them was not sampled.
fn measure(record: &Record, metric: &str, allowed: f64) -> Option<DrainAssessment> {
    if !was_sampled(record, Phase::Idle) || !was_sampled(record, Phase::Drain) {
        return None;
    }
    let of = |wanted: Phase| {
        let (t, v) = record.samples.series(metric, |phase| phase == wanted).unzip();
        Series::new(t, v).ok()
    };
    let quantum = record.metrics.get(metric).map_or(1.0, |m| m.quantum);
    assess_drain(&of(Phase::Idle)?, &of(Phase::Drain)?, allowed, quantum)
}

fn was_sampled(record: &Record, wanted: Phase) -> bool {
    record.samples.phase.contains(&wanted)
}

/// Explains why the drain is unknown, and what to do about it.
fn unknown_reason(record: &Record, metric: &str) -> String {
    // A level under load cannot replace the level without load: it would hide a leak during the load.
    if !was_sampled(record, Phase::Idle) {
        return format!(
            "`{metric}`: the target was started after the load, so its level without load is not known: give [target] start = \
             \"before-load\", or leave this limit out"
        );
    }
    if !was_sampled(record, Phase::Drain) {
        return format!("`{metric}`: nothing was sampled after the load was gone, so whether it drained is not known");
    }
    format!("`{metric}` was not seen before or after the load, so whether it drained is not known")
}

/// Returns the level after the load minus the level before it; `None` if one of them was not sampled.
pub(super) fn residual(record: &Record, metric: &str) -> Option<f64> {
    measure(record, metric, 0.0).map(|drain| drain.residual)
}

/// Judges a limit such as `drained <= 2`.
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
        let message = unknown_reason(record, metric);
        return invalid(result, Reason::of(ReasonCode::NotComputable, metric, message));
    };
    let what = format!("after the load was gone, what was left of `{metric}` above its level before the load");
    let (low, high) = (
        measured.residual - measured.uncertainty,
        measured.residual + measured.uncertainty,
    );
    let mut judged = compared(result, rule, measured.residual, bound, ReasonCode::NotDrained, &what);
    (judged.low, judged.high) = (Some(low), Some(high));
    // Noise of either level may hide the difference.
    if measured.outcome == Outcome::Inconclusive && rule.comparison.is_ceiling() && low < bound {
        let message = format!(
            "{what} is between {} and {}",
            leakcheck_model::format::number(low),
            leakcheck_model::format::number(high)
        );
        judged.outcome = Verdict::Inconclusive;
        judged.reason = Some(Reason::of(ReasonCode::Straddles, metric, message));
    }
    judged
}

#[cfg(test)]
mod tests {
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    use super::*;

    /// The result for a metric that is 40 before the load, 95 under it, and `after` after it.
    fn left(after: impl Fn(f64) -> f64, rule: &str) -> LimitResult {
        let builder = RunBuilder::run(60, 5).metric("fds", |t| {
            Some(match t {
                t if t < -5.0 => 40.0,
                t if t <= 60.0 => 95.0,
                t => after(t),
            })
        });
        judged(&builder.limit("fds", rule).record()).limits.remove(0)
    }

    fn code(limit: &LimitResult) -> Option<ReasonCode> {
        limit.reason.as_ref().map(|r| r.code)
    }

    #[test]
    fn the_residual_is_compared_with_the_limit() {
        let sound = left(|_| 42.0, "drained <= 2");
        assert_eq!(
            (sound.outcome, sound.measured, code(&sound)),
            (Verdict::Pass, Some(2.0), None)
        );
        assert_eq!((sound.low, sound.high), (Some(2.0), Some(2.0)));
        let leaked = left(|_| 43.0, "drained <= 2");
        assert_eq!(
            (leaked.outcome, code(&leaked)),
            (Verdict::Fail, Some(ReasonCode::NotDrained))
        );
        assert_eq!(left(|_| 20.0, "drained <= 2").outcome, Verdict::Pass);
        // A floor applies to the measured value, not to its interval.
        assert_eq!(left(|_| 43.0, "drained >= 3").outcome, Verdict::Pass);
        assert_eq!(left(|_| 43.0, "drained >= 4").outcome, Verdict::Fail);
    }

    #[test]
    fn noise_about_the_limit_leaves_doubt() {
        let doubt = left(|t| 41.0 + t % 3.0, "drained <= 2");
        assert_eq!(
            (doubt.outcome, code(&doubt)),
            (Verdict::Inconclusive, Some(ReasonCode::Straddles))
        );
        let (low, high) = (doubt.low.expect("known"), doubt.high.expect("known"));
        assert!(low < 2.0 && high > 2.0 && low + high > 2.0, "{low} {high}");
        let over = left(|t| 141.0 + t % 3.0, "drained <= 2");
        assert_eq!(over.outcome, Verdict::Fail);
    }

    #[test]
    fn without_a_level_without_load_nothing_is_known() {
        let builder = || {
            RunBuilder::run(60, 5)
                .metric("fds", |_| Some(95.0))
                .limit("fds", "drained <= 2")
        };
        let of = |builder: RunBuilder| {
            let limit = judged(&builder.record()).limits.remove(0);
            let reason = limit.reason.expect("a reason");
            (limit.outcome, reason.code, reason.message)
        };
        let (outcome, code, message) = of(builder().without(Phase::Idle));
        assert_eq!((outcome, code), (Verdict::Invalid, ReasonCode::NotComputable));
        assert!(message.contains("start = \"before-load\""), "{message}");
        let (outcome, code, message) = of(builder().without(Phase::Drain));
        assert_eq!((outcome, code), (Verdict::Invalid, ReasonCode::NotComputable));
        assert!(message.contains("after the load was gone"), "{message}");
        let (outcome, _, message) = of(RunBuilder::run(60, 5)
            .metric("fds", |t| (t >= 0.0).then_some(95.0))
            .limit("fds", "drained <= 2"));
        assert_eq!(outcome, Verdict::Invalid);
        assert!(message.contains("was not seen before or after"), "{message}");
        assert_eq!(super::residual(&builder().without(Phase::Idle).record(), "fds"), None);
        assert_eq!(super::residual(&builder().record(), "fds"), Some(0.0));
    }

    #[test]
    fn a_share_of_what_is_expected_is_no_level() {
        let limit = left(|_| 40.0, "drained <= 90% of expected");
        assert_eq!(
            (limit.outcome, code(&limit)),
            (Verdict::Invalid, Some(ReasonCode::NotComputable))
        );
    }

    #[test]
    fn a_floor_is_compared_with_the_residual_despite_noise() {
        assert_eq!(left(|t| 41.0 + t % 3.0, "drained >= 2").outcome, Verdict::Pass);
        assert_eq!(left(|t| 41.0 + t % 3.0, "drained > 2").outcome, Verdict::Fail);
    }
}
