//! Whatever a series or a question holds, there is an answer and it does not contradict itself.

use leakcheck_judge::{Look, Outcome, Question, Series, assess, assess_per_rotation, budget, drain, settle, sparse};
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

fn question() -> impl Strategy<Value = Question> {
    let limit = prop_oneof![8 => 0.1..1e4, 1 => any::<f64>()];
    let period = prop_oneof![2 => Just(None), 4 => (0.5..60.0).prop_map(Some), 1 => any::<f64>().prop_map(Some)];
    let quantum = prop_oneof![4 => Just(1.0), 1 => Just(0.0), 1 => Just(4096.0), 1 => any::<f64>()];
    let look = prop_oneof![Just(Look::Early), Just(Look::Last), Just(Look::Final)];
    (limit, period, quantum, look, 0..5_usize, 1.0..1e4).prop_map(
        |(limit, period, quantum, look, metrics, planned_s)| Question {
            rotation_period_s: period,
            quantum,
            metrics,
            look,
            ..Question::at_most(limit, planned_s)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_series_gets_an_answer_that_agrees_with_itself(series in series(), question in question()) {
        let answer = assess(&series, &question);
        prop_assert!(!answer.reason.sentence.is_empty());
        if let Some(growth) = answer.growth {
            prop_assert!(growth.low <= growth.estimate && growth.estimate <= growth.high, "{growth:?}");
            prop_assert!(answer.outcome != Outcome::Pass || growth.high <= question.limit_per_min * 1.001 + 1e-9);
            prop_assert!(answer.outcome != Outcome::Fail || growth.low >= question.limit_per_min * 0.999 - 1e-9);
        }
        if question.look == Look::Early {
            prop_assert_ne!(answer.outcome, Outcome::Pass);
        }
    }

    #[test]
    fn containers_and_rotations_may_be_anything(series in series(), question in question(), numbers in prop::collection::vec(any::<f64>(), 150)) {
        let numbers = &numbers[..series.len()];
        let _ = assess_per_rotation(&series, numbers, &question);
        let finite: Vec<f64> = numbers.iter().map(|n| if n.is_finite() { *n } else { 1.0 }).collect();
        let _ = assess_per_rotation(&series, &finite, &question);
        let _ = assess(&series, &Question { covariate: Some(finite), ..question });
    }

    #[test]
    fn the_small_judgements_answer_too(before in series(), after in series(), allowed in any::<f64>()) {
        let _ = drain::drained(&before, &after, allowed);
        let _ = budget::budget(&before, allowed, true);
        let _ = settle::settled(&before, allowed);
        let _ = settle::warm_up_samples(before.value());
        let _ = sparse::rises_in_a_row(&before, allowed);
    }

    #[test]
    fn a_constant_that_ran_its_length_passes(level in 0..100_000_i32, seconds in 60..400_usize, period in 1.0..8.0_f64) {
        let series = Series::new((0..seconds).map(|i| i as f64).collect(), vec![f64::from(level); seconds]).expect("in order");
        let answer = assess(&series, &Question::at_most(2.0, seconds as f64).rotating_every(period));
        prop_assert!(matches!(answer.outcome, Outcome::Pass) || answer.reason.code == leakcheck_judge::Code::Aliased, "{:?}", answer.reason);
    }

    #[test]
    fn where_a_series_begins_makes_no_difference(shift_s in 0..1_000_000_u32, lift in -1000..1000_i32) {
        let value = |i: usize| ((i * 7919) % 17) as f64 + 0.1 * i as f64;
        let plain = Series::new((0..300).map(|i| i as f64).collect(), (0..300).map(value).collect()).expect("in order");
        let moved = Series::new(
            (0..300).map(|i| i as f64 + f64::from(shift_s)).collect(),
            (0..300).map(|i| value(i) + f64::from(lift)).collect(),
        ).expect("in order");
        let question = Question::at_most(2.0, 300.0);
        let (one, other) = (assess(&plain, &question), assess(&moved, &question));
        prop_assert_eq!(one.outcome, other.outcome);
        let (one, other) = (one.growth.expect("fitted"), other.growth.expect("fitted"));
        prop_assert!((one.estimate - other.estimate).abs() < 1e-3, "{} {}", one.estimate, other.estimate);
    }
}
