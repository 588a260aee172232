//! What was seen, in terms of the value: from the dominant explanation to a step's size and time.

use crate::answer::{Form, Noise, Shape};
use crate::belief::Belief;
use crate::blocks::Blocks;
use crate::explain::{Candidates, Explanation, Kind};
use crate::fit::{CORRELATION_TIMES_S, Fit};

/// Forms with less belief are not worth a line.
const WEIGHT_MIN: f64 = 0.05;

/// The forms that are believed, the dominant one first; then the sawtooth, if rotations were resolved. `scale` makes growth per
/// minute (or per rotation) of growth over the run.
#[must_use]
pub(crate) fn shapes(
    belief: &Belief,
    blocks: &Blocks,
    candidates: &Candidates,
    scale: f64,
    growing: bool,
) -> Vec<Shape> {
    let by_kind = belief.by_kind();
    let mut kinds = Kind::ALL;
    kinds.sort_by(|a, b| by_kind[*b as usize].total_cmp(&by_kind[*a as usize]));
    // More than a line is claimed only against odds of twenty to one for it ["strong": Kass & Raftery 1995].
    if by_kind[Kind::Ramp as usize] >= WEIGHT_MIN {
        kinds.sort_by_key(|kind| *kind != Kind::Ramp);
    }
    let mut shapes: Vec<Shape> = kinds
        .iter()
        .copied()
        .filter(|kind| by_kind[*kind as usize] >= WEIGHT_MIN)
        .filter_map(|kind| {
            let form = form(belief.leader(kind)?, blocks, candidates, scale, growing);
            Some(Shape {
                form,
                weight: by_kind[kind as usize],
            })
        })
        .collect();
    if let Some(form) = sawtooth(blocks, belief.leader(kinds[0])) {
        shapes.push(Shape { form, weight: 1.0 });
    }
    shapes
}

fn form(fit: &Fit, blocks: &Blocks, candidates: &Candidates, scale: f64, growing: bool) -> Form {
    let [first, second] = fit.added;
    let edge_s = |at: usize| blocks.edge_s(blocks.index[at]);
    let approach = |warm_up: usize, coefficient: f64| {
        let column = &candidates.warm_ups[warm_up].column;
        let ends = column.last().copied().unwrap_or(0.0) - column.first().copied().unwrap_or(0.0);
        (coefficient * ends, candidates.warm_ups[warm_up].time_constant_s)
    };
    match fit.explanation {
        Explanation::Ramp if growing => Form::Ramp,
        Explanation::Ramp => Form::Flat,
        Explanation::Step { at } => Form::Step {
            size: first,
            at_s: edge_s(at),
        },
        Explanation::Kink { kink } => {
            let kink = &candidates.kinks[kink];
            let before = fit.growth - first * scale;
            let at_s = blocks.edge_s(kink.edge);
            if first > 0.0 {
                Form::LateOnset { at_s, before }
            } else {
                Form::StoppedGrowing { at_s, before }
            }
        }
        Explanation::WarmUp { warm_up } => {
            let (size, time_constant_s) = approach(warm_up, first);
            Form::WarmUp { size, time_constant_s }
        }
        Explanation::TwoSteps { first: a, second: b } => Form::TwoSteps {
            first_size: first,
            first_at_s: edge_s(a),
            second_size: second,
            second_at_s: edge_s(b),
        },
        Explanation::StepAndWarmUp { at, warm_up } => {
            let (size, time_constant_s) = approach(warm_up, second);
            Form::WarmUpAndStep {
                size,
                time_constant_s,
                step_size: first,
                step_at_s: edge_s(at),
            }
        }
    }
}

/// Mean level of each part of a rotation after the line is taken off, if the swing is more than the noise makes of it.
fn sawtooth(blocks: &Blocks, dominant: Option<&Fit>) -> Option<Form> {
    let parts = blocks.grid.parts;
    let rotations = blocks.grid.count / parts;
    if parts < 2 || rotations == 0 {
        return None;
    }
    // The differences of neighbouring blocks within a rotation need no trend and feel a change of level only once.
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
    (swing > 4.0 * noise && swing > 0.0).then_some(Form::Sawtooth {
        swing,
        period_s: blocks.grid.width_s * parts as f64,
    })
}

/// Median rise over a whole rotation, per block: the sawtooth cancels, and a change of level counts for one rotation only.
fn growth_per_block(blocks: &Blocks) -> Option<f64> {
    let parts = blocks.grid.parts;
    let mut rises: Vec<f64> = (parts..blocks.index.len())
        .filter(|&i| blocks.index[i] - blocks.index[i - parts] == parts)
        .map(|i| (blocks.value[i] - blocks.value[i - parts]) / parts as f64)
        .collect();
    crate::median::median_of(&mut rises)
}

/// Noise averaged over the belief: S₀ = B σ²/(1−φ)² of AR(1) errors with independent variance σ² per block of B seconds
/// [spectral density at frequency 0: Priestley 1981].
#[must_use]
pub(crate) fn noise(belief: &Belief, width_s: f64) -> Option<Noise> {
    if belief.is_empty() {
        return None;
    }
    let (mut log_s0, mut tau_s) = (0.0, 0.0);
    for (correlation, time_s) in belief
        .correlations()
        .iter()
        .zip(CORRELATION_TIMES_S)
        .filter(|(c, _)| c.weight > 0.0)
    {
        let phi = if time_s > 0.0 { (-width_s / time_s).exp() } else { 0.0 };
        log_s0 += correlation.weight * (width_s * correlation.variance / ((1.0 - phi) * (1.0 - phi))).ln();
        tau_s += correlation.weight * time_s;
    }
    Some(Noise {
        s0: log_s0.exp(),
        tau_s,
    })
}
