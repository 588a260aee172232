//! The smallest leak that a run would have seen though it began late: printed with every pass.
//!
//! What no judge can beat is in [`plan`]; this is what this judge does, which is less, and a promise must not be more. The factors
//! were measured (`tests/late_onset.rs`): of what is promised, 99 % do not pass.

use crate::answer::{LateLeak, Noise};
use crate::belief::Belief;
use crate::blocks::Blocks;
use crate::explain::{Kind, blocks_after_a_kink};
use crate::plan::{self, Errors};
use crate::question::Question;

/// The last so many of a run are its late part.
const LATE: f64 = 1.0 / 8.0;

/// How many times the bound's growth above the limit it takes beside nothing else, and beside a step or a warm-up: a kink and one
/// of those are not looked for together, so that the leak has to outweigh it.
const BESIDE_NOTHING: f64 = 1.7;
const BESIDE_ANOTHER: f64 = 8.0;

/// Quanta by which a leak must rise to be no change of level: two are excused, and noise may hide as many again and half.
const QUANTA: f64 = 6.0;

/// The smallest leak that would not have passed beginning in the run's last eighth, or as late as an onset is looked for.
pub(crate) fn smallest_leak(
    noise: Noise,
    belief: &Belief,
    blocks: &Blocks,
    length_s: f64,
    question: &Question,
) -> LateLeak {
    let onset_s = blocks.grid.width_s * (blocks_after_a_kink(blocks.grid.count) + 1) as f64;
    let window_s = (LATE * length_s).max(onset_s);
    let bound = plan::smallest_late_leak_per_min(question.limit_per_min, noise.s0, window_s, Errors::default());
    let by_kind = belief.by_kind();
    let times = if by_kind[Kind::Ramp as usize] + by_kind[Kind::Kink as usize] > 0.5 {
        BESIDE_NOTHING
    } else {
        BESIDE_ANOTHER
    };
    let by_noise = question.limit_per_min + times * (bound - question.limit_per_min);
    let by_quantum = question.limit_per_min + QUANTA * question.quantum * 60.0 / window_s;
    LateLeak {
        window_s,
        per_min: by_noise.max(by_quantum),
    }
}
