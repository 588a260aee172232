//! Outcomes, reasons and shapes of single series.

use leakcheck_judge::{Analysis, Assessment, Code, Outcome, Series, Shape, TestSpec, assess, assess_per_rotation};

const LIMIT: f64 = 2.0;

/// Rounded noise of standard deviation about 3 that is the same in every run.
fn noise(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let share = ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64;
    (share - 0.5) * 10.0
}

fn each_second(seconds: usize, value: impl Fn(f64) -> f64) -> Series {
    let times: Vec<f64> = (0..=seconds).map(|i| i as f64).collect();
    let values = times
        .iter()
        .enumerate()
        .map(|(i, t)| (1400.0 + value(*t) + noise(i)).round())
        .collect();
    Series::new(times, values).expect("in order")
}

fn spec(series: &Series) -> TestSpec {
    TestSpec::at_most(LIMIT, series.span_s()).rotating_every(30.0)
}

fn judged(seconds: usize, value: impl Fn(f64) -> f64) -> Assessment {
    let series = each_second(seconds, value);
    assess(&series, &spec(&series))
}

fn first_shape(assessment: &Assessment) -> Shape {
    assessment.shapes.first().expect("something is seen").shape
}

#[test]
fn nothing_is_flat() {
    let assessment = judged(900, |_| 0.0);
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Pass, Code::WithinLimit)
    );
    assert_eq!(first_shape(&assessment), Shape::Flat);
    assert!(!assessment.growing);
    assert!(assessment.above_limit < 0.05);
    let growth = assessment.growth.expect("fitted");
    assert!(
        growth.low < 0.0 && 0.0 < growth.high && growth.high < LIMIT,
        "{growth:?}"
    );
}

#[test]
fn a_leak_is_a_ramp_with_its_rate() {
    let assessment = judged(900, |t| 10.0 * t / 60.0);
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Fail, Code::LimitExceeded)
    );
    assert_eq!(first_shape(&assessment), Shape::Linear);
    assert!(assessment.growing && assessment.above_limit > 0.99);
    let growth = assessment.growth.expect("fitted");
    assert!(growth.low < 10.0 && 10.0 < growth.high, "{growth:?}");
    assert!((growth.estimate - 10.0).abs() < 0.5, "{growth:?}");
}

#[test]
fn a_step_that_stays_is_no_leak_and_is_reported_with_size_and_time() {
    let assessment = judged(900, |t| if t > 400.0 { 100.0 } else { 0.0 });
    assert_eq!(assessment.outcome, Outcome::Pass, "{:?}", assessment.reason);
    let Shape::Step { size, at_s } = first_shape(&assessment) else {
        panic!("{:?}", assessment.shapes)
    };
    assert!(
        (size - 100.0).abs() < 5.0 && (at_s - 400.0).abs() < 16.0,
        "{size} at {at_s}"
    );
}

#[test]
fn two_steps_are_reported_as_two() {
    let assessment = judged(1800, |t| {
        if t > 1200.0 {
            160.0
        } else if t > 500.0 {
            60.0
        } else {
            0.0
        }
    });
    assert_eq!(assessment.outcome, Outcome::Pass, "{:?}", assessment.reason);
    let Shape::TwoSteps {
        first_size,
        second_size,
        first_at_s,
        second_at_s,
    } = first_shape(&assessment)
    else {
        panic!("{:?}", assessment.shapes)
    };
    assert!((first_size - 60.0).abs() < 5.0 && (second_size - 100.0).abs() < 5.0);
    assert!((first_at_s - 500.0).abs() < 31.0 && (second_at_s - 1200.0).abs() < 31.0);
}

#[test]
fn a_warm_up_is_no_leak_and_is_reported_with_size_and_time_constant() {
    let assessment = judged(1800, |t| 300.0 * (1.0 - (-t / 60.0).exp()));
    assert_eq!(assessment.outcome, Outcome::Pass, "{:?}", assessment.reason);
    let Shape::WarmUp { size, time_constant_s } = first_shape(&assessment) else {
        panic!("{:?}", assessment.shapes)
    };
    assert!(
        (30.0..90.0).contains(&time_constant_s) && (150.0..320.0).contains(&size),
        "{size} in {time_constant_s}"
    );
}

#[test]
fn a_late_onset_is_found_with_its_time() {
    let assessment = judged(1800, |t| 138.0 * (t - 1080.0).max(0.0) / 60.0);
    assert_eq!(assessment.outcome, Outcome::Fail, "{:?}", assessment.reason);
    let Shape::LateOnset { at_s, before } = first_shape(&assessment) else {
        panic!("{:?}", assessment.shapes)
    };
    assert!(
        (at_s - 1080.0).abs() < 31.0 && before.abs() < 3.0,
        "{before} before {at_s}"
    );
}

#[test]
fn growth_that_stopped_late_is_left_open() {
    let assessment = judged(1800, |t| 40.0 * t.min(1200.0) / 60.0);
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Inconclusive, Code::GrowthStopped)
    );
}

#[test]
fn a_baseline_that_still_falls_is_no_pass() {
    let assessment = judged(600, |t| -10.75 * t / 60.0);
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Inconclusive, Code::StillFalling)
    );
}

#[test]
fn a_sawtooth_of_the_rotation_is_taken_out_and_reported() {
    let assessment = judged(900, |t| 60.0 * (t / 30.0).fract());
    assert_eq!(assessment.outcome, Outcome::Pass, "{:?}", assessment.reason);
    let Some(Shape::Sawtooth { swing, period_s }) = assessment.shapes.last().map(|shape| shape.shape) else {
        panic!("{:?}", assessment.shapes)
    };
    assert!(period_s == 30.0 && (25.0..60.0).contains(&swing), "{swing}");
    assert_eq!(
        judged(900, |t| 60.0 * (t / 30.0).fract() + t / 6.0).outcome,
        Outcome::Fail
    );
}

#[test]
fn a_few_teeth_of_an_unknown_sawtooth_are_no_leak() {
    let series = each_second(150, |t| 80.0 * (t / 45.0).fract());
    let assessment = assess(&series, &TestSpec::at_most(LIMIT, 150.0));
    assert_eq!(assessment.outcome, Outcome::Inconclusive, "{:?}", assessment.growth);
}

#[test]
fn churn_is_removed_by_the_number_of_containers() {
    let containers: Vec<f64> = (0..=1200)
        .map(|i| (10.0 + 6.0 * (i as f64 / 200.0).sin()).round())
        .collect();
    let number = |t: f64| containers[t as usize];
    let series = each_second(1200, |t| 5.0 * number(t) + 5.0 * t / 60.0);
    let blind = assess(&series, &spec(&series));
    assert_eq!(blind.outcome, Outcome::Inconclusive, "{:?}", blind.reason);
    assert_eq!(blind.per_container, None);
    let informed = assess(
        &series,
        &TestSpec {
            covariate: Some(containers.clone()),
            ..spec(&series)
        },
    );
    assert_eq!(informed.outcome, Outcome::Fail, "{:?}", informed.reason);
    assert!((informed.per_container.expect("given") - 5.0).abs() < 0.7);
}

#[test]
fn before_four_rotations_only_more_than_their_swing_fails() {
    let series = each_second(600, |t| t);
    let slow = TestSpec::at_most(LIMIT, 600.0).rotating_every(200.0);
    assert_eq!(assess(&series, &slow).reason.code, Code::TooFewRotations);
    // 60 per minute, compared with 2 + 60 · 150/200 = 47 and with 2 + 60 · 200/200.
    let assessment = assess(
        &series,
        &TestSpec {
            allowed_swing: Some(150.0),
            ..slow.clone()
        },
    );
    assert_eq!(assessment.outcome, Outcome::Fail);
    let assessment = assess(
        &series,
        &TestSpec {
            allowed_swing: Some(200.0),
            ..slow.clone()
        },
    );
    assert_eq!(assessment.outcome, Outcome::Inconclusive);
    assert_eq!(assess(&series, &slow.rotating_every(150.0)).outcome, Outcome::Fail);
}

#[test]
fn six_rotations_are_needed_to_pass() {
    let series = each_second(599, |_| 0.0);
    let rotating = |period_s| {
        assess(&series, &TestSpec::at_most(LIMIT, 599.0).rotating_every(period_s))
            .reason
            .code
    };
    assert_eq!(rotating(100.0), Code::WithinLimit);
    assert_eq!(rotating(101.0), Code::TooFewRotations);
}

#[test]
fn nothing_passes_before_its_planned_length() {
    let series = each_second(600, |_| 0.0);
    let planned = |planned_s| {
        assess(
            &series,
            &TestSpec {
                planned_s,
                ..spec(&series)
            },
        )
        .reason
        .code
    };
    assert_eq!(planned(602.0), Code::WithinLimit);
    assert_eq!(planned(603.0), Code::TooShort);
}

#[test]
fn an_interim_analysis_may_fail_and_never_passes() {
    let early = |series: &Series| {
        assess(
            series,
            &TestSpec {
                analysis: Analysis::Interim,
                ..spec(series)
            },
        )
    };
    assert_eq!(early(&each_second(600, |_| 0.0)).reason.code, Code::TooShort);
    assert_eq!(early(&each_second(120, |t| 200.0 * t / 60.0)).outcome, Outcome::Fail);
}

#[test]
fn a_quiet_minute_with_rotations_of_five_seconds_can_pass() {
    let times: Vec<f64> = (0..=60).map(f64::from).collect();
    let values = times
        .iter()
        .map(|t| if t % 17.0 == 3.0 { 56.0 } else { 55.0 })
        .collect();
    let series = Series::new(times, values).expect("in order");
    let assessment = assess(&series, &TestSpec::at_most(LIMIT, 60.0).rotating_every(5.0));
    assert_eq!(
        assessment.outcome,
        Outcome::Pass,
        "{:?} {:?}",
        assessment.reason,
        assessment.growth
    );
}

#[test]
fn growth_per_rotation_does_not_depend_on_the_speed() {
    let spec = TestSpec {
        limit_per_min: 0.5,
        ..TestSpec::at_most(0.5, 600.0)
    };
    let estimate = |period_s: f64| {
        // Four per rotation, whatever the period.
        let series = each_second(600, |t| 4.0 * t / period_s);
        let rotations: Vec<f64> = series.t_s().iter().map(|t| t / period_s).collect();
        let assessment = assess_per_rotation(&series, &rotations, &spec);
        assert_eq!(assessment.outcome, Outcome::Fail, "{:?}", assessment.reason);
        assessment.growth.expect("fitted").estimate
    };
    assert!((estimate(20.0) - 4.0).abs() < 0.1 && (estimate(60.0) - 4.0).abs() < 0.3);
}

#[test]
fn growth_per_rotation_follows_a_run_that_changes_its_speed() {
    // Twice as fast in the second half: a changepoint in time, a straight line in rotations.
    let rotations_at = |t: f64| {
        if t < 450.0 { t / 30.0 } else { 15.0 + (t - 450.0) / 15.0 }
    };
    let series = each_second(900, |t| 4.0 * rotations_at(t));
    let rotations: Vec<f64> = series.t_s().iter().map(|t| rotations_at(*t)).collect();
    let assessment = assess_per_rotation(&series, &rotations, &TestSpec::at_most(0.5, 900.0));
    assert!((assessment.growth.expect("fitted").estimate - 4.0).abs() < 0.15);
    assert_eq!(first_shape(&assessment), Shape::Linear);
}

#[test]
fn without_rotations_there_is_no_growth_per_rotation() {
    let series = each_second(600, |t| t);
    let assessment = assess_per_rotation(&series, &[3.0; 601], &TestSpec::at_most(0.5, 600.0));
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Inconclusive, Code::TooFewRotations)
    );
    let assessment = assess_per_rotation(&series, &[3.0; 600], &TestSpec::at_most(0.5, 600.0));
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Invalid, Code::InvalidSpec)
    );
}

#[test]
fn no_samples_are_invalid_and_few_are_not_enough() {
    let none = assess(&Series::default(), &TestSpec::at_most(LIMIT, 60.0));
    assert_eq!((none.outcome, none.reason.code), (Outcome::Invalid, Code::NoData));
    let few = each_second(14, |_| 0.0);
    assert_eq!(
        assess(&few, &TestSpec::at_most(LIMIT, 14.0)).reason.code,
        Code::TooFewSamples
    );
    let bad = assess(&few, &TestSpec::at_most(-1.0, 14.0));
    assert_eq!((bad.outcome, bad.reason.code), (Outcome::Invalid, Code::InvalidSpec));
}

#[test]
fn the_noise_is_measured() {
    // Independent, uniform over 10: variance 100/12 each second; a median of 15 samples of a uniform has about twice a mean's.
    let noise = judged(900, |_| 0.0).noise.expect("fitted");
    assert!((4.0..40.0).contains(&noise.s0), "{noise:?}");
    let assessment = judged(900, |_| 0.0);
    let provable = assessment.smallest_provable_per_min.expect("fitted");
    assert!(provable > LIMIT && provable < 4.0, "{provable}");
    let late = assessment.smallest_late_leak.expect("fitted");
    assert!(
        (late.window_s - 901.0 / 8.0).abs() < 1e-9 && late.per_min > 5.0,
        "{late:?}"
    );
}

#[test]
fn gaps_and_uneven_times_are_taken_as_they_are() {
    let times: Vec<f64> = (0..900)
        .filter(|i| !(300..420).contains(i))
        .map(|i| f64::from(i) + 0.4 * noise(i as usize) / 5.0)
        .collect();
    let values = times
        .iter()
        .enumerate()
        .map(|(i, t)| (1400.0 + 10.0 * t / 60.0 + noise(i)).round())
        .collect();
    let series = Series::new(times, values).expect("in order");
    let assessment = assess(&series, &spec(&series));
    assert_eq!(assessment.outcome, Outcome::Fail, "{:?}", assessment.reason);
    assert!((assessment.growth.expect("fitted").estimate - 10.0).abs() < 0.6);
}

#[test]
fn resident_memory_in_pages_is_judged_like_a_count() {
    let pages = |rate: f64| {
        let times: Vec<f64> = (0..=900).map(f64::from).collect();
        let values = times
            .iter()
            .enumerate()
            .map(|(i, t)| ((5e7 + rate * t / 60.0 + 8192.0 * noise(i)) / 4096.0).round() * 4096.0);
        let series = Series::new(times.clone(), values.collect()).expect("in order");
        let limit = 1024.0 * 1024.0;
        assess(
            &series,
            &TestSpec {
                quantum: 4096.0,
                ..TestSpec::at_most(limit, 900.0)
            },
        )
        .outcome
    };
    assert_eq!(pages(0.0), Outcome::Pass);
    assert_eq!(pages(3e6), Outcome::Fail);
}

#[test]
fn a_million_rows_are_judged() {
    let series = each_second(1_000_000, |t| 5.0 * t / 60.0);
    let assessment = assess(&series, &spec(&series));
    assert_eq!(assessment.outcome, Outcome::Fail);
    assert!((assessment.growth.expect("fitted").estimate - 5.0).abs() < 0.01);
}

/// A rounded count with little noise that grows by `per_min` from `onset` seconds on.
fn quiet(seconds: usize, per_min: f64, onset: f64) -> Series {
    let times: Vec<f64> = (0..=seconds).map(|i| i as f64).collect();
    let values = times
        .iter()
        .enumerate()
        .map(|(i, t)| (100.4 + per_min / 60.0 * (t - onset).max(0.0) + 0.08 * noise(i)).round())
        .collect();
    Series::new(times, values).expect("in order")
}

fn rotating(series: &Series, limit: f64) -> Assessment {
    assess(series, &TestSpec::at_most(limit, series.span_s()).rotating_every(2.0))
}

#[test]
fn a_short_run_of_a_count_that_stands_still_passes_where_a_leak_would_show() {
    let still = |seconds: usize| {
        let times: Vec<f64> = (0..=seconds).map(|i| i as f64).collect();
        let values = vec![70.0; times.len()];
        Series::new(times, values).expect("in order")
    };
    assert_eq!(rotating(&still(30), 10.0).outcome, Outcome::Pass);
    assert_eq!(rotating(&still(45), 30.0).outcome, Outcome::Pass);
    assert_eq!(rotating(&still(60), 2.0).outcome, Outcome::Pass);
    let assessment = rotating(&still(30), 2.0);
    assert_eq!(
        (assessment.outcome, assessment.reason.code),
        (Outcome::Inconclusive, Code::TooShort)
    );
}

#[test]
fn a_leak_that_rose_by_a_count_or_two_does_not_pass() {
    for limit in [1.0, 2.0, 5.0, 10.0] {
        for seconds in [20, 30, 45, 60, 90, 120] {
            for onset in [0.0, 0.4, 0.5, 0.6, 0.7] {
                let series = quiet(seconds, 2.0 * limit, onset * seconds as f64);
                let assessment = rotating(&series, limit);
                assert_ne!(
                    assessment.outcome,
                    Outcome::Pass,
                    "{limit} a minute, {seconds} s, from {onset}"
                );
            }
        }
    }
}

#[test]
fn a_steep_ramp_of_forty_seconds_fails() {
    let assessment = rotating(&quiet(40, 200.0, 0.0), LIMIT);
    assert_eq!(assessment.outcome, Outcome::Fail, "{:?}", assessment.reason);
}
