//! The shapes of a series, from its most probable models.

use crate::assessment::{NoiseEstimate, Shape, WeightedShape};
use crate::blocks::Blocks;
use crate::fit::{CORRELATION_TIMES_S, Fit};
use crate::models::{Model, ModelKind, ModelSet};
use crate::posterior::Posterior;

/// Minimum posterior probability of a reported shape.
const WEIGHT_MIN: f64 = 0.05;

/// Returns the reported shapes, the dominant one first, then the sawtooth if rotations are resolved. `scale` converts
/// growth over the run to growth per minute or rotation.
#[must_use]
pub(crate) fn shapes(
    posterior: &Posterior,
    blocks: &Blocks,
    model_set: &ModelSet,
    scale: f64,
    growing: bool,
) -> Vec<WeightedShape> {
    let by_kind = posterior.by_kind();
    let mut kinds = ModelKind::ALL;
    kinds.sort_by(|a, b| by_kind[*b as usize].total_cmp(&by_kind[*a as usize]));
    // More than a line is reported first only at odds of twenty to one against it ["strong": Kass & Raftery 1995].
    if by_kind[ModelKind::Linear as usize] >= WEIGHT_MIN {
        kinds.sort_by_key(|kind| *kind != ModelKind::Linear);
    }
    let mut shapes: Vec<WeightedShape> = kinds
        .iter()
        .copied()
        .filter(|kind| by_kind[*kind as usize] >= WEIGHT_MIN)
        .filter_map(|kind| {
            let shape = shape(posterior.map_model(kind)?, blocks, model_set, scale, growing);
            Some(WeightedShape {
                shape,
                weight: by_kind[kind as usize],
            })
        })
        .collect();
    if let Some(shape) = sawtooth(blocks, posterior.map_model(kinds[0])) {
        shapes.push(WeightedShape { shape, weight: 1.0 });
    }
    shapes
}

fn shape(fit: &Fit, blocks: &Blocks, model_set: &ModelSet, scale: f64, growing: bool) -> Shape {
    let [first, second] = fit.added;
    let edge_s = |at: usize| blocks.edge_s(blocks.index[at]);
    let approach = |warm_up: usize, coefficient: f64| {
        let column = &model_set.warm_ups[warm_up].column;
        let ends = column.last().copied().unwrap_or(0.0) - column.first().copied().unwrap_or(0.0);
        (coefficient * ends, model_set.warm_ups[warm_up].time_constant_s)
    };
    match fit.model {
        Model::Linear if growing => Shape::Linear,
        Model::Linear => Shape::Flat,
        Model::Step { at } => Shape::Step {
            size: first,
            at_s: edge_s(at),
        },
        Model::Changepoint { changepoint } => {
            let changepoint = &model_set.changepoints[changepoint];
            let before = fit.growth - first * scale;
            let at_s = blocks.edge_s(changepoint.edge);
            if first > 0.0 {
                Shape::LateOnset { at_s, before }
            } else {
                Shape::StoppedGrowing { at_s, before }
            }
        }
        Model::WarmUp { warm_up } => {
            let (size, time_constant_s) = approach(warm_up, first);
            Shape::WarmUp { size, time_constant_s }
        }
        Model::TwoSteps { first: a, second: b } => Shape::TwoSteps {
            first_size: first,
            first_at_s: edge_s(a),
            second_size: second,
            second_at_s: edge_s(b),
        },
        Model::StepAndWarmUp { at, warm_up } => {
            let (size, time_constant_s) = approach(warm_up, second);
            Shape::WarmUpAndStep {
                size,
                time_constant_s,
                step_size: first,
                step_at_s: edge_s(at),
            }
        }
    }
}

/// Returns the swing between the mean levels of the parts of a rotation, if it exceeds the noise.
fn sawtooth(blocks: &Blocks, dominant: Option<&Fit>) -> Option<Shape> {
    let parts = blocks.grid.parts;
    let rotations = blocks.grid.count / parts;
    if parts < 2 || rotations == 0 {
        return None;
    }
    // Differences of neighbouring blocks within a rotation need no trend, and a step affects only one of them.
    let mut level = vec![0.0; parts];
    for part in 1..parts {
        let mut rises: Vec<f64> = (1..blocks.index.len())
            .filter(|&i| blocks.index[i] % parts == part && blocks.index[i - 1] + 1 == blocks.index[i])
            .map(|i| blocks.value[i] - blocks.value[i - 1])
            .collect();
        level[part] = level[part - 1] + crate::median::median_of(&mut rises)?;
    }
    let growth = growth_per_block(blocks)?;
    let level = level.iter().enumerate().map(|(part, l)| l - growth * part as f64);
    let (low, high) = level.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), l| {
        (low.min(l), high.max(l))
    });
    let swing = high - low;
    let noise = dominant.map_or(0.0, |fit| (fit.variance * 2.0 * parts as f64 / rotations as f64).sqrt());
    (swing > 4.0 * noise && swing > 0.0).then_some(Shape::Sawtooth {
        swing,
        period_s: blocks.grid.width_s * parts as f64,
    })
}

/// Returns the median rise over a whole rotation, per block. The sawtooth cancels, and a step affects one rotation
/// only.
fn growth_per_block(blocks: &Blocks) -> Option<f64> {
    let parts = blocks.grid.parts;
    let mut rises: Vec<f64> = (parts..blocks.index.len())
        .filter(|&i| blocks.index[i] - blocks.index[i - parts] == parts)
        .map(|i| (blocks.value[i] - blocks.value[i - parts]) / parts as f64)
        .collect();
    crate::median::median_of(&mut rises)
}

/// Returns the posterior mean of the noise: S₀ = B σ²/(1−φ)² of AR(1) errors with independent variance σ² per block
/// of B seconds [spectral density at frequency 0: Priestley 1981].
#[must_use]
pub(crate) fn noise(posterior: &Posterior, width_s: f64) -> Option<NoiseEstimate> {
    if posterior.is_empty() {
        return None;
    }
    let (mut log_s0, mut tau_s) = (0.0, 0.0);
    for (correlation, time_s) in posterior
        .correlations()
        .iter()
        .zip(CORRELATION_TIMES_S)
        .filter(|(c, _)| c.weight > 0.0)
    {
        let phi = if time_s > 0.0 { (-width_s / time_s).exp() } else { 0.0 };
        log_s0 += correlation.weight * (width_s * correlation.variance / ((1.0 - phi) * (1.0 - phi))).ln();
        tau_s += correlation.weight * time_s;
    }
    Some(NoiseEstimate {
        s0: log_s0.exp(),
        tau_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(width_s: f64, parts: usize, value: Vec<f64>) -> Blocks {
        Blocks {
            begin_s: 100.0,
            ..Blocks::whole(width_s, parts, value)
        }
    }

    fn model_set(blocks: &Blocks) -> ModelSet {
        ModelSet::new(blocks, (0..blocks.grid.count).map(|i| blocks.share(i)).collect())
    }

    fn fit(model: Model, log_weight: f64, added: [f64; 2]) -> Fit {
        Fit {
            model,
            log_weight,
            growth: 60.0,
            standard_error: 1.0,
            dof: 50,
            added,
            variance: 4.0,
            correlation: 0,
        }
    }

    /// Returns the shapes of fits over sixty blocks of ten seconds from 100 s on. Growth over the run is a tenth of
    /// that per minute.
    fn shapes(fits: &[Fit], growing: bool) -> Vec<Shape> {
        let blocks = blocks(10.0, 1, vec![0.0; 60]);
        let model_set = model_set(&blocks);
        let posterior = Posterior::new(fits, &model_set, 0.1, 2.0);
        super::shapes(&posterior, &blocks, &model_set, 0.1, growing)
            .into_iter()
            .map(|weighted| weighted.shape)
            .collect()
    }

    #[test]
    fn a_line_is_a_ramp_if_it_grows() {
        assert_eq!(shapes(&[fit(Model::Linear, 0.0, [0.0; 2])], true), [Shape::Linear]);
        assert_eq!(shapes(&[fit(Model::Linear, 0.0, [0.0; 2])], false), [Shape::Flat]);
    }

    #[test]
    fn steps_have_their_size_and_time() {
        let step = shapes(&[fit(Model::Step { at: 7 }, 0.0, [30.0, 0.0])], false);
        assert_eq!(
            step,
            [Shape::Step {
                size: 30.0,
                at_s: 170.0
            }]
        );
        let two = shapes(
            &[fit(Model::TwoSteps { first: 7, second: 20 }, 0.0, [30.0, -4.0])],
            false,
        );
        assert_eq!(
            two,
            [Shape::TwoSteps {
                first_size: 30.0,
                first_at_s: 170.0,
                second_size: -4.0,
                second_at_s: 300.0
            }]
        );
    }

    #[test]
    fn a_changepoint_is_an_onset_or_an_end() {
        // Changepoint 7 is at edge 10; growth of 6 per minute at the end, 40 · 0.1 of it since the changepoint.
        let late = shapes(&[fit(Model::Changepoint { changepoint: 7 }, 0.0, [40.0, 0.0])], true);
        assert_eq!(
            late,
            [Shape::LateOnset {
                at_s: 200.0,
                before: 2.0
            }]
        );
        let stopped = shapes(&[fit(Model::Changepoint { changepoint: 7 }, 0.0, [-40.0, 0.0])], true);
        assert_eq!(
            stopped,
            [Shape::StoppedGrowing {
                at_s: 200.0,
                before: 10.0
            }]
        );
    }

    #[test]
    fn a_warm_up_goes_from_its_first_to_its_last_value() {
        // τ = 8 s: exp(−5/8) at the first block, nothing at the last.
        let size = 50.0 * (-5.0_f64 / 8.0).exp();
        let [
            Shape::WarmUp {
                size: seen,
                time_constant_s,
            },
        ] = shapes(&[fit(Model::WarmUp { warm_up: 0 }, 0.0, [-50.0, 0.0])], false)[..]
        else {
            panic!("one warm-up")
        };
        assert!((seen - size).abs() < 1e-9 && time_constant_s == 8.0);
        let both = shapes(
            &[fit(Model::StepAndWarmUp { at: 7, warm_up: 0 }, 0.0, [30.0, 50.0])],
            false,
        );
        let [
            Shape::WarmUpAndStep {
                size: seen,
                step_size,
                step_at_s,
                ..
            },
        ] = both[..]
        else {
            panic!("both")
        };
        assert!((seen + size).abs() < 1e-9 && step_size == 30.0 && step_at_s == 170.0);
    }

    #[test]
    fn more_than_a_line_needs_odds_of_twenty_to_one() {
        let step = |odds: f64| {
            [
                fit(Model::Linear, 0.0, [0.0; 2]),
                fit(Model::Step { at: 7 }, odds.ln(), [30.0, 0.0]),
            ]
        };
        assert_eq!(shapes(&step(18.9), true)[0], Shape::Linear);
        assert_eq!(shapes(&step(18.9), true).len(), 2);
        assert_eq!(
            shapes(&step(19.1), true),
            [Shape::Step {
                size: 30.0,
                at_s: 170.0
            }]
        );
    }

    #[test]
    fn a_swing_is_measured_between_the_parts_of_a_rotation() {
        // Four parts 0 5 10 15 on a line of 1 per block; the fall of 15 is between rotations.
        let value: Vec<f64> = (0..40).map(|i| f64::from(i) + 5.0 * f64::from(i % 4)).collect();
        let saw = blocks(10.0, 4, value.clone());
        let quiet = Fit {
            variance: 0.01,
            ..fit(Model::Linear, 0.0, [0.0; 2])
        };
        let Some(Shape::Sawtooth { swing, period_s }) = sawtooth(&saw, Some(&quiet)) else {
            panic!("a sawtooth")
        };
        assert!((swing - 15.0).abs() < 1e-9 && period_s == 40.0);
        // Noise √(2 · 4/10 · variance), four times it: variance 17.6 is too much for 15.
        assert!(
            sawtooth(
                &saw,
                Some(&Fit {
                    variance: 17.5,
                    ..quiet
                })
            )
            .is_some()
        );
        assert_eq!(
            sawtooth(
                &saw,
                Some(&Fit {
                    variance: 17.6,
                    ..quiet
                })
            ),
            None
        );
        assert_eq!(sawtooth(&blocks(10.0, 1, value), Some(&quiet)), None);
        assert_eq!(sawtooth(&blocks(10.0, 4, vec![3.0; 40]), Some(&quiet)), None);
    }

    #[test]
    fn noise_by_hand() {
        // Independent blocks of 10 s with variance 4: S₀ = 40. With τ = 15 s: 40/(1 − exp(−10/15))².
        let blocks = blocks(10.0, 1, vec![0.0; 60]);
        let model_set = model_set(&blocks);
        let of = |fits: &[Fit]| noise(&Posterior::new(fits, &model_set, 0.1, 2.0), 10.0).unwrap();
        let white = fit(Model::Linear, 0.0, [0.0; 2]);
        assert!((of(&[white]).s0 - 40.0).abs() < 1e-9 && of(&[white]).tau_s == 0.0);
        let slow = Fit {
            correlation: 3,
            ..white
        };
        let expected = 40.0 / (1.0 - (-10.0_f64 / 15.0).exp()).powi(2);
        assert!((of(&[slow]).s0 - expected).abs() < 1e-9 && of(&[slow]).tau_s == 15.0);
        assert!((of(&[white, slow]).s0 - (40.0 * expected).sqrt()).abs() < 1e-9 && of(&[white, slow]).tau_s == 7.5);
        assert_eq!(noise(&Posterior::default(), 10.0), None);
    }

    #[test]
    fn a_sawtooth_of_two_parts_is_one() {
        // 0 −7 in turns on a line of 1 per block, at a level that rose after the first rotation; a block is missing.
        let all: Vec<f64> = (0..40_i32)
            .map(|i| f64::from(i - 7 * (i % 2)) + if i > 1 { 90.0 } else { 0.0 })
            .collect();
        let mut saw = blocks(10.0, 2, all);
        saw.index.remove(20);
        saw.value.remove(20);
        assert_eq!(
            sawtooth(&saw, None),
            Some(Shape::Sawtooth {
                swing: 7.0,
                period_s: 20.0
            })
        );
    }

    #[test]
    fn parts_are_compared_with_their_neighbours_only() {
        // Four parts 0 5 25 26 on a line of 1 per block, and of each rotation but the first its third part is missing.
        let part = [0.0, 5.0, 25.0, 26.0];
        let mut saw = blocks(10.0, 4, (0..40).map(|i| i as f64 + part[i % 4]).collect());
        let Some(Shape::Sawtooth { swing, .. }) = sawtooth(&saw, None) else {
            panic!("a sawtooth")
        };
        assert!((swing - 26.0).abs() < 1e-9, "{swing}");
        for i in (4..40).rev().filter(|i| i % 4 == 2) {
            saw.index.remove(i);
            saw.value.remove(i);
        }
        let Some(Shape::Sawtooth { swing, .. }) = sawtooth(&saw, None) else {
            panic!("a sawtooth")
        };
        assert!((swing - 26.0).abs() < 1e-9, "{swing}");
    }
}
