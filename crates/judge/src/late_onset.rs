//! The smallest leak that a run would have seen though it began late: printed with every pass.
//!
//! What no judge can beat is in [`plan`]; this is what this judge does, which is less, and a promise must not be more. The factors
//! were measured (`tests/late_onset.rs`): of what is promised, 99 % do not pass.

use crate::assessment::{LateLeak, Noise};
use crate::blocks::Blocks;
use crate::models::{ModelKind, blocks_after_changepoint};
use crate::posterior::Posterior;
use crate::power::{self, ErrorRates};
use crate::test_spec::TestSpec;

/// The last so many of a run are its late part.
const LATE: f64 = 1.0 / 8.0;

/// How many times the bound's growth above the limit it takes beside nothing else, and beside a step or a warm-up: a changepoint and one
/// of those are not looked for together, so that the leak has to outweigh it.
const BESIDE_NOTHING: f64 = 1.7;
const BESIDE_ANOTHER: f64 = 8.0;

/// Quanta by which a leak must rise to be no change of level: two are excused, and noise may hide as many again and half.
const QUANTA: f64 = 6.0;

/// The smallest leak that would not have passed beginning in the run's last eighth, or as late as an onset is looked for.
pub(crate) fn smallest_leak(
    noise: Noise,
    posterior: &Posterior,
    blocks: &Blocks,
    length_s: f64,
    spec: &TestSpec,
) -> LateLeak {
    let onset_s = blocks.grid.width_s * (blocks_after_changepoint(blocks.grid.count) + 1) as f64;
    let window_s = (LATE * length_s).max(onset_s);
    let bound = power::smallest_late_leak_per_min(spec.limit_per_min, noise.s0, window_s, ErrorRates::default());
    let by_kind = posterior.by_kind();
    let times = if by_kind[ModelKind::Linear as usize] + by_kind[ModelKind::Changepoint as usize] > 0.5 {
        BESIDE_NOTHING
    } else {
        BESIDE_ANOTHER
    };
    let by_noise = spec.limit_per_min + times * (bound - spec.limit_per_min);
    let by_quantum = spec.limit_per_min + QUANTA * spec.quantum * 60.0 / window_s;
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

    /// What is promised of so many seconds with that noise, when the ramp, a changepoint and a step are believed so much.
    fn promised(blocks: &Blocks, s0: f64, weights: [f64; 3]) -> LateLeak {
        promised_in(1.0, blocks, s0, weights)
    }

    fn promised_in(quantum: f64, blocks: &Blocks, s0: f64, weights: [f64; 3]) -> LateLeak {
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
        smallest_leak(Noise { s0, tau_s: 0.0 }, &posterior, blocks, length_s, &spec)
    }

    #[test]
    fn without_noise_a_leak_must_rise_by_its_quanta() {
        // An eighth of half an hour: 6 in 225 s are 1.6 a minute beyond the limit.
        let late = promised(&blocks(30.0, 60), 1e-9, [1.0, 0.0, 0.0]);
        assert_eq!(late.window_s, 225.0);
        assert!((late.per_min - 3.6).abs() < 1e-3, "{}", late.per_min);
        // Pages of four: four times as much.
        let pages = promised_in(4.0, &blocks(30.0, 60), 1e-9, [1.0, 0.0, 0.0]);
        assert!((pages.per_min - 8.4).abs() < 1e-3, "{}", pages.per_min);
        // Of sixteen blocks a minute long the last four and one more.
        assert_eq!(promised(&blocks(60.0, 16), 1e-9, [1.0, 0.0, 0.0]).window_s, 300.0);
    }

    #[test]
    fn noise_counts_almost_twice_and_eight_times_beside_a_step() {
        // S₀ = T³/12: the standard error is 60 a minute, and the bound 4.6527 of them.
        let s0 = 225f64.powi(3) / 12.0;
        let beyond = |weights: [f64; 3]| (promised(&blocks(30.0, 60), s0, weights).per_min - 2.0) / (60.0 * 4.6527);
        assert!((beyond([1.0, 0.0, 0.0]) - 1.7).abs() < 1e-3);
        assert!((beyond([0.3, 0.3, 0.4]) - 1.7).abs() < 1e-3);
        assert!((beyond([0.3, 0.1, 0.6]) - 8.0).abs() < 1e-3);
    }
}
