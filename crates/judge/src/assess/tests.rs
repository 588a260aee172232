//! Assessments of whole series.

use super::*;

#[test]
fn rotations_between_samples_are_interpolated() {
    let (x, y) = ([0.0, 10.0, 30.0], [0.0, 1.0, 2.0]);
    assert_eq!(interpolate(&x, &y, -5.0), 0.0);
    assert_eq!(interpolate(&x, &y, 5.0), 0.5);
    assert_eq!(interpolate(&x, &y, 10.0), 1.0);
    assert_eq!(interpolate(&x, &y, 25.0), 1.75);
    assert_eq!(interpolate(&x, &y, 99.0), 2.0);
    assert_eq!(interpolate(&[], &[], 1.0), 0.0);
}

#[test]
fn the_smallest_change_is_never_below_the_arithmetic() {
    let blocks = |largest: f64| Blocks::whole(1.0, 1, vec![1.0, -largest]);
    assert_eq!(smallest_change(&blocks(2e9), 1.0), 2.0);
    assert_eq!(smallest_change(&blocks(2e9), 4096.0), 4096.0);
    assert_eq!(smallest_change(&blocks(0.0), 0.0), 1e-9);
}

fn series(n: usize, every_s: f64, value: impl Fn(usize) -> f64) -> Series {
    Series::new(
        (0..n).map(|i| i as f64 * every_s).collect(),
        (0..n).map(value).collect(),
    )
    .unwrap()
}

fn noise(i: usize) -> f64 {
    [3.0, -2.0, 1.0, -4.0, 2.0, 4.0, -1.0, -3.0, 0.0][(i * i + 3 * i) % 9]
}

fn code(assessment: &Assessment) -> Code {
    assessment.reason.code
}

#[test]
fn rotations_must_be_known_at_each_sample() {
    let (series, spec) = (series(40, 15.0, |_| 7.0), TestSpec::at_most(2.0, 600.0));
    let with = |rotations: &[f64]| code(&assess_per_rotation(&series, rotations, &spec));
    let counted: Vec<f64> = (0..40).map(f64::from).collect();
    assert_ne!(with(&counted), Code::InvalidSpec);
    assert_eq!(with(&counted[1..]), Code::InvalidSpec);
    let unknown: Vec<f64> = counted.iter().map(|n| if *n == 20.0 { f64::NAN } else { *n }).collect();
    assert_eq!(with(&unknown), Code::InvalidSpec);
}

#[test]
fn one_sample_shows_no_growth_and_fifteen_are_few() {
    let of = |n: usize| assess(&series(n, 60.0, |_| 7.0), &TestSpec::at_most(2.0, 600.0));
    assert_eq!(
        [0, 1, 2].map(|n| code(&of(n))),
        [Code::NoData, Code::NoData, Code::TooFewSamples]
    );
    assert_eq!((code(&of(15)), of(15).growth), (Code::TooFewSamples, None));
    assert!(of(16).growth.is_some());
}

#[test]
fn the_line_of_rotations_runs_from_0_to_1_and_begins_with_the_blocks() {
    // Blocks of 10 s from 100 s on; a rotation each 10 s before 120 s, and each 5 s after it: 2 and 4 of them, after 10.
    let blocks = Blocks {
        begin_s: 100.0,
        ..Blocks::whole(10.0, 1, vec![0.0; 4])
    };
    let series = series(9, 20.0, |_| 0.0);
    let rotations: Vec<f64> = series
        .t_s()
        .iter()
        .map(|t| if *t <= 120.0 { t / 10.0 } else { t / 5.0 - 12.0 })
        .collect();
    let (line, scale) = regressor(&blocks, &series, Some(&rotations)).unwrap();
    let expected = [0.5 / 6.0, 1.5 / 6.0, 3.0 / 6.0, 5.0 / 6.0];
    assert!(
        line.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12),
        "{line:?}"
    );
    assert!((scale - 1.0 / 6.0).abs() < 1e-12);
    assert_eq!(regressor(&blocks, &series, Some(&[5.0; 9])), None);
    // The range from −1e308 to 1e308 exceeds the largest number.
    let seconds = self::series(141, 1.0, |_| 0.0);
    let endless: Vec<f64> = seconds
        .t_s()
        .iter()
        .map(|t| (5e306 * (t - 120.0)).clamp(-1e308, 1e308))
        .collect();
    assert_eq!(regressor(&blocks, &seconds, Some(&endless)), None);
}

#[test]
fn the_interval_spends_the_errors_of_its_length() {
    // Ten minutes: 2 % below and 3 % above; seventeen: 3 % and 3.4 %.
    for (minutes, alpha, beta) in [(10_usize, 0.02, 0.03), (17, 0.03, 0.034)] {
        let series = series(minutes * 60, 1.0, |i| 0.1 * i as f64 + noise(i));
        let assessment = assess(&series, &TestSpec::at_most(6.0, 600.0));
        let keep = despike::keep_mask(&series, 1.0);
        let blocks = Blocks::new(&series, &keep, Grid::new(series.length_s(), series.spacing_s(), None));
        let models = ModelSet::new(&blocks, blocks.shares());
        let fits = fit::fit_all(&blocks, &models, smallest_change(&blocks, 1.0));
        let posterior = Posterior::new(&fits, &models, 60.0 / blocks.length_s(), 6.0);
        let growth = assessment.growth.unwrap();
        for (at, share) in [
            (growth.estimate, 0.5),
            (growth.low, alpha),
            (growth.high, 1.0 - beta),
            (growth.low_99, 0.01),
        ] {
            assert!((posterior.cdf(at) - share).abs() < 1e-4, "{share}");
        }
        assert_eq!(assessment.above_limit, 1.0 - posterior.cdf(6.0));
        assert!(assessment.above_limit > 0.01 && assessment.above_limit < 0.99);
    }
}

#[test]
fn rotations_since_the_first_sample_are_counted() {
    // From 100 on five rotations are too few to pass, six are not.
    let spec = TestSpec::at_most(100.0, 600.0);
    let of = |rotations: f64| {
        let counts: Vec<f64> = (0..600).map(|i| 100.0 + rotations * f64::from(i) / 599.0).collect();
        code(&assess_per_rotation(&series(600, 1.0, noise), &counts, &spec))
    };
    assert_eq!((of(5.0), of(6.0)), (Code::TooFewRotations, Code::WithinLimit));
}

#[test]
fn growth_is_reported_whatever_the_limit() {
    let flat = assess(&series(600, 1.0, noise), &TestSpec::at_most(2.0, 600.0));
    assert!(!flat.growing);
    let steep = assess(
        &series(600, 1.0, |i| i as f64 + noise(i)),
        &TestSpec::at_most(2.0, 600.0),
    );
    assert!(steep.growing);
}

#[test]
fn a_step_at_the_very_end_is_no_pass() {
    // Steps are separable from growth at this limit, except in the last three blocks of half a minute.
    let step = |at: usize| {
        let step = |i: usize| if i >= at { 40.0 } else { 0.0 };
        code(&assess(
            &series(1800, 1.0, |i| step(i) + noise(i)),
            &TestSpec::at_most(2.0, 1800.0),
        ))
    };
    assert_eq!((step(900), step(1740)), (Code::WithinLimit, Code::StraddlesLimit));
}

#[test]
fn the_effect_of_a_container_is_reported() {
    // Five more with each container, whose number moves each minute.
    let containers: Vec<f64> = (0..600).map(|i| 10.0 + f64::from(i / 60 * 7 % 4)).collect();
    let moved = series(600, 1.0, |i| 100.0 + 5.0 * containers[i]);
    let spec = TestSpec {
        covariate: Some(containers.clone()),
        ..TestSpec::at_most(2.0, 600.0)
    };
    let effect = assess(&moved, &spec).per_container.unwrap();
    assert!((effect - 5.0).abs() < 1e-9, "{effect}");
    assert_eq!(assess(&moved, &TestSpec::at_most(2.0, 600.0)).per_container, None);
}

#[test]
fn two_rises_in_a_row_are_growth() {
    let rising = assess(&series(3, 60.0, |i| 100.0 * i as f64), &TestSpec::at_most(2.0, 600.0));
    assert_eq!(
        (rising.outcome, code(&rising), rising.growing),
        (Outcome::Fail, Code::ConsecutiveRises, true)
    );
    let flat = assess(&series(3, 60.0, |_| 0.0), &TestSpec::at_most(2.0, 600.0));
    assert!(!flat.growing);
}
