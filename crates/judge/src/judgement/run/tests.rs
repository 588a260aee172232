//! Findings about runs with one defect each.

use leakcheck_model::{Record, Samples};

use super::*;
use crate::judgement::judge::judge as judged;
use crate::judgement::tests::test_support::RunBuilder;

fn outcome_of(builder: RunBuilder) -> (Verdict, Vec<ReasonCode>) {
    let judgement = judged(&builder.limit("fds", "max < 100").record());
    (judgement.verdict, judgement.reasons.iter().map(|r| r.code).collect())
}

fn sound() -> RunBuilder {
    RunBuilder::run(60, 5).metric("fds", |_| Some(40.0))
}

#[test]
fn a_run_without_incident_has_no_findings() {
    assert_eq!(outcome_of(sound()), (Verdict::Pass, vec![]));
}

#[test]
fn impairments_decide_by_their_code() {
    let impaired = |code| outcome_of(sound().with(|r| r.facts.impairments.push(Reason::new(code, "so"))));
    for (code, verdict) in [
        (ReasonCode::TargetDied, Verdict::Fail),
        (ReasonCode::TargetNotReady, Verdict::Fail),
        (ReasonCode::LoadNotDelivered, Verdict::Invalid),
        (ReasonCode::EngineLost, Verdict::Invalid),
    ] {
        assert_eq!(impaired(code), (verdict, vec![code]));
    }
}

#[test]
fn a_target_that_died_fails_and_one_that_was_restarted_is_another() {
    let died = sound().with(|r| r.facts.died = Some((33.0, "exit status 3".into())));
    assert_eq!(outcome_of(died), (Verdict::Fail, vec![ReasonCode::TargetDied]));
    // A dead target has no samples, so none are missing.
    let dead = sound()
        .cut_at(33.0)
        .with(|r| r.facts.died = Some((33.0, "exit status 3".into())));
    assert_eq!(outcome_of(dead), (Verdict::Fail, vec![ReasonCode::TargetDied]));
    let restarted = || sound().with(|r| r.facts.restarted = Some("pid 7 is now 8".into()));
    assert_eq!(
        outcome_of(restarted()),
        (Verdict::Invalid, vec![ReasonCode::TargetRestarted])
    );
}

#[test]
fn an_unintended_target_overrides_any_limit() {
    let leaking = |code| {
        let builder = RunBuilder::run(60, 5)
            .metric("fds", |_| Some(400.0))
            .with(|r| r.facts.impairments.push(Reason::new(code, "so")));
        outcome_of(builder).0
    };
    for code in [
        ReasonCode::TargetRestarted,
        ReasonCode::ClockJumped,
        ReasonCode::EngineLost,
        ReasonCode::EngineUnreachable,
        ReasonCode::StaleBuild,
    ] {
        assert_eq!(leaking(code), Verdict::Invalid, "{code:?}");
    }
    assert_eq!(leaking(ReasonCode::LoadNotDelivered), Verdict::Fail);
}

#[test]
fn a_run_that_was_cut_short_is_undecided() {
    let interrupted = sound().with(|r| r.facts.interrupted = true);
    assert_eq!(
        outcome_of(interrupted),
        (Verdict::Inconclusive, vec![ReasonCode::Interrupted])
    );
    let killed = sound().with(|r| r.facts.finished = false);
    assert_eq!(
        outcome_of(killed),
        (Verdict::Inconclusive, vec![ReasonCode::Interrupted])
    );
    let table = sound().with(|r| (r.facts.finished, r.plan) = (false, None));
    assert_eq!(outcome_of(table), (Verdict::Pass, vec![]));
}

#[test]
fn faults_that_hit_nothing_are_warnings_and_without_any_hit_the_run_is_invalid() {
    let after = |hits: &[Option<u64>]| {
        let span = |(index, &hits): (usize, &Option<u64>)| FaultSpan {
            index,
            what: "log streams stall for 2s".into(),
            from_s: 10.0,
            to_s: Some(12.0),
            hits,
        };
        let faults = hits.iter().enumerate().map(span).collect();
        judged(
            &sound()
                .with(|r| r.facts.faults = faults)
                .limit("fds", "max < 100")
                .record(),
        )
    };
    let outcome_of = |hits: &[Option<u64>]| {
        let judgement = after(hits);
        let codes: Vec<_> = judgement.reasons.iter().map(|r| r.code).collect();
        (judgement.verdict, codes, judgement.warnings.len())
    };
    assert_eq!(outcome_of(&[Some(3), Some(1)]), (Verdict::Pass, vec![], 0));
    assert_eq!(outcome_of(&[Some(3), Some(0)]), (Verdict::Pass, vec![], 1));
    assert!(
        after(&[Some(3), Some(0)]).warnings[0]
            .message
            .starts_with("fault 2 hit nothing")
    );
    let invalid = (Verdict::Invalid, vec![ReasonCode::LoadNotDelivered], 0);
    assert_eq!(outcome_of(&[Some(0), Some(0)]), invalid);
    // A fault without a count (unfinished, or of an older version) says nothing.
    assert_eq!(outcome_of(&[Some(0), None]), invalid);
    assert_eq!(outcome_of(&[None]), (Verdict::Pass, vec![], 0));
}

#[test]
fn without_a_limit_nothing_was_judged() {
    let judgement = judged(&sound().record());
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert_eq!(judgement.reasons[0].code, ReasonCode::NoLimits);
}

#[test]
fn a_single_missing_sample_is_no_gap_in_a_short_run() {
    // Of 11 samples one is 9 %, two are 18 %.
    let missing = |last: f64| {
        let short = RunBuilder::run(10, 5).metric("fds", |_| Some(40.0));
        outcome_of(short.without_seconds(|t| t > 3.0 && t <= last))
    };
    assert_eq!(missing(4.0), (Verdict::Pass, vec![]));
    assert_eq!(missing(5.0), (Verdict::Invalid, vec![ReasonCode::SamplesMissed]));
}

#[test]
fn more_than_a_twentieth_of_the_samples_may_not_be_missing() {
    // Of 61 samples three may be missing, four may not: 4/61 is 6.6 %.
    let missing = |last: f64| outcome_of(sound().without_seconds(|t| t > 10.0 && t <= last));
    assert_eq!(missing(13.0), (Verdict::Pass, vec![]));
    assert_eq!(missing(14.0), (Verdict::Invalid, vec![ReasonCode::SamplesMissed]));
    let nothing = outcome_of(sound().without(leakcheck_model::Phase::Measure));
    assert_eq!(nothing.0, Verdict::Invalid);
    assert_eq!(nothing.1[0], ReasonCode::TooShort);
}

#[test]
fn time_that_does_not_go_forward_is_a_clock_that_jumped() {
    let jumped = outcome_of(sound().with(|r| r.samples.t_s[30] = r.samples.t_s[29]));
    assert_eq!(jumped, (Verdict::Invalid, vec![ReasonCode::ClockJumped]));
}

fn table(times: impl Iterator<Item = f64>) -> (Verdict, Vec<ReasonCode>) {
    let mut samples = Samples::new(vec!["fds".into()]);
    for t_s in times {
        samples.t_s.push(t_s);
        samples.phase.push(leakcheck_model::Phase::Measure);
        samples.columns[0].push(Some(40.0));
    }
    let limits = vec![("fds".to_owned(), "max < 100".parse().expect("a rule"))];
    let judgement = judged(&Record::from_table("t".into(), samples, limits, None));
    (judgement.verdict, judgement.reasons.iter().map(|r| r.code).collect())
}

#[test]
fn gaps_in_a_table_follow_from_its_own_spacing() {
    let minutes = |from: u32, to: u32| {
        table(
            (0..=3600)
                .filter(move |i| !(from * 60..to * 60).contains(i))
                .map(f64::from),
        )
    };
    assert_eq!(minutes(10, 50), (Verdict::Invalid, vec![ReasonCode::SamplesMissed]));
    assert_eq!(minutes(10, 14), (Verdict::Invalid, vec![ReasonCode::SamplesMissed]));
    assert_eq!(minutes(10, 13), (Verdict::Pass, vec![]));
    // Uneven spacings are no gaps, and a few checkpoints have no usual spacing.
    let uneven = (0..200).map(|i| f64::from(i) * 10.0 + f64::from(i % 7));
    assert_eq!(table(uneven), (Verdict::Pass, vec![]));
    assert_eq!(table([0.0, 1.0, 2.0, 600.0].into_iter()), (Verdict::Pass, vec![]));
}

#[test]
fn a_gap_is_three_times_the_usual_spacing_and_counts_beyond_one() {
    // Sixteen rows every 10 s, with `gap` between the eighth and the ninth; what exceeds 10 s is missing.
    let with = |gap: f64, from: f64| {
        table((0..16).map(move |i| from + 10.0 * f64::from(i) + if i > 7 { gap - 10.0 } else { 0.0 }))
    };
    let missed = (Verdict::Invalid, vec![ReasonCode::SamplesMissed]);
    assert_eq!(with(30.0, 0.0), (Verdict::Pass, vec![]));
    assert_eq!(with(31.0, 0.0), missed);
    assert_eq!(with(31.0, 1e4), missed);
    // Rows every half second, where a gap begins at 1.5 s.
    let halves = |gap: f64| table((0..100).map(move |i| 0.5 * f64::from(i) + if i > 50 { gap - 0.5 } else { 0.0 }));
    assert_eq!(halves(5.0), missed);
    let often = (0..100).map(|i| 0.5 * f64::from(i) + 1.5 * f64::from(i / 10));
    assert_eq!(table(often), missed);
    // Fifteen rows are too few.
    let few = (0..15).map(|i| 10.0 * f64::from(i) + if i > 7 { 100.0 } else { 0.0 });
    assert_eq!(table(few), (Verdict::Pass, vec![]));
}

#[test]
fn a_run_without_measurement_reports_only_the_cause() {
    let nothing = || sound().without(leakcheck_model::Phase::Measure);
    assert_eq!(outcome_of(nothing()), (Verdict::Invalid, vec![ReasonCode::TooShort]));
    let lost = nothing().with(|r| r.facts.impairments.push(Reason::new(ReasonCode::EngineLost, "so")));
    assert_eq!(outcome_of(lost), (Verdict::Invalid, vec![ReasonCode::EngineLost]));
}

#[test]
fn missing_samples_are_counted_by_the_planned_spacing() {
    // Every 2 s from 0 to 120 s makes 61: three may be missing, four may not, at any start of the clock.
    let missing = |last: f64, begun: f64| {
        let builder = RunBuilder::run(120, 5)
            .metric("fds", |_| Some(40.0))
            .with(|r| r.plan.as_mut().expect("a plan").sample_every_s = 2.0)
            .without_seconds(move |t| t % 2.0 != 0.0 || (t > 20.0 && t <= last))
            .with(|r| r.samples.t_s.iter_mut().for_each(|t| *t += begun));
        outcome_of(builder)
    };
    for begun in [0.0, 1e6] {
        assert_eq!(missing(26.0, begun), (Verdict::Pass, vec![]));
        assert_eq!(
            missing(28.0, begun),
            (Verdict::Invalid, vec![ReasonCode::SamplesMissed])
        );
    }
}

#[test]
fn a_twentieth_of_the_samples_may_be_missing() {
    // Three of sixty.
    let builder = RunBuilder::run(59, 5).metric("fds", |_| Some(40.0));
    assert_eq!(
        outcome_of(builder.without_seconds(|t| t > 10.0 && t <= 13.0)),
        (Verdict::Pass, vec![])
    );
}
