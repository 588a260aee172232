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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{Blocks, Grid};
    use crate::explain::{Candidates, Explanation};
    use crate::fit::Fit;

    fn fit(growth: f64, standard_error: f64, explanation: Explanation, added: f64) -> Fit {
        let added = [added, 0.0];
        Fit {
            explanation,
            log_weight: 0.0,
            growth,
            standard_error,
            dof: 1,
            added,
            variance: 1.0,
            correlation: 0,
        }
    }

    fn believed(fits: &[Fit]) -> Belief {
        let grid = Grid {
            width_s: 10.0,
            count: 60,
            parts: 1,
        };
        let blocks = Blocks {
            grid,
            begin_s: 0.0,
            index: (0..60).collect(),
            value: vec![0.0; 60],
        };
        let line = (0..60).map(|i| blocks.share(i)).collect();
        Belief::new(fits, &Candidates::new(&blocks, line), 1.0, 2.0)
    }

    /// Growth about which the belief is a Cauchy distribution of width 1: above 2 lies 1/2 + atan(growth − 2)/π.
    fn about(growth: f64) -> Belief {
        believed(&[fit(growth, 1.0, Explanation::Ramp, 0.0)])
    }

    fn facts() -> Facts {
        Facts {
            length_s: 600.0,
            spacing_s: 1.0,
            rotations: Some(6),
            sampling: Sampling::Resolved,
            alpha: 0.02,
        }
    }

    fn question() -> Question {
        Question::at_most(2.0, 600.0).rotating_every(60.0)
    }

    fn code(belief: &Belief, facts: &Facts, question: &Question) -> Code {
        decide(belief, facts, question).1.code
    }

    #[test]
    fn a_fail_needs_all_but_alpha_above_the_limit() {
        // tan(π (1/2 − 0.02)) = 15.895.
        assert_eq!(code(&about(2.0 + 15.9), &facts(), &question()), Code::LimitExceeded);
        assert_eq!(code(&about(2.0 + 15.89), &facts(), &question()), Code::StraddlesLimit);
        assert_eq!(decide(&about(50.0), &facts(), &question()).0, Outcome::Fail);
    }

    #[test]
    fn a_pass_needs_all_but_a_twentieth_between_the_limits() {
        // tan(π (1/2 − 0.05)) = 6.3138 widths below 2 and above −2.
        let width = |w: f64| believed(&[fit(0.0, w, Explanation::Ramp, 0.0)]);
        assert_eq!(decide(&width(2.0 / 6.32), &facts(), &question()).0, Outcome::Pass);
        assert_eq!(code(&width(2.0 / 6.31), &facts(), &question()), Code::StraddlesLimit);
        assert_eq!(code(&about(-4.32), &facts(), &question()), Code::StillFalling);
        let narrow = |growth: f64| believed(&[fit(growth, 0.1, Explanation::Ramp, 0.0)]);
        assert_eq!(code(&narrow(-2.0 + 0.632), &facts(), &question()), Code::WithinLimit);
        assert_eq!(code(&narrow(-2.0 + 0.631), &facts(), &question()), Code::StillFalling);
    }

    #[test]
    fn rotations_are_counted() {
        let seen = |rotations| Facts { rotations, ..facts() };
        assert_eq!(code(&about(90.0), &seen(Some(4)), &question()), Code::LimitExceeded);
        assert_eq!(code(&about(90.0), &seen(Some(3)), &question()), Code::TooFewRotations);
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        assert_eq!(code(&flat, &seen(Some(6)), &question()), Code::WithinLimit);
        assert_eq!(code(&flat, &seen(Some(5)), &question()), Code::TooFewRotations);
        assert_eq!(code(&flat, &seen(None), &question()), Code::WithinLimit);
        assert_eq!(code(&about(90.0), &seen(None), &question()), Code::LimitExceeded);
    }

    #[test]
    fn a_known_swing_raises_the_limit_before_four_rotations() {
        // 2 + 60 · 50 / 60 = 52.
        let question = Question {
            allowed_swing: Some(50.0),
            ..question()
        };
        let early = Facts {
            rotations: Some(3),
            ..facts()
        };
        assert_eq!(code(&about(52.0 + 15.9), &early, &question), Code::LimitExceeded);
        assert_eq!(code(&about(52.0 + 15.89), &early, &question), Code::TooFewRotations);
        for swing in [f64::NAN, -1.0, f64::INFINITY] {
            let question = Question {
                allowed_swing: Some(swing),
                ..question.clone()
            };
            assert_eq!(code(&about(900.0), &early, &question), Code::TooFewRotations);
        }
    }

    #[test]
    fn what_cannot_be_seen_comes_first() {
        let aliased = Facts {
            sampling: Sampling::Aliased {
                apparent_period_s: 1320.0,
            },
            ..facts()
        };
        let (outcome, reason) = decide(&about(900.0), &aliased, &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::Aliased));
        assert!(reason.sentence.contains("1320 s"), "{}", reason.sentence);
        assert_eq!(code(&Belief::default(), &facts(), &question()), Code::TooFewSamples);
    }

    #[test]
    fn growth_that_stopped_decides_by_majority() {
        let ramp = fit(900.0, 1.0, Explanation::Ramp, 0.0);
        let stop = fit(0.0, 1.0, Explanation::Kink { kink: 40 }, -9.0);
        assert_eq!(
            code(&believed(&[ramp, stop]), &facts(), &question()),
            Code::LimitExceeded
        );
        assert_eq!(
            code(&believed(&[ramp, stop, stop]), &facts(), &question()),
            Code::GrowthStopped
        );
    }

    #[test]
    fn the_planned_length_is_kept_to_a_sample() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let planned = |planned_s| {
            code(
                &flat,
                &facts(),
                &Question {
                    planned_s,
                    ..question()
                },
            )
        };
        assert_eq!(planned(601.0), Code::WithinLimit);
        assert_eq!(planned(601.1), Code::TooShort);
        let early = Question {
            look: Look::Early,
            ..question()
        };
        assert_eq!(code(&flat, &facts(), &early), Code::TooShort);
    }

    #[test]
    fn sentences_carry_their_figures() {
        let sentence = |belief: &Belief| decide(belief, &facts(), &question()).1.sentence;
        assert_eq!(
            sentence(&about(3.0)),
            "growth is above 2 with 75.0 %: neither proven nor excluded"
        );
        assert!(sentence(&about(100.0)).starts_with("growth is above 2 with 99."));
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        assert_eq!(sentence(&flat), "growth is below 2 with 98.4 %");
    }
}
