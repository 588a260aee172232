//! The belief held against the limit.

use crate::alias::Sampling;
use crate::answer::{Code, Outcome, Reason};
use crate::assess::BETA;
use crate::belief::Belief;
use crate::question::{Look, Question};

/// Rotations without which nothing passes, and without which nothing fails either unless the swing is known: two steps look
/// like a pool that grew twice, three are ambiguous.
const ROTATIONS_TO_PASS: usize = 6;
const ROTATIONS_TO_FAIL: usize = 4;

/// Belief in growth that stopped late, above which that is the answer.
const STOPPED: f64 = 0.5;

/// What is known of the run beside its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facts {
    pub(crate) length_s: f64,
    pub(crate) spacing_s: f64,
    /// Whole rotations seen; `None` if there are none to see.
    pub(crate) rotations: Option<usize>,
    pub(crate) sampling: Sampling,
    /// Error that a `fail` may spend.
    pub(crate) alpha: f64,
}

/// Outcome and reason.
pub(crate) fn decide(belief: &Belief, facts: &Facts, question: &Question) -> (Outcome, Reason) {
    let (outcome, code) = weigh(belief, facts, question);
    (
        outcome,
        Reason {
            code,
            sentence: sentence(code, belief, facts, question),
        },
    )
}

fn weigh(belief: &Belief, facts: &Facts, question: &Question) -> (Outcome, Code) {
    if matches!(facts.sampling, Sampling::Aliased { .. }) {
        return (Outcome::Inconclusive, Code::Aliased);
    }
    if belief.stopped() > STOPPED {
        return (Outcome::Inconclusive, Code::GrowthStopped);
    }
    if belief.is_empty() {
        return (Outcome::Inconclusive, Code::TooFewSamples);
    }
    let limit = question.limit_per_min;
    if let Some(limit_to_fail) = limit_to_fail(facts, question)
        && 1.0 - belief.below(limit_to_fail) > 1.0 - facts.alpha
    {
        return (Outcome::Fail, Code::LimitExceeded);
    }
    if 1.0 - belief.below(limit) >= BETA {
        let too_few = facts.rotations.is_some_and(|seen| seen < ROTATIONS_TO_FAIL);
        return (
            Outcome::Inconclusive,
            if too_few {
                Code::TooFewRotations
            } else {
                Code::StraddlesLimit
            },
        );
    }
    if belief.below(-limit) >= BETA {
        return (Outcome::Inconclusive, Code::StillFalling);
    }
    // A sample stands for the spacing around it; the timer's jitter is less than another.
    if question.look == Look::Early || facts.length_s + facts.spacing_s < question.planned_s {
        return (Outcome::Inconclusive, Code::TooShort);
    }
    if facts.rotations.is_some_and(|seen| seen < ROTATIONS_TO_PASS) {
        return (Outcome::Inconclusive, Code::TooFewRotations);
    }
    (Outcome::Pass, Code::WithinLimit)
}

/// What growth must exceed to fail: the limit, or before four rotations what the swing within one may add to it.
fn limit_to_fail(facts: &Facts, question: &Question) -> Option<f64> {
    if facts.rotations.is_none_or(|seen| seen >= ROTATIONS_TO_FAIL) {
        return Some(question.limit_per_min);
    }
    let swing = question
        .allowed_swing
        .filter(|swing| swing.is_finite() && *swing >= 0.0)?;
    Some(question.limit_per_min + 60.0 * swing / question.rotation_period_s?)
}

fn sentence(code: Code, belief: &Belief, facts: &Facts, question: &Question) -> String {
    let limit = question.limit_per_min;
    let seen = facts.rotations.unwrap_or(0);
    let certainty = || 100.0 * (1.0 - belief.below(limit));
    match code {
        Code::WithinLimit => format!("growth is below {limit} with {:.1} %", 100.0 - certainty()),
        Code::LimitExceeded => format!("growth is above {limit} with {:.1} %", certainty()),
        Code::StraddlesLimit => format!(
            "growth is above {limit} with {:.1} %: neither proven nor excluded",
            certainty()
        ),
        Code::StillFalling => "the value is still falling: this is no baseline yet".to_owned(),
        Code::GrowthStopped => {
            "growth stopped in the second half of the run: whether it comes back needs a longer one".to_owned()
        }
        Code::TooShort => format!(
            "{:.0} s of the {:.0} s that were planned",
            facts.length_s, question.planned_s
        ),
        Code::TooFewRotations => {
            format!("{seen} whole rotations: {ROTATIONS_TO_FAIL} are needed to fail, {ROTATIONS_TO_PASS} to pass")
        }
        Code::Aliased => match facts.sampling {
            Sampling::Aliased { apparent_period_s } => format!(
                "samples every {:.0} s show the rotation as a wave of {apparent_period_s:.0} s, which may look like growth or hide it",
                facts.spacing_s
            ),
            _ => String::new(),
        },
        _ => "too few samples are left to tell growth from chance".to_owned(),
    }
}
