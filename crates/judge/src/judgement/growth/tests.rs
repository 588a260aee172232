//! Growth statistics judged on whole records.

use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{ReasonCode, Verdict};

use crate::judgement::judge::{certain_failures, final_analysis, judge as judged, needs_extension};
use crate::judgement::tests::test_support::{RunBuilder, noise};
use crate::test_spec::Analysis;

fn run(seconds: u32, value: impl Fn(f64) -> f64) -> RunBuilder {
    RunBuilder::run(seconds, 5).metric("fds", move |t| Some((1000.0 + value(t) + noise(t)).round()))
}

fn one(builder: RunBuilder, rule: &str) -> LimitResult {
    judged(&builder.limit("fds", rule).record()).limits.remove(0)
}

fn outcome_of(builder: RunBuilder, rule: &str) -> (Verdict, Option<ReasonCode>) {
    let limit = one(builder, rule);
    (limit.outcome, limit.reason.map(|r| r.code))
}

const PASS: (Verdict, Option<ReasonCode>) = (Verdict::Pass, None);

#[test]
fn growth_per_minute_passes_fails_and_is_left_open() {
    let exceeded = (Verdict::Fail, Some(ReasonCode::LimitExceeded));
    assert_eq!(outcome_of(run(900, |_| 0.0), "growth_per_min < 2"), PASS);
    assert_eq!(outcome_of(run(900, |t| t / 6.0), "growth_per_min < 2"), exceeded);
    let straddles = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
    assert_eq!(outcome_of(run(900, |t| t / 30.0), "growth_per_min < 2"), straddles);
    assert_eq!(outcome_of(run(600, |t| -t / 5.0), "growth_per_min < 2"), straddles);
    let stopped = outcome_of(run(1800, |t| 40.0 * t.min(1200.0) / 60.0), "growth_per_min < 2");
    assert_eq!(stopped, (Verdict::Inconclusive, Some(ReasonCode::GrowthStopped)));
    let limit = one(run(900, |t| t / 6.0), "growth_per_min < 2");
    let (low, high) = (limit.low.expect("known"), limit.high.expect("known"));
    assert!(low < 10.0 && 10.0 < high && limit.bound == Some(2.0), "{low} {high}");
    let message = limit.reason.expect("a fail has a reason").message;
    assert!(message.contains("(growth per minute 10"), "{message}");
}

#[test]
fn a_run_is_held_to_its_plan_within_two_samples() {
    let planned = |seconds: f64| {
        let longer = run(600, |_| 0.0).with(|r| r.plan.as_mut().expect("planned").measure_s = seconds);
        outcome_of(longer, "growth_per_min < 2")
    };
    // 601 s and one spacing, compared with the plan minus two spacings.
    assert_eq!(planned(604.0), PASS);
    assert_eq!(planned(604.5), (Verdict::Inconclusive, Some(ReasonCode::TooShort)));
}

#[test]
fn growth_needs_a_positive_upper_limit() {
    for rule in [
        "growth_per_min > 2",
        "growth_per_min < 0",
        "per_rotation > 1",
        "growth > 5",
        "growth < 0",
    ] {
        let (outcome, code) = outcome_of(run(300, |_| 0.0), rule);
        assert_eq!(
            (outcome, code),
            (Verdict::Invalid, Some(ReasonCode::NotComputable)),
            "{rule}"
        );
    }
}

#[test]
fn growth_per_rotation_counts_by_the_rotations() {
    let rotating = |each: f64| {
        run(900, move |t| each * (t.max(0.0) / 30.0).floor())
            .rotating_every(30.0)
            .metric("rotations", |t| Some(5.0 * (t.max(0.0) / 30.0).floor()))
    };
    // 10 per rotation of all five containers: 2 per rotation of one.
    let limit = one(rotating(10.0), "per_rotation < 0.5");
    assert_eq!(limit.outcome, Verdict::Fail, "{:?}", limit.reason);
    assert!(
        (limit.measured.expect("known") - 2.0).abs() < 0.2,
        "{:?}",
        limit.measured
    );
    assert_eq!(outcome_of(rotating(0.0), "per_rotation < 0.5"), PASS);
    let blind = outcome_of(run(900, |_| 0.0), "per_rotation < 0.5");
    assert_eq!(blind, (Verdict::Invalid, Some(ReasonCode::NotComputable)));
    let unseen = run(900, |_| 0.0).metric("rotations", |_| None);
    assert_eq!(
        outcome_of(unseen, "per_rotation < 0.5").1,
        Some(ReasonCode::NotComputable)
    );
}

#[test]
fn a_target_that_never_rotated_is_not_passed() {
    let rotating = |rotations: f64| {
        let builder = run(900, |_| 0.0).rotating_every(30.0);
        outcome_of(
            builder.metric("rotations", move |t| Some(rotations * t.max(0.0) / 900.0)),
            "growth_per_min < 2",
        )
    };
    let too_few = (Verdict::Invalid, Some(ReasonCode::TooFewRotations));
    assert_eq!(rotating(0.0), too_few);
    // One of each of five makes five; six of each make thirty.
    assert_eq!(rotating(5.0), too_few);
    assert_eq!(rotating(30.0), PASS);
    // Where containers come and go, one that ends before its first rotation is healthy.
    let churn = run(900, |_| 0.0)
        .rotating_every(30.0)
        .metric("rotations", |_| Some(0.0))
        .with(|r| {
            let row = r.samples.t_s.len() / 2;
            let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
            r.samples.columns[at][row] = Some(4.0);
        });
    assert_eq!(outcome_of(churn, "growth_per_min < 2"), PASS);
}

#[test]
fn endpoint_rates_need_a_baseline_that_does_not_fall() {
    assert_eq!(outcome_of(run(600, |_| 0.0), "endpoint_per_min < 2"), PASS);
    let limit = one(run(600, |t| t / 6.0), "endpoint_per_min < 2");
    assert_eq!(limit.outcome, Verdict::Fail);
    assert!((limit.measured.expect("known") - 10.0).abs() < 0.7);
    // 6B at minute ten: -10.75 a minute.
    let open = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
    assert_eq!(
        outcome_of(run(600, |t| -10.75 * t / 60.0), "endpoint_per_min < 2"),
        open
    );
    // A fall that is slower than the limit from end to end, and steeper at the end.
    let late_fall = run(600, |t| 12.0 - 0.2 * (t - 480.0).max(0.0));
    assert_eq!(outcome_of(late_fall, "endpoint_per_min < 2").0, Verdict::Inconclusive);
    assert_eq!(
        outcome_of(run(600, |t| -10.75 * t / 60.0), "endpoint_per_min > -20").0,
        Verdict::Pass
    );
    assert_eq!(
        outcome_of(run(0, |_| 0.0), "endpoint_per_min < 2").1,
        Some(ReasonCode::TooShort)
    );
}

#[test]
fn a_budget_tells_a_pool_from_a_leak() {
    assert_eq!(outcome_of(run(900, |_| 0.0), "growth < 50"), PASS);
    let leak = outcome_of(run(900, |t| t / 6.0), "growth < 50");
    assert_eq!(leak, (Verdict::Fail, Some(ReasonCode::LimitExceeded)));
    let pool = outcome_of(run(900, |t| if t > 300.0 { 90.0 } else { 0.0 }), "growth < 50");
    assert_eq!(pool, (Verdict::Inconclusive, Some(ReasonCode::OverBudget)));
    assert_eq!(outcome_of(run(0, |_| 0.0), "growth < 50").1, Some(ReasonCode::TooShort));
}

#[test]
fn a_budget_is_not_kept_by_a_fall() {
    let falls = |t: f64| 300.0 * (-t / 60.0).exp();
    let open = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
    // A fall from first to last, and a leak of 10 a minute behind a fall of 300.
    assert_eq!(outcome_of(run(900, |t| -t / 2.0), "growth < 50"), open);
    assert_eq!(outcome_of(run(900, |t| falls(t) + t / 6.0), "growth < 50"), open);
    assert_eq!(outcome_of(run(900, falls), "growth < 50"), PASS);
}

#[test]
fn limits_on_growth_share_the_error() {
    let low = |more: &[&str]| {
        let builder = run(900, |t| t / 30.0).limit("fds", "growth_per_min < 2");
        let builder = more.iter().fold(builder, |builder, rule| builder.limit("fds", rule));
        judged(&builder.record()).limits[0].low.expect("known")
    };
    let alone = low(&[]);
    assert!(low(&["growth_per_min < 3"]) < alone);
    assert!(low(&["per_rotation < 3"]) < alone);
    assert_eq!(low(&["max < 9000"]), alone);
}

#[test]
fn churn_is_taken_out_where_it_can_be_learnt() {
    let churning = |seconds: u32| {
        let number = |t: f64| (10.0 + 6.0 * (t / 200.0).sin()).round();
        let builder = run(seconds, move |t| 5.0 * number(t) + t / 12.0);
        builder.with(|r| {
            let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
            r.samples.columns[at] = r.samples.t_s.iter().map(|t| Some(number(*t))).collect();
        })
    };
    assert_eq!(outcome_of(churning(1200), "growth_per_min < 2").0, Verdict::Fail);
}

#[test]
fn an_interim_analysis_reports_only_certain_failures() {
    let looked_at = |value: fn(f64) -> f64, rule: &str| {
        let builder = run(1800, value).limit("fds", rule).cut_at(600.0);
        certain_failures(&builder.record()).len()
    };
    assert_eq!(looked_at(|t| t, "growth_per_min < 2"), 1);
    assert_eq!(looked_at(|_| 0.0, "growth_per_min < 2"), 0);
    assert_eq!(looked_at(|t| t, "max < 1100"), 1);
    assert_eq!(looked_at(|t| -t, "min > 900"), 1);
    // The maximum may still rise that far, and the minimum fall.
    assert_eq!(looked_at(|t| -t, "max > 1100"), 0);
    assert_eq!(looked_at(|t| t, "min < 900"), 0);
    // Statistics of the end are not certain before it.
    assert_eq!(looked_at(|t| t, "endpoint_per_min < 2"), 0);
    assert_eq!(looked_at(|t| t, "growth < 50"), 0);
    assert_eq!(looked_at(|t| t, "last < 1100"), 0);
}

#[test]
fn an_extension_helps_what_is_undecided_and_not_what_failed() {
    let context = |value: fn(f64) -> f64, rules: &[&str]| {
        let builder = rules
            .iter()
            .fold(run(900, value), |builder, rule| builder.limit("fds", rule));
        needs_extension(&builder.record())
    };
    assert!(context(|t| t / 30.0, &["growth_per_min < 2"]));
    assert!(!context(|_| 0.0, &["growth_per_min < 2"]));
    assert!(!context(|t| t / 6.0, &["growth_per_min < 2"]));
    // Another growth limit failed; and a limit that more data cannot decide.
    assert!(!context(|t| t / 30.0, &["growth_per_min < 2", "growth_per_min < 0.5"]));
    assert!(!context(|_| 0.0, &["drained <= 90% of expected"]));
}

#[test]
fn interim_analyses_and_extensions_share_the_error() {
    let low = |change: fn(&mut leakcheck_model::RunPlan)| {
        let builder = run(900, |t| t / 30.0)
            .limit("fds", "growth_per_min < 2")
            .with(|r| change(r.plan.as_mut().expect("planned")));
        judged(&builder.record()).limits[0].low.expect("known")
    };
    let once = low(|_| {});
    let looked_at = low(|plan| plan.early_stop = true);
    assert!(looked_at < once);
    assert_eq!(low(|plan| plan.max_s += 120.0), looked_at);
    let short = |early_stop, max_s| {
        let mut plan = RunBuilder::run(120, 5).record().plan.expect("planned");
        (plan.early_stop, plan.max_s) = (early_stop, max_s);
        final_analysis(&plan, None)
    };
    // Two minutes have no interim analysis.
    assert_eq!(short(true, 120.0), Analysis::Single);
    assert_eq!(short(true, 121.0), Analysis::Last);
    assert_eq!(short(false, 121.0), Analysis::Last);
}

#[test]
fn an_endpoint_rate_needs_a_clock() {
    let jumped = run(600, |_| 0.0).with(|r| r.samples.t_s[300] = r.samples.t_s[299]);
    assert_eq!(
        outcome_of(jumped, "endpoint_per_min < 2"),
        (Verdict::Invalid, Some(ReasonCode::ClockJumped))
    );
}

#[test]
fn a_required_fall_is_no_missing_baseline() {
    let falling = || run(600, |t| -10.75 * t / 60.0);
    assert_eq!(outcome_of(falling(), "endpoint_per_min < -5"), PASS);
    assert_eq!(outcome_of(falling(), "endpoint_per_min < 0"), PASS);
}

#[test]
fn a_fall_at_the_end_is_no_baseline_whatever_the_rate_from_end_to_end() {
    // From 0 to −10 in ten minutes, but 6 per minute since the fourth minute.
    let late_fall = run(600, |t| {
        if t <= 0.0 {
            0.0
        } else {
            26.0 - 0.1 * (t - 240.0).max(0.0)
        }
    });
    let limit = one(late_fall, "endpoint_per_min < 2");
    let rate = limit.measured.expect("known");
    assert!(rate > -2.0 && rate < 0.0, "{rate}");
    assert_eq!(limit.outcome, Verdict::Inconclusive);
}

#[test]
fn a_budget_is_growth_per_minute_over_the_length_of_the_run() {
    let falls = |t: f64| 300.0 * (-t.max(0.0) / 60.0).exp();
    // 40 in a quarter of an hour are 2.7 per minute. 5 per minute behind a fall exceed that, 1 per minute beside a
    // step does not.
    let leak = run(900, |t| falls(t) + t / 12.0);
    assert_eq!(
        outcome_of(leak, "growth < 40"),
        (Verdict::Inconclusive, Some(ReasonCode::Straddles))
    );
    let pool = run(900, |t| falls(t) + t / 60.0 + if t > 450.0 { 60.0 } else { 0.0 });
    assert_eq!(outcome_of(pool, "growth < 40"), PASS);
}
