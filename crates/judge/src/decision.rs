//! The verdict: the posterior tested against the limit.

use crate::aliasing::Sampling;
use crate::assessment::{Code, Outcome, Reason};
use crate::posterior::Posterior;
use crate::test_spec::{Analysis, TestSpec};
use crate::{quantized_steps, sparse};

/// Rotations needed to pass, and to fail unless the swing is known. Two steps look like a pool that grew twice; three
/// are ambiguous.
const ROTATIONS_TO_PASS: usize = 6;
const ROTATIONS_TO_FAIL: usize = 4;

/// Share of the rotations needed to pass that must have been counted. The last rotation may lie beyond the end.
const COUNTED_SHARE: f64 = 0.9;

/// Posterior probability of a fall faster than the limit from which there is no baseline yet. The value also excludes
/// uncertain fits: at 10 %, three of 800 leaks of twice the limit passed under held-out noise.
const MAX_FALLING: f64 = 0.05;

/// Posterior probability of a late stop of growth above which the verdict is inconclusive.
const MAX_STOPPED: f64 = 0.5;

/// The conditions of the run that the verdict depends on besides the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RunConditions {
    pub(crate) length_s: f64,
    pub(crate) spacing_s: f64,
    /// Whole rotations in the run; `None` if the target does not rotate.
    pub(crate) rotations: Option<usize>,
    /// Counted rotations per container, where rotations are due.
    pub(crate) counted: Option<f64>,
    pub(crate) sampling: Sampling,
    /// Error probability that a `fail` may spend.
    pub(crate) alpha: f64,
    /// Error probability that a `pass` may spend.
    pub(crate) beta: f64,
    /// Growth allowed by the limit over the run, in quanta.
    pub(crate) allowance: f64,
    /// Length of an unfinished burst that was removed at the end of the run, seconds.
    pub(crate) unseen_s: f64,
    /// Number of blocks that are not empty.
    pub(crate) filled: usize,
}

/// Decides the outcome and states the reason.
///
/// `risen` is the posterior probability of growth above the limit if rises count as growth. It is given where steps
/// and growth are not separable.
pub(crate) fn decide(
    posterior: &Posterior,
    risen: Option<f64>,
    conditions: &RunConditions,
    spec: &TestSpec,
) -> (Outcome, Reason) {
    let (outcome, code) = outcome_and_code(posterior, risen, conditions, spec);
    (
        outcome,
        Reason {
            code,
            sentence: sentence(code, posterior, conditions, spec),
        },
    )
}

fn outcome_and_code(
    posterior: &Posterior,
    risen: Option<f64>,
    conditions: &RunConditions,
    spec: &TestSpec,
) -> (Outcome, Code) {
    if matches!(conditions.sampling, Sampling::Aliased { .. }) {
        return (Outcome::Inconclusive, Code::Aliased);
    }
    if posterior.stopped() > MAX_STOPPED {
        return (Outcome::Inconclusive, Code::GrowthStopped);
    }
    if posterior.is_empty() {
        return (Outcome::Inconclusive, Code::TooFewSamples);
    }
    let limit = spec.limit_per_min;
    if let Some(limit_to_fail) = limit_to_fail(conditions, spec)
        && 1.0 - posterior.cdf(limit_to_fail) > 1.0 - conditions.alpha
    {
        return (Outcome::Fail, Code::LimitExceeded);
    }
    if conditions.filled < sparse::MIN_SAMPLES {
        return (Outcome::Inconclusive, Code::TooFewSamples);
    }
    if rotations_missing(conditions) {
        return (Outcome::Invalid, Code::TooFewRotations);
    }
    if conditions.unseen_s > 0.0 {
        return (Outcome::Inconclusive, Code::StraddlesLimit);
    }
    if risen.unwrap_or_else(|| 1.0 - posterior.cdf(limit)) >= conditions.beta {
        let too_few = conditions.rotations.is_some_and(|seen| seen < ROTATIONS_TO_FAIL);
        return (
            Outcome::Inconclusive,
            if too_few {
                Code::TooFewRotations
            } else {
                Code::StraddlesLimit
            },
        );
    }
    if posterior.cdf(-limit) >= MAX_FALLING || posterior.warm_up_unfinished() >= MAX_FALLING {
        return (Outcome::Inconclusive, Code::StillFalling);
    }
    // Each sample represents the spacing around it, and the timer's jitter is less than one spacing.
    if spec.analysis == Analysis::Interim || conditions.length_s + conditions.spacing_s < spec.planned_s {
        return (Outcome::Inconclusive, Code::TooShort);
    }
    if !quantized_steps::late_leak_is_visible(conditions.allowance) {
        return (Outcome::Inconclusive, Code::TooShort);
    }
    if conditions.rotations.is_some_and(|seen| seen < ROTATIONS_TO_PASS) {
        return (Outcome::Inconclusive, Code::TooFewRotations);
    }
    (Outcome::Pass, Code::WithinLimit)
}

/// Returns the growth that must be exceeded to fail. Before four rotations, that is the limit plus the growth that a
/// known swing may add.
fn limit_to_fail(conditions: &RunConditions, spec: &TestSpec) -> Option<f64> {
    if conditions.rotations.is_none_or(|seen| seen >= ROTATIONS_TO_FAIL) {
        return Some(spec.limit_per_min);
    }
    let swing = spec.allowed_swing.filter(|swing| swing.is_finite() && *swing >= 0.0)?;
    Some(spec.limit_per_min + 60.0 * swing / spec.rotation_period_s?)
}

/// True if rotations were due and too few were counted: a leak per rotation could not have shown.
fn rotations_missing(conditions: &RunConditions) -> bool {
    let due = conditions.rotations.is_some_and(|due| due >= ROTATIONS_TO_PASS);
    due && conditions
        .counted
        .is_some_and(|seen| seen < COUNTED_SHARE * ROTATIONS_TO_PASS as f64)
}

fn sentence(code: Code, posterior: &Posterior, conditions: &RunConditions, spec: &TestSpec) -> String {
    let seen = conditions.rotations.unwrap_or(0);
    let above = 1.0 - posterior.cdf(spec.limit_per_min);
    let certainty = || 100.0 * above;
    match code {
        Code::WithinLimit => format!("growth is below the limit with {:.1} %", 100.0 - certainty()),
        Code::LimitExceeded => format!("growth is above the limit with {:.1} %", certainty()),
        Code::StraddlesLimit if conditions.unseen_s > 0.0 => format!(
            "the value is far above its level at the end, for {:.0} s and more: a burst, or the beginning of growth",
            conditions.unseen_s
        ),
        Code::StraddlesLimit
            if above < conditions.beta && !quantized_steps::steps_are_separable(conditions.allowance) =>
        {
            format!(
                "the value rose, and the limit allows {:.1} steps of it in this time: too few to distinguish a step from a leak",
                conditions.allowance
            )
        }
        Code::StraddlesLimit if above < conditions.beta => {
            "the value rose at the end: too late to distinguish a step from a leak".to_owned()
        }
        Code::StraddlesLimit => format!(
            "growth is above the limit with {:.1} %: neither proven nor excluded",
            certainty()
        ),
        Code::StillFalling => "the value is still falling: this is no baseline yet".to_owned(),
        Code::GrowthStopped => {
            "growth stopped in the second half of the run: whether it comes back needs a longer one".to_owned()
        }
        Code::TooShort if !quantized_steps::late_leak_is_visible(conditions.allowance) => format!(
            "a leak of twice the limit that began late would not show yet: {:.0} s are needed",
            conditions.length_s * quantized_steps::required_length_factor(conditions.allowance)
        ),
        Code::TooShort => format!(
            "{:.0} s of the {:.0} s that were planned",
            conditions.length_s, spec.planned_s
        ),
        Code::TooFewRotations if rotations_missing(conditions) => format!(
            "{:.1} rotations of each container were counted, of {seen} that were due: a leak by rotation could not have shown, {ROTATIONS_TO_PASS} are needed",
            conditions.counted.unwrap_or(0.0)
        ),
        Code::TooFewRotations => {
            format!("{seen} whole rotations: {ROTATIONS_TO_FAIL} are needed to fail, {ROTATIONS_TO_PASS} to pass")
        }
        Code::Aliased => match conditions.sampling {
            Sampling::Aliased { apparent_period_s } => format!(
                "samples every {:.0} s show the rotation as a wave of {apparent_period_s:.0} s, which may look like growth or hide it",
                conditions.spacing_s
            ),
            _ => String::new(),
        },
        _ => format!(
            "too few samples are left to distinguish growth from chance: {} parts of the run hold any, {} are needed",
            conditions.filled,
            sparse::MIN_SAMPLES
        ),
    }
}

#[cfg(test)]
mod tests;
