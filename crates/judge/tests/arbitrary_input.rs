//! Any series, specification or table gets a consistent result, without a panic.

use leakcheck_judge::stationarity::test_stationarity;
use leakcheck_judge::{
    Analysis, Outcome, Series, TestSpec, assess, assess_per_rotation, certain_failures, judge, needs_extension,
};
use leakcheck_model::{Phase, Record, Samples};
use proptest::prelude::*;

/// Spacings and values from the ordinary to the absurd.
fn series() -> impl Strategy<Value = Series> {
    let spacing = prop_oneof![8 => 0.5..2.0, 2 => Just(1.0), 1 => 1e-6..1e9, 1 => Just(120.0)];
    let value = prop_oneof![
        6 => (0..50_i32).prop_map(f64::from),
        2 => -1e3..1e6,
        1 => prop_oneof![Just(0.0), Just(1e300), Just(-1e300), Just(f64::MAX), Just(f64::MIN_POSITIVE)],
    ];
    let absurd = prop::collection::vec((spacing, value), 0..150);
    let constant = (0..150_usize, -1e6..1e6).prop_map(|(n, v)| vec![(1.0, v); n]);
    prop_oneof![3 => absurd, 1 => constant].prop_map(|points| {
        let mut t = 0.0;
        let times = points.iter().map(|(spacing, _)| {
            t += spacing;
            t
        });
        Series::new(times.collect(), points.iter().map(|point| point.1).collect()).expect("spacings are positive")
    })
}

fn spec() -> impl Strategy<Value = TestSpec> {
    let limit = prop_oneof![8 => 0.1..1e4, 1 => any::<f64>()];
    let period = prop_oneof![2 => Just(None), 4 => (0.5..60.0).prop_map(Some), 1 => any::<f64>().prop_map(Some)];
    let quantum = prop_oneof![4 => Just(1.0), 1 => Just(0.0), 1 => Just(4096.0), 1 => any::<f64>()];
    let analysis = prop_oneof![Just(Analysis::Interim), Just(Analysis::Last), Just(Analysis::Single)];
    (limit, period, quantum, analysis, 0..5_usize, 1.0..1e4).prop_map(
        |(limit, period, quantum, analysis, metrics, planned_s)| TestSpec {
            rotation_period_s: period,
            quantum,
            metrics,
            analysis,
            ..TestSpec::at_most(limit, planned_s)
        },
    )
}

/// Numbers from the ordinary to the absurd, NaN and infinity among them.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => (0..5000_i32).prop_map(f64::from), 1 => any::<f64>(), 1 => Just(f64::INFINITY), 1 => Just(f64::NAN)]
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![1 => Just(Phase::Idle), 4 => Just(Phase::Measure), 1 => Just(Phase::Drain)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_series_gets_a_consistent_assessment(series in series(), spec in spec()) {
        let assessment = assess(&series, &spec);
        prop_assert!(!assessment.reason.sentence.is_empty());
        if let Some(growth) = assessment.growth {
            prop_assert!(growth.low <= growth.estimate && growth.estimate <= growth.high, "{growth:?}");
            prop_assert!(assessment.outcome != Outcome::Pass || growth.high <= spec.limit_per_min * 1.001 + 1e-9);
            prop_assert!(assessment.outcome != Outcome::Fail || growth.low >= spec.limit_per_min * 0.999 - 1e-9);
        }
        if spec.analysis == Analysis::Interim {
            prop_assert_ne!(assessment.outcome, Outcome::Pass);
        }
    }

    #[test]
    fn containers_and_rotations_may_be_anything(series in series(), spec in spec(), numbers in prop::collection::vec(any::<f64>(), 150)) {
        let numbers = &numbers[..series.len()];
        let _ = assess_per_rotation(&series, numbers, &spec);
        let finite: Vec<f64> = numbers.iter().map(|n| if n.is_finite() { *n } else { 1.0 }).collect();
        let _ = assess_per_rotation(&series, &finite, &spec);
        let _ = assess(&series, &TestSpec { covariate: Some(finite), ..spec });
    }

    #[test]
    fn a_window_of_anything_is_stationary_or_not(window in series(), tolerance in any::<f64>()) {
        let _ = test_stationarity(&window, tolerance);
    }

    #[test]
    fn every_table_gets_a_judgement(rows in prop::collection::vec((number(), prop::option::of(number()), phase()), 0..60), period in prop::option::of(number())) {
        let mut samples = Samples::new(vec!["fds".into(), "rotations".into(), "containers".into()]);
        for (t_s, value, phase) in rows {
            samples.t_s.push(t_s);
            samples.phase.push(phase);
            samples.columns.iter_mut().for_each(|column| column.push(value));
        }
        let rules = ["growth_per_min < 2", "per_rotation < 2", "growth < 50", "endpoint_per_min < 2", "drained <= 2", "max < 9", "increase >= 90% of expected"];
        let limits = rules.map(|rule| ("fds".to_owned(), rule.parse().expect("a rule"))).to_vec();
        let record = Record::from_table("table".into(), samples, limits, period);
        prop_assert_eq!(judge(&record).limits.len(), rules.len());
        let _ = (certain_failures(&record), needs_extension(&record));
    }

    #[test]
    fn a_constant_that_ran_its_length_passes(level in 0..100_000_i32, seconds in 60..400_usize, period in 1.0..8.0_f64) {
        let series = Series::new((0..seconds).map(|i| i as f64).collect(), vec![f64::from(level); seconds]).expect("in order");
        let assessment = assess(&series, &TestSpec::at_most(2.0, seconds as f64).rotating_every(period));
        prop_assert!(matches!(assessment.outcome, Outcome::Pass) || assessment.reason.code == leakcheck_judge::Code::Aliased, "{:?}", assessment.reason);
    }

    #[test]
    fn where_a_series_begins_makes_no_difference(shift_s in 0..1_000_000_u32, lift in -1000..1000_i32) {
        let value = |i: usize| ((i * 7919) % 17) as f64 + 0.1 * i as f64;
        let plain = Series::new((0..300).map(|i| i as f64).collect(), (0..300).map(value).collect()).expect("in order");
        let moved = Series::new(
            (0..300).map(|i| i as f64 + f64::from(shift_s)).collect(),
            (0..300).map(|i| value(i) + f64::from(lift)).collect(),
        ).expect("in order");
        let spec = TestSpec::at_most(2.0, 300.0);
        let (one, other) = (assess(&plain, &spec), assess(&moved, &spec));
        prop_assert_eq!(one.outcome, other.outcome);
        let (one, other) = (one.growth.expect("fitted"), other.growth.expect("fitted"));
        prop_assert!((one.estimate - other.estimate).abs() < 1e-3, "{} {}", one.estimate, other.estimate);
    }
}
