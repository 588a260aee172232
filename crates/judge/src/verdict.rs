//! The belief held against the limit.

use crate::alias::Sampling;
use crate::answer::{Code, Outcome, Reason};
use crate::belief::Belief;
use crate::question::{Look, Question};
use crate::{rises, sparse};

/// Rotations without which nothing passes, and without which nothing fails either unless the swing is known: two steps look
/// like a pool that grew twice, three are ambiguous.
const ROTATIONS_TO_PASS: usize = 6;
const ROTATIONS_TO_FAIL: usize = 4;

/// Of the rotations that a pass needs, as many must have been counted: the last may lie beyond the end.
const COUNTED_SHARE: f64 = 0.9;

/// Belief in a fall faster than the limit, from which on the value is no baseline yet. It also keeps out what is merely uncertain: at
/// a tenth, three of 800 leaks of twice the limit passed under noise that nothing was tuned on.
const FALLING: f64 = 0.05;

/// Belief in growth that stopped late, above which that is the answer.
const STOPPED: f64 = 0.5;

/// What is known of the run beside its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facts {
    pub(crate) length_s: f64,
    pub(crate) spacing_s: f64,
    /// Whole rotations seen; `None` if there are none to see.
    pub(crate) rotations: Option<usize>,
    /// Rotations of each container that were counted, where they are known to be due.
    pub(crate) counted: Option<f64>,
    pub(crate) sampling: Sampling,
    /// Error that a `fail` may spend.
    pub(crate) alpha: f64,
    /// Error that a `pass` may spend.
    pub(crate) beta: f64,
    /// Growth that the limit allows over the run, in quanta.
    pub(crate) allowance: f64,
    /// Seconds at the end of the run that were taken out as a burst that has not ended.
    pub(crate) unseen_s: f64,
    /// Blocks that hold something.
    pub(crate) filled: usize,
}

/// Outcome and reason. `risen` is the belief that growth is above the limit with what rose counted as growth, where the run
/// is too short to tell them apart or it rose too late.
pub(crate) fn decide(belief: &Belief, risen: Option<f64>, facts: &Facts, question: &Question) -> (Outcome, Reason) {
    let (outcome, code) = weigh(belief, risen, facts, question);
    (
        outcome,
        Reason {
            code,
            sentence: sentence(code, belief, facts, question),
        },
    )
}

fn weigh(belief: &Belief, risen: Option<f64>, facts: &Facts, question: &Question) -> (Outcome, Code) {
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
    if facts.filled < sparse::FEW {
        return (Outcome::Inconclusive, Code::TooFewSamples);
    }
    if never_rotated(facts) {
        return (Outcome::Invalid, Code::TooFewRotations);
    }
    if facts.unseen_s > 0.0 {
        return (Outcome::Inconclusive, Code::StraddlesLimit);
    }
    if risen.unwrap_or_else(|| 1.0 - belief.below(limit)) >= facts.beta {
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
    if belief.below(-limit) >= FALLING || belief.settling() >= FALLING {
        return (Outcome::Inconclusive, Code::StillFalling);
    }
    // A sample stands for the spacing around it; the timer's jitter is less than another.
    if question.look == Look::Early || facts.length_s + facts.spacing_s < question.planned_s {
        return (Outcome::Inconclusive, Code::TooShort);
    }
    if !rises::would_be_seen(facts.allowance) {
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

/// Six rotations were due, and fewer were counted: what leaks with them could not have shown.
fn never_rotated(facts: &Facts) -> bool {
    let due = facts.rotations.is_some_and(|due| due >= ROTATIONS_TO_PASS);
    due && facts
        .counted
        .is_some_and(|seen| seen < COUNTED_SHARE * ROTATIONS_TO_PASS as f64)
}

fn sentence(code: Code, belief: &Belief, facts: &Facts, question: &Question) -> String {
    let seen = facts.rotations.unwrap_or(0);
    let above = 1.0 - belief.below(question.limit_per_min);
    let certainty = || 100.0 * above;
    match code {
        Code::WithinLimit => format!("growth is below the limit with {:.1} %", 100.0 - certainty()),
        Code::LimitExceeded => format!("growth is above the limit with {:.1} %", certainty()),
        Code::StraddlesLimit if facts.unseen_s > 0.0 => format!(
            "the value is far above its level at the end, for {:.0} s and more: a burst, or the beginning of growth",
            facts.unseen_s
        ),
        Code::StraddlesLimit if above < facts.beta && !rises::are_told_from_growth(facts.allowance) => format!(
            "the value rose, and the limit allows {:.1} steps of it in this time: too few to tell a step from a leak",
            facts.allowance
        ),
        Code::StraddlesLimit if above < facts.beta => {
            "the value rose at the end: too late to tell a step from a leak".to_owned()
        }
        Code::StraddlesLimit => format!(
            "growth is above the limit with {:.1} %: neither proven nor excluded",
            certainty()
        ),
        Code::StillFalling => "the value is still falling: this is no baseline yet".to_owned(),
        Code::GrowthStopped => {
            "growth stopped in the second half of the run: whether it comes back needs a longer one".to_owned()
        }
        Code::TooShort if !rises::would_be_seen(facts.allowance) => format!(
            "a leak of twice the limit that began late would not show yet: {:.0} s are needed",
            facts.length_s * rises::times_longer(facts.allowance)
        ),
        Code::TooShort => format!(
            "{:.0} s of the {:.0} s that were planned",
            facts.length_s, question.planned_s
        ),
        Code::TooFewRotations if never_rotated(facts) => format!(
            "{:.1} rotations of each container were counted, of {seen} that were due: a leak by rotation could not have shown, {ROTATIONS_TO_PASS} are needed",
            facts.counted.unwrap_or(0.0)
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
        _ => format!(
            "too few samples are left to tell growth from chance: {} parts of the run hold any, {} are needed",
            facts.filled,
            sparse::FEW
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Blocks;
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
        let blocks = Blocks::whole(10.0, 1, vec![0.0; 60]);
        Belief::new(fits, &Candidates::new(&blocks, blocks.shares()), 1.0, 2.0)
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
            counted: None,
            sampling: Sampling::Resolved,
            alpha: 0.02,
            beta: 0.04,
            allowance: 7.9,
            unseen_s: 0.0,
            filled: 60,
        }
    }

    fn question() -> Question {
        Question::at_most(2.0, 600.0).rotating_every(60.0)
    }

    fn code(belief: &Belief, facts: &Facts, question: &Question) -> Code {
        decide(belief, None, facts, question).1.code
    }

    #[test]
    fn a_fail_needs_all_but_alpha_above_the_limit() {
        // tan(π (1/2 − 0.02)) = 15.895.
        assert_eq!(code(&about(2.0 + 15.9), &facts(), &question()), Code::LimitExceeded);
        assert_eq!(code(&about(2.0 + 15.89), &facts(), &question()), Code::StraddlesLimit);
        assert_eq!(decide(&about(50.0), None, &facts(), &question()).0, Outcome::Fail);
    }

    #[test]
    fn a_pass_needs_all_but_a_twenty_fifth_below_the_limit_and_a_twentieth_above_its_opposite() {
        // tan(π (1/2 − 0.04)) = 7.9158 widths below 2.
        let width = |w: f64| believed(&[fit(0.0, w, Explanation::Ramp, 0.0)]);
        assert_eq!(decide(&width(2.0 / 7.92), None, &facts(), &question()).0, Outcome::Pass);
        assert_eq!(code(&width(2.0 / 7.91), &facts(), &question()), Code::StraddlesLimit);
        assert_eq!(code(&about(-5.92), &facts(), &question()), Code::StillFalling);
        let narrow = |growth: f64| believed(&[fit(growth, 0.1, Explanation::Ramp, 0.0)]);
        // And a twentieth below −2: tan(π (1/2 − 0.05)) = 6.3138 widths above it.
        assert_eq!(code(&narrow(-2.0 + 0.632), &facts(), &question()), Code::WithinLimit);
        assert_eq!(code(&narrow(-2.0 + 0.631), &facts(), &question()), Code::StillFalling);
    }

    #[test]
    fn rotations_are_counted() {
        let seen = |rotations| Facts { rotations, ..facts() };
        assert_eq!(code(&about(90.0), &seen(Some(4)), &question()), Code::LimitExceeded);
        assert_eq!(code(&about(90.0), &seen(Some(3)), &question()), Code::TooFewRotations);
        assert_eq!(code(&about(3.0), &seen(Some(4)), &question()), Code::StraddlesLimit);
        assert_eq!(code(&about(3.0), &seen(Some(3)), &question()), Code::TooFewRotations);
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        assert_eq!(code(&flat, &seen(Some(6)), &question()), Code::WithinLimit);
        assert_eq!(code(&flat, &seen(Some(5)), &question()), Code::TooFewRotations);
        assert_eq!(code(&flat, &seen(None), &question()), Code::WithinLimit);
        assert_eq!(code(&about(90.0), &seen(None), &question()), Code::LimitExceeded);
    }

    #[test]
    fn rotations_that_were_due_and_were_not_counted_leave_the_run_blind() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let counted = |counted: f64| Facts {
            counted: Some(counted),
            ..facts()
        };
        let (outcome, reason) = decide(&flat, None, &counted(1.0), &question());
        assert_eq!((outcome, reason.code), (Outcome::Invalid, Code::TooFewRotations));
        assert!(
            reason.sentence.starts_with("1.0 rotations of each"),
            "{}",
            reason.sentence
        );
        // Of six, 5.4: the last may lie beyond the end.
        assert_eq!(decide(&flat, None, &counted(5.39), &question()).0, Outcome::Invalid);
        assert_eq!(decide(&flat, None, &counted(5.4), &question()).0, Outcome::Pass);
        // What leaks all the same fails.
        assert_eq!(decide(&about(90.0), None, &counted(0.0), &question()).0, Outcome::Fail);
        // Where six were not due, the run was too short.
        let short = Facts {
            rotations: Some(5),
            ..counted(1.0)
        };
        assert_eq!(decide(&flat, None, &short, &question()).0, Outcome::Inconclusive);
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
        let (outcome, reason) = decide(&about(900.0), None, &aliased, &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::Aliased));
        assert!(reason.sentence.contains("1320 s"), "{}", reason.sentence);
        assert_eq!(code(&Belief::default(), &facts(), &question()), Code::TooFewSamples);
    }

    #[test]
    fn fewer_parts_than_checkpoints_are_needed_never_pass() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let filled = |filled| Facts { filled, ..facts() };
        let (outcome, reason) = decide(&flat, None, &filled(15), &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::TooFewSamples));
        assert!(reason.sentence.contains("15 parts of the run"), "{}", reason.sentence);
        assert_eq!(decide(&flat, None, &filled(16), &question()).0, Outcome::Pass);
        assert_eq!(decide(&about(90.0), None, &filled(15), &question()).0, Outcome::Fail);
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
    fn what_still_settles_is_no_baseline() {
        // Of 600 s, the slowest warm-up (163 s) falls at the end by 3.7 · exp(−3.7) of its size over the line.
        let flat = |log_weight: f64| Fit {
            log_weight,
            ..fit(0.0, 0.1, Explanation::Ramp, 0.0)
        };
        let slow = fit(0.0, 0.1, Explanation::WarmUp { warm_up: 22 }, 100.0);
        assert_eq!(
            code(&believed(&[flat(18.9f64.ln()), slow]), &facts(), &question()),
            Code::StillFalling
        );
        assert_eq!(
            code(&believed(&[flat(19.1f64.ln()), slow]), &facts(), &question()),
            Code::WithinLimit
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
    fn what_rose_is_growth_where_it_cannot_be_told_from_it() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let (outcome, reason) = decide(&flat, Some(0.75), &facts(), &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
        assert!(reason.sentence.contains("allows 7.9 steps"), "{}", reason.sentence);
        assert_eq!(decide(&flat, Some(0.0399), &facts(), &question()).0, Outcome::Pass);
        // It excuses nothing and accuses nobody: a fail is the belief's own.
        let (_, reason) = decide(&flat, Some(0.999), &facts(), &question());
        assert_eq!(reason.code, Code::StraddlesLimit);
        let (outcome, _) = decide(&about(900.0), Some(0.0399), &facts(), &question());
        assert_eq!(outcome, Outcome::Fail);
    }

    #[test]
    fn what_rose_at_the_end_of_a_long_run_says_so() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let long = Facts {
            allowance: 8.0,
            ..facts()
        };
        let (outcome, reason) = decide(&flat, Some(0.75), &long, &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
        assert!(reason.sentence.contains("rose at the end"), "{}", reason.sentence);
    }

    #[test]
    fn an_end_that_was_not_seen_never_passes() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let unseen = Facts {
            unseen_s: 30.0,
            ..facts()
        };
        let (outcome, reason) = decide(&flat, None, &unseen, &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
        assert!(reason.sentence.contains("at the end, for 30 s"), "{}", reason.sentence);
        assert_eq!(decide(&about(90.0), None, &unseen, &question()).0, Outcome::Fail);
    }

    #[test]
    fn nothing_passes_before_a_late_leak_would_show() {
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let allowing = |allowance| Facts { allowance, ..facts() };
        // 2 · 0.3 · 5/3 = 1.
        assert_eq!(code(&flat, &allowing(1.67), &question()), Code::WithinLimit);
        let (outcome, reason) = decide(&flat, None, &allowing(1.25), &question());
        assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::TooShort));
        // 600 s · 1 / (0.6 · 1.25) = 800 s.
        assert!(reason.sentence.contains("800 s are needed"), "{}", reason.sentence);
        assert_eq!(code(&about(90.0), &allowing(1.25), &question()), Code::LimitExceeded);
    }

    #[test]
    fn sentences_carry_their_figures() {
        let sentence = |belief: &Belief| decide(belief, None, &facts(), &question()).1.sentence;
        assert_eq!(
            sentence(&about(3.0)),
            "growth is above the limit with 75.0 %: neither proven nor excluded"
        );
        assert!(sentence(&about(100.0)).starts_with("growth is above the limit with 99."));
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        assert_eq!(sentence(&flat), "growth is below the limit with 98.4 %");
    }

    #[test]
    fn each_reason_has_its_sentence() {
        let sentence =
            |belief: &Belief, facts: &Facts, question: &Question| decide(belief, None, facts, question).1.sentence;
        assert_eq!(
            sentence(&about(-5.92), &facts(), &question()),
            "the value is still falling: this is no baseline yet"
        );
        let stop = fit(0.0, 1.0, Explanation::Kink { kink: 40 }, -9.0);
        let stopped = sentence(&believed(&[stop]), &facts(), &question());
        assert!(stopped.starts_with("growth stopped in the second half"), "{stopped}");
        let flat = believed(&[fit(0.0, 0.1, Explanation::Ramp, 0.0)]);
        let longer = Question {
            planned_s: 700.0,
            ..question()
        };
        assert_eq!(
            sentence(&flat, &facts(), &longer),
            "600 s of the 700 s that were planned"
        );
        let few = Facts {
            rotations: Some(3),
            ..facts()
        };
        assert_eq!(
            sentence(&about(3.0), &few, &question()),
            "3 whole rotations: 4 are needed to fail, 6 to pass"
        );
    }
}
