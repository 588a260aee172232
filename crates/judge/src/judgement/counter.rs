//! Limits on what only goes up: increase and rate of a counter, and the floor of rotations.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::Judged;
use super::limit::{compared, invalid, number};
use crate::Look;

/// A floor is held against a run that goes on only after this many periods of rotation.
const PERIODS: f64 = 3.0;

/// A counter's values with its falls taken out, missing values carried on. A fall to less than half is a restart from
/// zero, of which everything counts; a smaller one is a series that went away from a sum.
pub(super) fn unwrapped(values: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let mut last: Option<f64> = None;
    let mut total = 0.0;
    values
        .map(|value| {
            if let Some(value) = value {
                total += match last {
                    None => 0.0,
                    Some(last) if value >= last => value - last,
                    Some(last) if value < last / 2.0 => value,
                    Some(_) => 0.0,
                };
                last = Some(value);
            }
            total
        })
        .collect()
}

/// How much a counter went up over the judged part.
pub(super) fn increase(record: &Record, metric: &str) -> Option<f64> {
    let values: Vec<f64> = record
        .samples
        .series(metric, Phase::is_judged)
        .map(|(_, v)| v)
        .collect();
    unwrapped(values.into_iter().map(Some)).last().copied()
}

/// Rotations that the schedule leads one to expect in the judged part so far.
pub(super) fn expected_rotations(record: &Record) -> Option<f64> {
    let judged = Judged::of(record);
    record
        .plan
        .as_ref()?
        .rotations_per_s
        .map(|rate| rate * (judged.to_s - judged.from_s))
}

/// `increase >= 90% of expected`, `increase < 5`, `rate_per_min >= 100`.
pub(super) fn judge(record: &Record, metric: &str, rule: &Limit, look: Look, result: LimitResult) -> LimitResult {
    let judged = Judged::of(record);
    let Some(increase) = increase(record, metric) else {
        return invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "one sample has no increase"),
        );
    };
    let floor = !rule.comparison.is_ceiling();
    // Over a part of its length a run may be short of a floor by the moment at which it ended: only what is certain counts.
    let cut_short = record.plan.is_some() && (record.facts.is_cut_short() || record.facts.saved_s.is_some());
    if floor && (look == Look::Early || cut_short) {
        return early_floor(record, metric, rule, increase, result);
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
    let bound = match (rule.bound, expected_rotations(record)) {
        (Bound::Number(bound), _) => bound,
        (Bound::OfExpected(share), Some(expected)) => share * expected,
        (Bound::OfExpected(_), None) => {
            let message = "how many to expect is not known: set [target] rotate_every";
            return invalid(result, Reason::of(ReasonCode::NotComputable, metric, message));
        }
    };
    let code = if floor {
        ReasonCode::FloorMissed
    } else {
        ReasonCode::LimitExceeded
    };
    let mut told = compared(
        result,
        rule,
        measured,
        bound,
        code,
        &format!("the {what} of `{metric}`"),
    );
    if let (Some(reason), Bound::OfExpected(_), Some(expected)) =
        (&mut told.reason, rule.bound, expected_rotations(record))
    {
        reason.message = format!(
            "{} of {} expected {metric} were seen; the limit is {}",
            number(measured),
            number(expected),
            rule.text
        );
    }
    told
}

/// A floor in a run that goes on: missed for certain if even a faultless rest could not reach it any more.
fn early_floor(record: &Record, metric: &str, rule: &Limit, increase: f64, result: LimitResult) -> LimitResult {
    let judged = Judged::of(record);
    let undecided = LimitResult {
        measured: Some(increase),
        outcome: Verdict::Inconclusive,
        ..result
    };
    let (Bound::OfExpected(share), Some(plan), Some(period)) = (rule.bound, &record.plan, record.rotation_period_s)
    else {
        return undecided;
    };
    let (Some(rate), so_far) = (plan.rotations_per_s, judged.to_s - judged.from_s) else {
        return undecided;
    };
    let rest = (plan.measure_s - so_far).max(0.0) * rate;
    let bound = share * plan.measure_s * rate;
    if so_far < PERIODS * period || increase + rest >= bound {
        return undecided;
    }
    let message = format!(
        "only {} of {} expected {metric} in {so_far:.0} s; even a faultless rest could not reach `{}` any more",
        number(increase),
        number(rate * so_far),
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
    use super::unwrapped;

    #[test]
    fn a_restart_counts_from_zero_and_a_series_that_went_away_counts_nothing() {
        let total = |values: &[f64]| unwrapped(values.iter().copied().map(Some)).last().copied();
        assert_eq!(total(&[10.0, 20.0, 30.0]), Some(20.0));
        assert_eq!(total(&[10.0, 20.0, 3.0, 5.0]), Some(15.0));
        assert_eq!(total(&[500.0, 490.0, 495.0]), Some(5.0));
    }

    #[test]
    fn a_missing_value_is_carried_on_not_read_as_zero() {
        assert_eq!(unwrapped([Some(5.0), None, Some(9.0)].into_iter()), [0.0, 0.0, 4.0]);
    }
}
