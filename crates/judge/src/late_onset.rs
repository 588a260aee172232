//! The smallest late leak that a run would have detected, stated with every pass.
//!
//! [`power`] gives the bound for any method. This module gives what this method detects, which is less. The factors
//! were measured in `tests/late_onset.rs`: 99 % of the stated leaks do not pass.

use crate::assessment::{LateLeak, NoiseEstimate};
use crate::blocks::Blocks;
use crate::models::{ModelKind, blocks_after_changepoint};
use crate::posterior::Posterior;
use crate::power::{self, ErrorRates};
use crate::test_spec::TestSpec;

/// Share of a run that is its late part.
const LATE_SHARE: f64 = 1.0 / 8.0;

/// Factors on the bound's growth above the limit: for a series without other change, and for one with a step or a
/// warm-up. No model combines a changepoint with a step or a warm-up, so the leak must outweigh it.
const FACTOR_ALONE: f64 = 1.7;
const FACTOR_WITH_STEP: f64 = 8.0;

/// Quanta by which a leak must rise to differ from steps: two may be steps, and noise may hide twice as many.
const MIN_QUANTA: f64 = 6.0;

/// Returns the smallest leak that would not have passed, beginning in the run's last eighth or at the latest possible
/// onset.
pub(crate) fn smallest_leak(
    noise: NoiseEstimate,
    posterior: &Posterior,
    blocks: &Blocks,
    length_s: f64,
    spec: &TestSpec,
) -> LateLeak {
    let onset_s = blocks.grid.width_s * (blocks_after_changepoint(blocks.grid.count) + 1) as f64;
    let window_s = (LATE_SHARE * length_s).max(onset_s);
    let bound = power::smallest_late_leak_per_min(spec.limit_per_min, noise.s0, window_s, ErrorRates::default());
    let by_kind = posterior.by_kind();
    let times = if by_kind[ModelKind::Linear as usize] + by_kind[ModelKind::Changepoint as usize] > 0.5 {
        FACTOR_ALONE
    } else {
        FACTOR_WITH_STEP
    };
    let by_noise = spec.limit_per_min + times * (bound - spec.limit_per_min);
    let by_quantum = spec.limit_per_min + MIN_QUANTA * spec.quantum * 60.0 / window_s;
    LateLeak {
        window_s,
        per_min: by_noise.max(by_quantum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fit::Fit;
    use crate::models::{Model, ModelSet};

    fn blocks(width_s: f64, count: usize) -> Blocks {
        Blocks::whole(width_s, 1, vec![0.0; count])
    }

    /// Returns the smallest leak for posterior weights of the line, a changepoint and a step.
    fn smallest_leak_for(blocks: &Blocks, s0: f64, weights: [f64; 3]) -> LateLeak {
        smallest_leak_with_quantum(1.0, blocks, s0, weights)
    }

    fn smallest_leak_with_quantum(quantum: f64, blocks: &Blocks, s0: f64, weights: [f64; 3]) -> LateLeak {
        let model_set = ModelSet::new(blocks, blocks.shares());
        let models = [
            Model::Linear,
            Model::Changepoint { changepoint: 2 },
            Model::Step { at: 4 },
        ];
        let fits: Vec<Fit> = models
            .into_iter()
            .zip(weights)
            .map(|(model, weight)| Fit {
                model,
                log_weight: weight.ln(),
                growth: 0.0,
                standard_error: 1.0,
                dof: 10,
                added: [0.0; 2],
                variance: 1.0,
                correlation: 0,
            })
            .collect();
        let posterior = Posterior::new(&fits, &model_set, 1.0, 2.0);
        let length_s = blocks.length_s();
        let spec = TestSpec {
            quantum,
            ..TestSpec::at_most(2.0, length_s)
        };
        smallest_leak(NoiseEstimate { s0, tau_s: 0.0 }, &posterior, blocks, length_s, &spec)
    }

    #[test]
    fn without_noise_a_leak_must_rise_by_its_quanta() {
        // An eighth of half an hour: 6 in 225 s are 1.6 a minute beyond the limit.
        let late = smallest_leak_for(&blocks(30.0, 60), 1e-9, [1.0, 0.0, 0.0]);
        assert_eq!(late.window_s, 225.0);
        assert!((late.per_min - 3.6).abs() < 1e-3, "{}", late.per_min);
        // Pages of four: four times as much.
        let pages = smallest_leak_with_quantum(4.0, &blocks(30.0, 60), 1e-9, [1.0, 0.0, 0.0]);
        assert!((pages.per_min - 8.4).abs() < 1e-3, "{}", pages.per_min);
        // Of sixteen blocks of a minute: the last four and one more.
        assert_eq!(
            smallest_leak_for(&blocks(60.0, 16), 1e-9, [1.0, 0.0, 0.0]).window_s,
            300.0
        );
    }

    #[test]
    fn the_factor_is_almost_two_alone_and_eight_with_a_step() {
        // S₀ = T³/12: the standard error is 60 a minute, and the bound 4.6527 of them.
        let s0 = 225f64.powi(3) / 12.0;
        let beyond =
            |weights: [f64; 3]| (smallest_leak_for(&blocks(30.0, 60), s0, weights).per_min - 2.0) / (60.0 * 4.6527);
        assert!((beyond([1.0, 0.0, 0.0]) - 1.7).abs() < 1e-3);
        assert!((beyond([0.3, 0.3, 0.4]) - 1.7).abs() < 1e-3);
        assert!((beyond([0.3, 0.1, 0.6]) - 8.0).abs() < 1e-3);
    }
}
