//! Decisions at their thresholds.

use super::*;
use crate::blocks::Blocks;
use crate::fit::Fit;
use crate::models::{Model, ModelSet};

fn fit(growth: f64, standard_error: f64, model: Model, added: f64) -> Fit {
    let added = [added, 0.0];
    Fit {
        model,
        log_weight: 0.0,
        growth,
        standard_error,
        dof: 1,
        added,
        variance: 1.0,
        correlation: 0,
    }
}

fn posterior_of(fits: &[Fit]) -> Posterior {
    let blocks = Blocks::whole(10.0, 1, vec![0.0; 60]);
    Posterior::new(fits, &ModelSet::new(&blocks, blocks.shares()), 1.0, 2.0)
}

/// Returns a posterior that is a Cauchy distribution of width 1 about `growth`: above 2 lies 1/2 + atan(growth −
/// 2)/π.
fn about(growth: f64) -> Posterior {
    posterior_of(&[fit(growth, 1.0, Model::Linear, 0.0)])
}

fn conditions() -> RunConditions {
    RunConditions {
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

fn spec() -> TestSpec {
    TestSpec::at_most(2.0, 600.0).rotating_every(60.0)
}

fn code(posterior: &Posterior, conditions: &RunConditions, spec: &TestSpec) -> Code {
    decide(posterior, None, conditions, spec).1.code
}

#[test]
fn a_fail_needs_all_but_alpha_above_the_limit() {
    // tan(π (1/2 − 0.02)) = 15.895.
    assert_eq!(code(&about(2.0 + 15.9), &conditions(), &spec()), Code::LimitExceeded);
    assert_eq!(code(&about(2.0 + 15.89), &conditions(), &spec()), Code::StraddlesLimit);
    assert_eq!(decide(&about(50.0), None, &conditions(), &spec()).0, Outcome::Fail);
}

#[test]
fn a_pass_needs_all_but_a_twenty_fifth_below_the_limit_and_a_twentieth_above_its_opposite() {
    // tan(π (1/2 − 0.04)) = 7.9158 widths below 2.
    let width = |w: f64| posterior_of(&[fit(0.0, w, Model::Linear, 0.0)]);
    assert_eq!(
        decide(&width(2.0 / 7.92), None, &conditions(), &spec()).0,
        Outcome::Pass
    );
    assert_eq!(code(&width(2.0 / 7.91), &conditions(), &spec()), Code::StraddlesLimit);
    assert_eq!(code(&about(-5.92), &conditions(), &spec()), Code::StillFalling);
    let narrow = |growth: f64| posterior_of(&[fit(growth, 0.1, Model::Linear, 0.0)]);
    // And a twentieth below −2: tan(π (1/2 − 0.05)) = 6.3138 widths above it.
    assert_eq!(code(&narrow(-2.0 + 0.632), &conditions(), &spec()), Code::WithinLimit);
    assert_eq!(code(&narrow(-2.0 + 0.631), &conditions(), &spec()), Code::StillFalling);
}

#[test]
fn rotations_are_counted() {
    let seen = |rotations| RunConditions {
        rotations,
        ..conditions()
    };
    assert_eq!(code(&about(90.0), &seen(Some(4)), &spec()), Code::LimitExceeded);
    assert_eq!(code(&about(90.0), &seen(Some(3)), &spec()), Code::TooFewRotations);
    assert_eq!(code(&about(3.0), &seen(Some(4)), &spec()), Code::StraddlesLimit);
    assert_eq!(code(&about(3.0), &seen(Some(3)), &spec()), Code::TooFewRotations);
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    assert_eq!(code(&flat, &seen(Some(6)), &spec()), Code::WithinLimit);
    assert_eq!(code(&flat, &seen(Some(5)), &spec()), Code::TooFewRotations);
    assert_eq!(code(&flat, &seen(None), &spec()), Code::WithinLimit);
    assert_eq!(code(&about(90.0), &seen(None), &spec()), Code::LimitExceeded);
}

#[test]
fn rotations_that_were_due_and_not_counted_are_invalid() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let counted = |counted: f64| RunConditions {
        counted: Some(counted),
        ..conditions()
    };
    let (outcome, reason) = decide(&flat, None, &counted(1.0), &spec());
    assert_eq!((outcome, reason.code), (Outcome::Invalid, Code::TooFewRotations));
    assert!(
        reason.sentence.starts_with("1.0 rotations of each"),
        "{}",
        reason.sentence
    );
    // Of six, 5.4: the last may lie beyond the end.
    assert_eq!(decide(&flat, None, &counted(5.39), &spec()).0, Outcome::Invalid);
    assert_eq!(decide(&flat, None, &counted(5.4), &spec()).0, Outcome::Pass);
    // A leak fails nevertheless.
    assert_eq!(decide(&about(90.0), None, &counted(0.0), &spec()).0, Outcome::Fail);
    // Where six were not due, the run was too short.
    let short = RunConditions {
        rotations: Some(5),
        ..counted(1.0)
    };
    assert_eq!(decide(&flat, None, &short, &spec()).0, Outcome::Inconclusive);
}

#[test]
fn a_known_swing_raises_the_limit_before_four_rotations() {
    // 2 + 60 · 50 / 60 = 52.
    let spec = TestSpec {
        allowed_swing: Some(50.0),
        ..spec()
    };
    let early = RunConditions {
        rotations: Some(3),
        ..conditions()
    };
    assert_eq!(code(&about(52.0 + 15.9), &early, &spec), Code::LimitExceeded);
    assert_eq!(code(&about(52.0 + 15.89), &early, &spec), Code::TooFewRotations);
    for swing in [f64::NAN, -1.0, f64::INFINITY] {
        let spec = TestSpec {
            allowed_swing: Some(swing),
            ..spec.clone()
        };
        assert_eq!(code(&about(900.0), &early, &spec), Code::TooFewRotations);
    }
}

#[test]
fn missing_evidence_comes_first() {
    let aliased = RunConditions {
        sampling: Sampling::Aliased {
            apparent_period_s: 1320.0,
        },
        ..conditions()
    };
    let (outcome, reason) = decide(&about(900.0), None, &aliased, &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::Aliased));
    assert!(reason.sentence.contains("1320 s"), "{}", reason.sentence);
    assert_eq!(code(&Posterior::default(), &conditions(), &spec()), Code::TooFewSamples);
}

#[test]
fn fewer_parts_than_checkpoints_are_needed_never_pass() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let filled = |filled| RunConditions { filled, ..conditions() };
    let (outcome, reason) = decide(&flat, None, &filled(15), &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::TooFewSamples));
    assert!(reason.sentence.contains("15 parts of the run"), "{}", reason.sentence);
    assert_eq!(decide(&flat, None, &filled(16), &spec()).0, Outcome::Pass);
    assert_eq!(decide(&about(90.0), None, &filled(15), &spec()).0, Outcome::Fail);
}

#[test]
fn growth_that_stopped_decides_by_majority() {
    let ramp = fit(900.0, 1.0, Model::Linear, 0.0);
    let stop = fit(0.0, 1.0, Model::Changepoint { changepoint: 40 }, -9.0);
    assert_eq!(
        code(&posterior_of(&[ramp, stop]), &conditions(), &spec()),
        Code::LimitExceeded
    );
    assert_eq!(
        code(&posterior_of(&[ramp, stop, stop]), &conditions(), &spec()),
        Code::GrowthStopped
    );
}

#[test]
fn what_still_settles_is_no_baseline() {
    // Of 600 s, the slowest warm-up (163 s) falls at the end by 3.7 · exp(−3.7) of its size over the line.
    let flat = |log_weight: f64| Fit {
        log_weight,
        ..fit(0.0, 0.1, Model::Linear, 0.0)
    };
    let slow = fit(0.0, 0.1, Model::WarmUp { warm_up: 22 }, 100.0);
    assert_eq!(
        code(&posterior_of(&[flat(18.9f64.ln()), slow]), &conditions(), &spec()),
        Code::StillFalling
    );
    assert_eq!(
        code(&posterior_of(&[flat(19.1f64.ln()), slow]), &conditions(), &spec()),
        Code::WithinLimit
    );
}

#[test]
fn the_planned_length_is_kept_to_a_sample() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let planned = |planned_s| code(&flat, &conditions(), &TestSpec { planned_s, ..spec() });
    assert_eq!(planned(601.0), Code::WithinLimit);
    assert_eq!(planned(601.1), Code::TooShort);
    let early = TestSpec {
        analysis: Analysis::Interim,
        ..spec()
    };
    assert_eq!(code(&flat, &conditions(), &early), Code::TooShort);
}

#[test]
fn rises_count_as_growth_where_they_are_not_separable() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let (outcome, reason) = decide(&flat, Some(0.75), &conditions(), &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
    assert!(reason.sentence.contains("allows 7.9 steps"), "{}", reason.sentence);
    assert_eq!(decide(&flat, Some(0.0399), &conditions(), &spec()).0, Outcome::Pass);
    // It only prevents a pass: a fail needs the posterior itself.
    let (_, reason) = decide(&flat, Some(0.999), &conditions(), &spec());
    assert_eq!(reason.code, Code::StraddlesLimit);
    let (outcome, _) = decide(&about(900.0), Some(0.0399), &conditions(), &spec());
    assert_eq!(outcome, Outcome::Fail);
}

#[test]
fn a_rise_at_the_end_of_a_long_run_is_the_reason() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let long = RunConditions {
        allowance: 8.0,
        ..conditions()
    };
    let (outcome, reason) = decide(&flat, Some(0.75), &long, &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
    assert!(reason.sentence.contains("rose at the end"), "{}", reason.sentence);
}

#[test]
fn an_end_that_was_not_seen_never_passes() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let unseen = RunConditions {
        unseen_s: 30.0,
        ..conditions()
    };
    let (outcome, reason) = decide(&flat, None, &unseen, &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::StraddlesLimit));
    assert!(reason.sentence.contains("at the end, for 30 s"), "{}", reason.sentence);
    assert_eq!(decide(&about(90.0), None, &unseen, &spec()).0, Outcome::Fail);
}

#[test]
fn nothing_passes_before_a_late_leak_would_show() {
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let allowing = |allowance| RunConditions {
        allowance,
        ..conditions()
    };
    // 2 · 0.3 · 5/3 = 1.
    assert_eq!(code(&flat, &allowing(1.67), &spec()), Code::WithinLimit);
    let (outcome, reason) = decide(&flat, None, &allowing(1.25), &spec());
    assert_eq!((outcome, reason.code), (Outcome::Inconclusive, Code::TooShort));
    // 600 s · 1 / (0.6 · 1.25) = 800 s.
    assert!(reason.sentence.contains("800 s are needed"), "{}", reason.sentence);
    assert_eq!(code(&about(90.0), &allowing(1.25), &spec()), Code::LimitExceeded);
}

#[test]
fn sentences_carry_their_figures() {
    let sentence = |posterior: &Posterior| decide(posterior, None, &conditions(), &spec()).1.sentence;
    assert_eq!(
        sentence(&about(3.0)),
        "growth is above the limit with 75.0 %: neither proven nor excluded"
    );
    assert!(sentence(&about(100.0)).starts_with("growth is above the limit with 99."));
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    assert_eq!(sentence(&flat), "growth is below the limit with 98.4 %");
}

#[test]
fn each_reason_has_its_sentence() {
    let sentence = |posterior: &Posterior, conditions: &RunConditions, spec: &TestSpec| {
        decide(posterior, None, conditions, spec).1.sentence
    };
    assert_eq!(
        sentence(&about(-5.92), &conditions(), &spec()),
        "the value is still falling: this is no baseline yet"
    );
    let stop = fit(0.0, 1.0, Model::Changepoint { changepoint: 40 }, -9.0);
    let stopped = sentence(&posterior_of(&[stop]), &conditions(), &spec());
    assert!(stopped.starts_with("growth stopped in the second half"), "{stopped}");
    let flat = posterior_of(&[fit(0.0, 0.1, Model::Linear, 0.0)]);
    let longer = TestSpec {
        planned_s: 700.0,
        ..spec()
    };
    assert_eq!(
        sentence(&flat, &conditions(), &longer),
        "600 s of the 700 s that were planned"
    );
    let few = RunConditions {
        rotations: Some(3),
        ..conditions()
    };
    assert_eq!(
        sentence(&about(3.0), &few, &spec()),
        "3 whole rotations: 4 are needed to fail, 6 to pass"
    );
}
