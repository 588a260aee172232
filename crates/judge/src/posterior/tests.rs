//! The posterior, its components and its quantiles, checked by hand.

use std::hash::Hasher;

use super::component::KeyHasher;
use super::*;
use crate::blocks::Blocks;

fn fit(model: Model, log_weight: f64, growth: f64, standard_error: f64) -> Fit {
    Fit {
        model,
        log_weight,
        growth,
        standard_error,
        dof: 1,
        added: [0.0; 2],
        variance: 1.0,
        correlation: 0,
    }
}

fn model_set() -> ModelSet {
    let blocks = Blocks::whole(30.0, 1, vec![0.0; 60]);
    ModelSet::new(&blocks, blocks.shares())
}

fn posterior(fits: &[Fit]) -> Posterior {
    Posterior::new(fits, &model_set(), 1.0, 2.0)
}

#[test]
fn two_models_share_the_posterior_by_their_weights() {
    // Weights 3 : 1, Cauchy about 0 and about 10: below 10 lies 3/4 (1/2 + atan(10)/π) + 1/4 · 1/2.
    let posterior = posterior(&[
        fit(Model::Linear, 3f64.ln(), 0.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 10.0, 1.0),
    ]);
    let expected = 0.75 * (0.5 + 10f64.atan() / std::f64::consts::PI) + 0.125;
    assert!((posterior.cdf(10.0) - expected).abs() < 1e-12);
    assert!((posterior.by_kind()[ModelKind::Linear as usize] - 0.75).abs() < 1e-12);
    assert!((posterior.by_kind()[ModelKind::Step as usize] - 0.25).abs() < 1e-12);
    assert_eq!(
        posterior.map_model(ModelKind::Step).unwrap().model,
        Model::Step { at: 4 }
    );
    assert_eq!(posterior.map_model(ModelKind::Changepoint), None);
    assert!(!posterior.is_empty());
    assert_eq!(posterior.stopped(), 0.0);
}

#[test]
fn quantiles_undo_shares() {
    let posterior = posterior(&[
        fit(Model::Linear, 0.0, -3.0, 0.5),
        fit(Model::Step { at: 4 }, 0.0, 40.0, 0.01),
    ]);
    for p in [0.001, 0.01, 0.3, 0.5, 0.7, 0.95, 0.999] {
        let odds = log_odds(posterior.cdf(posterior.quantiles([p])[0])) - log_odds(p);
        assert!(odds.abs() < 2.0 * PRECISION, "{p}: {odds}");
    }
    assert!(posterior.quantiles([0.0])[0].is_nan());
    assert!(posterior.quantiles([1.0])[0].is_nan());
    assert!(Posterior::default().quantiles([0.5])[0].is_nan());
    assert!(Posterior::default().is_empty());
}

#[test]
fn similar_models_are_merged_and_keep_mean_and_spread() {
    let fits = [
        fit(Model::Linear, 0.0, 1.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 1.2, 1.0),
    ];
    let posterior = posterior(&fits);
    assert_eq!(posterior.components.len(), 1);
    // Mean 1.1, variance 1 + 0.1².
    assert!((posterior.components[0].growth - 1.1).abs() < 1e-12);
    assert!((posterior.components[0].standard_error - 1.01f64.sqrt()).abs() < 1e-12);
    let apart = [
        fit(Model::Linear, 0.0, 1.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 1.3, 1.0),
    ];
    assert_eq!(
        super::Posterior::new(&apart, &model_set(), 1.0, 2.0).components.len(),
        2
    );
}

#[test]
fn growth_is_given_in_the_requested_unit() {
    let posterior = Posterior::new(&[fit(Model::Linear, 0.0, 30.0, 1.0)], &model_set(), 0.1, 2.0);
    assert!((posterior.quantiles([0.5])[0] - 3.0).abs() < 1e-4);
    assert!((posterior.cdf(3.1) - 0.75).abs() < 1e-12);
}

#[test]
fn growth_that_stopped_late_is_set_aside() {
    // Changepoint 27 lies at half the run, 28 just after it.
    let changepoint = |changepoint: usize, growth: f64, change: f64| Fit {
        added: [change, 0.0],
        ..fit(Model::Changepoint { changepoint }, 0.0, growth, 1.0)
    };
    let ramp = fit(Model::Linear, 3f64.ln(), 5.0, 1.0);
    assert_eq!(posterior(&[ramp, changepoint(28, 1.9, -9.0)]).stopped(), 0.25);
    assert_eq!(posterior(&[ramp, changepoint(28, 1.9, -9.0)]).cdf(5.0), 0.5);
    assert_eq!(posterior(&[ramp, changepoint(27, 1.9, -9.0)]).stopped(), 0.0);
    assert_eq!(posterior(&[ramp, changepoint(28, 2.0, -9.0)]).stopped(), 0.0);
    assert_eq!(posterior(&[ramp, changepoint(28, 1.9, 9.0)]).stopped(), 0.0);
    let only = posterior(&[changepoint(28, 1.9, -9.0)]);
    assert!(only.is_empty() && only.stopped() == 1.0 && only.cdf(0.0) == 0.0);
}

#[test]
fn a_warm_up_that_still_falls_at_the_end_is_unfinished() {
    // The slowest warm-up of a run of 1800 s falls at the end by size · T/τ · exp(−T/τ) over the regressor.
    let model_set = model_set();
    let last = model_set.warm_ups.len() - 1;
    let times = 1800.0 / model_set.warm_ups[last].time_constant_s;
    let size = 2.0 / (times * (-times).exp());
    let with = |size: f64| Fit {
        added: [size, 0.0],
        ..fit(Model::WarmUp { warm_up: last }, 0.0, 0.0, 1.0)
    };
    let beside = |size: f64| Fit {
        added: [9.0, size],
        ..fit(Model::StepAndWarmUp { at: 9, warm_up: last }, 0.0, 0.0, 1.0)
    };
    let ramp = fit(Model::Linear, 3f64.ln(), 0.0, 1.0);
    let unfinished = |other: Fit| Posterior::new(&[ramp, other], &model_set, 0.5, 2.0).warm_up_unfinished();
    assert_eq!(unfinished(with(1.01 * size)), 0.25);
    assert_eq!(unfinished(with(0.99 * size)), 0.0);
    assert_eq!(unfinished(with(-1.01 * size)), 0.0, "what rises hides nothing");
    assert_eq!(unfinished(beside(1.01 * size)), 0.25);
    assert_eq!(unfinished(beside(0.99 * size)), 0.0);
}

#[test]
fn added_growth_of_one_model_moves_its_share() {
    // A quarter of the weight moves from Cauchy about 0 to Cauchy about 5 (10 over the regressor).
    let fits = [
        fit(Model::Linear, 3f64.ln(), 2.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 0.0, 2.0),
    ];
    let posterior = Posterior::new(&fits, &model_set(), 0.5, 2.0);
    let more = |fit: &Fit| if fit.model.columns() == 1 { 10.0 } else { 0.0 };
    let moved = posterior.cdf_with_added_growth(5.0, &fits, 0.5, more) - posterior.cdf(5.0);
    let expected = 0.25 * (0.5 - (0.5 + 5f64.atan() / std::f64::consts::PI));
    assert!((moved - expected).abs() < 1e-12, "{moved}");
    let fallen = Fit {
        added: [-99.0, 0.0],
        growth: 20.0,
        ..fits[1]
    };
    let posterior = Posterior::new(&[fallen], &model_set(), 0.5, 2.0);
    // Half of the weight stays about 0.
    let moved = posterior.cdf_with_added_growth(10.0, &[fallen], 0.5, more) - posterior.cdf(10.0);
    let expected = 0.5 * ((0.5 - 5f64.atan() / std::f64::consts::PI) - 0.5);
    assert!((moved - expected).abs() < 1e-12, "{moved}");
}

#[test]
fn several_quantiles_are_what_each_is_alone() {
    let posterior = posterior(&[
        fit(Model::Linear, 3f64.ln(), 0.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 50.0, 0.1),
    ]);
    let shares = [0.5, 0.01, 0.97, 0.74, 0.999, 1.0];
    for (p, quantile) in shares.into_iter().zip(posterior.quantiles(shares)).take(5) {
        let odds = log_odds(posterior.cdf(quantile)) - log_odds(p);
        assert!(odds.abs() < PRECISION, "{p}: {quantile}");
    }
    assert!(posterior.quantiles(shares)[5].is_nan());
    assert!(Posterior::default().quantiles([0.5, 0.9]).iter().all(|q| q.is_nan()));
}

#[test]
fn growth_that_steps_reverse_has_half_the_weight() {
    let steps = |first: f64, second: f64| Fit {
        added: [first, second],
        ..fit(Model::TwoSteps { first: 3, second: 9 }, 0.0, 100.0, 1.0)
    };
    let above_half = |first: f64, second: f64| 1.0 - posterior(&[steps(first, second)]).cdf(50.0);
    assert!((above_half(-25.0, -25.0) - 0.5).abs() < 0.01);
    assert!(above_half(-25.0, -24.9) > 0.99);
    // A step up and down again is a burst.
    assert!(above_half(60.0, -60.0) > 0.99);
    let one = Fit {
        added: [-60.0, 30.0],
        ..fit(Model::StepAndWarmUp { at: 3, warm_up: 0 }, 0.0, 100.0, 1.0)
    };
    assert!((posterior(&[one]).cdf(50.0) - 0.5).abs() < 0.01);
    let falling = Fit {
        growth: -100.0,
        ..steps(-60.0, 0.0)
    };
    assert!(posterior(&[falling]).cdf(-50.0) > 0.99);
}

#[test]
fn a_model_without_error_is_exact() {
    let posterior = posterior(&[fit(Model::Linear, 0.0, 5.0, 0.0)]);
    assert_eq!((posterior.cdf(4.9), posterior.cdf(5.0)), (0.0, 1.0));
}

#[test]
fn mean_and_spread_by_hand() {
    // Components 3 : 1 about 0 and 10 with errors 1 and 2: mean 2.5, square ¾ (6.25 + 1) + ¼ (56.25 + 4).
    let posterior = posterior(&[
        fit(Model::Linear, 3f64.ln(), 0.0, 1.0),
        fit(Model::Step { at: 4 }, 0.0, 10.0, 2.0),
    ]);
    let (mean, spread) = posterior.mean_and_spread();
    assert!((mean - 2.5).abs() < 1e-12);
    assert!(
        (spread * spread - (0.75 * 7.25 + 0.25 * 60.25)).abs() < 1e-9,
        "{spread}"
    );
}

#[test]
fn the_map_model_of_a_kind_does_not_depend_on_the_order() {
    let steps: Vec<Fit> = [0.0, 2.0, 1.0]
        .map(|weight| fit(Model::Step { at: weight as usize }, weight, 0.0, 1.0))
        .to_vec();
    let map_model = |fits: &[Fit]| posterior(fits).map_model(ModelKind::Step).unwrap().log_weight;
    assert_eq!(map_model(&steps), 2.0);
    assert_eq!(map_model(&[steps[1], steps[0], steps[2]]), 2.0);
    // Of equal models the first.
    let equals = [1, 2].map(|at| fit(Model::Step { at }, 0.0, 0.0, 1.0));
    assert_eq!(
        posterior(&equals).map_model(ModelKind::Step).unwrap().model,
        equals[0].model
    );
}

#[test]
fn correlations_have_their_share_and_mean_variance() {
    // Weights 3 : 1 : 4 with variances 1, 5 and 8, of which the last two share a correlation time: (5 + 32) / 5.
    let with = |weight: f64, variance: f64, correlation: usize| Fit {
        variance,
        correlation,
        ..fit(Model::Linear, weight.ln(), 0.0, 1.0)
    };
    let posterior = posterior(&[with(3.0, 1.0, 0), with(1.0, 5.0, 4), with(4.0, 8.0, 4)]);
    let seen = posterior.correlations();
    assert!((seen[0].weight - 0.375).abs() < 1e-12 && (seen[0].variance - 1.0).abs() < 1e-12);
    assert!((seen[4].weight - 0.625).abs() < 1e-12 && (seen[4].variance - 7.4).abs() < 1e-12);
    assert_eq!(seen[1], Correlation::default());
}

#[test]
fn what_weighs_less_than_a_millionth_is_left_out_and_the_rest_is_everything() {
    let step = |weight: f64, growth: f64| fit(Model::Step { at: 4 }, weight.ln(), growth, 1.0);
    let heavy = fit(Model::Linear, 0.0, 0.0, 1.0);
    let left_out = posterior(&[heavy, step(5e-7, 1000.0)]);
    assert_eq!(left_out.components.len(), 1);
    assert!((left_out.components[0].weight - 1.0).abs() < 1e-12);
    let kept = posterior(&[heavy, step(2e-6, 1000.0)]);
    assert_eq!(kept.components.len(), 2);
    assert!((kept.components[0].weight + kept.components[1].weight - 1.0).abs() < 1e-12);
}

#[test]
fn a_quantile_needs_few_evaluations() {
    // One component; two far apart; a narrow one on a wide one; and the far tails of a Cauchy distribution.
    let ramp = |growth: f64, standard_error: f64| fit(Model::Linear, 0.0, growth, standard_error);
    let step = |growth: f64, standard_error: f64| fit(Model::Step { at: 4 }, 0.0, growth, standard_error);
    for fits in [
        vec![ramp(3.0, 1.0)],
        vec![ramp(-3.0, 0.5), step(40.0, 0.01)],
        vec![ramp(0.0, 1.0), step(0.1, 1e-6)],
        vec![ramp(1e6, 1.0), step(1e6 + 7.0, 2.0)],
    ] {
        let posterior = posterior(&fits);
        let (mean, spread) = posterior.mean_and_spread();
        for (p, most) in [(0.5, 25), (0.01, 25), (0.99, 25), (0.9999, 40), (0.0001, 40)] {
            let mut points = vec![posterior.point(mean - spread), posterior.point(mean + spread)];
            let found = posterior.solve(&mut points, spread, log_odds(p));
            let odds = log_odds(posterior.cdf(found)) - log_odds(p);
            assert!(odds.abs() < PRECISION || points.len() > 20, "{p}: {odds}");
            assert!(points.len() <= most, "{p}: {} evaluations, {fits:?}", points.len());
            assert!(points.is_sorted_by(|a, b| a.0 <= b.0), "{p}: {points:?}");
        }
    }
}

#[test]
fn log_odds_by_hand() {
    assert!((log_odds(0.75) - 3f64.ln()).abs() < 1e-12);
    assert!((log_odds(0.1) + 9f64.ln()).abs() < 1e-12);
    // A double near 1 resolves 1e-15 to a tenth.
    assert!((log_odds(0.0) + 1e15_f64.ln()).abs() < 1e-6 && (log_odds(1.0) - 1e15_f64.ln()).abs() < 0.2);
}

#[test]
fn keys_of_components_scatter() {
    // 1024 random numbers of ten bits take 647 values on average, with a deviation of 10.
    let hashed = |error: u64, growth: i64| {
        use std::hash::Hash;
        let mut mixed = KeyHasher::default();
        (error, growth).hash(&mut mixed);
        mixed.finish()
    };
    let keys = || (0..32).flat_map(|error| (-16..16).map(move |growth| hashed(32_000 + error, growth)));
    let different = |part: fn(u64) -> u64| keys().map(part).collect::<std::collections::HashSet<u64>>().len();
    assert_eq!(different(|hash| hash), 1024);
    assert!(different(|hash| hash & 1023) > 550, "{}", different(|hash| hash & 1023));
    assert!(different(|hash| hash >> 54) > 550, "{}", different(|hash| hash >> 54));
    let bytes = |bytes: &[u8]| {
        let mut mixed = KeyHasher::default();
        mixed.write(bytes);
        mixed.finish()
    };
    assert!(bytes(b"ab") != bytes(b"ba") && bytes(b"a") != bytes(b""));
}

#[test]
fn components_are_a_quarter_of_an_error_wide_with_errors_to_an_eighth() {
    let components = |a: (f64, f64), b: (f64, f64)| {
        let fits = [
            fit(Model::Linear, 0.0, a.0, a.1),
            fit(Model::Step { at: 4 }, 0.0, b.0, b.1),
        ];
        posterior(&fits).components.len()
    };
    // Standard errors of 128: growth from 0 to 32 shares a component, from 32 on another one, below 0 others.
    assert_eq!(components((1.0, 128.0), (31.0, 128.0)), 1);
    assert_eq!(components((1.0, 128.0), (33.0, 128.0)), 2);
    assert_eq!(components((10.0, 128.0), (-40.0, 128.0)), 2);
    assert_eq!(components((-33.0, 128.0), (-63.0, 128.0)), 1);
    // Standard errors from 1 to 1.125 share a component.
    assert_eq!(components((0.1, 1.0), (0.1, 1.1)), 1);
    assert_eq!(components((0.1, 1.0), (0.1, 1.13)), 2);
    assert_eq!(components((0.1, 1.0), (0.1, 2.0)), 2);
}

#[test]
fn more_growth_may_be_more_than_steps_take_back() {
    // Cauchy about 20, with half of the weight about 0; moved to 520, of which the steps reverse too little for that.
    let fallen = Fit {
        added: [-99.0, 0.0],
        ..fit(Model::Step { at: 4 }, 0.0, 20.0, 1.0)
    };
    let posterior = posterior(&[fallen]);
    let cauchy = |x: f64| 0.5 + x.atan() / std::f64::consts::PI;
    let moved = posterior.cdf_with_added_growth(10.0, &[fallen], 1.0, |_| 500.0);
    assert!((moved - cauchy(10.0 - 520.0)).abs() < 1e-9, "{moved}");
}

#[test]
fn growth_beyond_the_range_of_an_integer_keeps_its_sign() {
    for standard_error in [0.0, 1e-300, 1.0] {
        let fits = [
            fit(Model::Linear, 0.0, -1e300, standard_error),
            fit(Model::Step { at: 4 }, 0.0, 1e300, standard_error),
        ];
        assert_eq!(posterior(&fits).components.len(), 2, "standard error {standard_error}");
    }
}
