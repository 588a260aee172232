//! From one series to an answer.
//!
//! The order is the procedure: what cannot be judged is sorted out, containers and bursts are taken out, the run is cut into
//! blocks, every explanation is fitted, and the belief that results is held against the limit.

use crate::alias::{self, Sampling};
use crate::answer::{Answer, Code, Growth, LateLeak, Outcome};
use crate::belief::Belief;
use crate::blocks::{Blocks, Grid, whole_rotations};
use crate::explain::Candidates;
use crate::plan::{self, Errors};
use crate::question::Question;
use crate::series::Series;
use crate::verdict::{self, Facts};
use crate::{covariate, despike, fit, shape, sparse};

/// Belief above which growth is reported whatever the limit.
const GROWING: f64 = 0.99;

/// Belief left above the interval, and the error of a `pass` [two one-sided tests of 5 %: Schuirmann 1987].
pub(crate) const BETA: f64 = 0.05;

/// Judges the growth per minute of a series.
#[must_use]
pub fn assess(series: &Series, question: &Question) -> Answer {
    answer(series, None, question)
}

/// Judges the growth per rotation of a series: `rotations` is the number of rotations so far at each sample, and the question's
/// limit is per rotation. The answer depends on neither length nor speed of the run.
#[must_use]
pub fn assess_per_rotation(series: &Series, rotations: &[f64], question: &Question) -> Answer {
    if rotations.len() != series.len() || rotations.iter().any(|r| !r.is_finite()) {
        let sentence = "the number of rotations must be known at each sample".to_owned();
        return Answer::without_figures(Outcome::Invalid, Code::BadQuestion, sentence);
    }
    answer(series, Some(rotations), question)
}

fn answer(series: &Series, rotations: Option<&[f64]>, question: &Question) -> Answer {
    if let Some(defect) = question.defect(series.len()) {
        return Answer::without_figures(Outcome::Invalid, Code::BadQuestion, defect.to_owned());
    }
    if series.len() < 2 {
        let sentence = format!("{} samples show no growth", series.len());
        return Answer::without_figures(Outcome::Invalid, Code::NoData, sentence);
    }
    if series.len() < sparse::FEW {
        return few(series, question);
    }
    let (cleared, per_container) = match &question.covariate {
        Some(containers) => {
            let (cleared, effect) = covariate::without(series, containers);
            (cleared, Some(effect))
        }
        None => (series.clone(), None),
    };
    let kept = despike::kept(&cleared, question.quantum);
    let grid = Grid::new(cleared.length_s(), cleared.spacing_s(), question.rotation_period_s);
    let blocks = Blocks::new(&cleared, &kept, grid);
    let Some((line, scale)) = line(&blocks, &cleared, rotations) else {
        let sentence = "no rotation was seen, so there is no growth per rotation".to_owned();
        return Answer::without_figures(Outcome::Inconclusive, Code::TooFewRotations, sentence);
    };
    Answer {
        per_container,
        ..of_blocks(&blocks, line, scale, series, rotations, question)
    }
}

/// What growth is measured against at each block, from 0 to 1, and what makes growth over it growth per minute or rotation.
fn line(blocks: &Blocks, series: &Series, rotations: Option<&[f64]>) -> Option<(Vec<f64>, f64)> {
    let Some(rotations) = rotations else {
        let line = blocks.index.iter().map(|&index| blocks.share(index)).collect();
        return Some((line, 60.0 / blocks.length_s()));
    };
    let at = |t_s: f64| interpolate(series.t_s(), rotations, t_s);
    let (begin, end) = (at(blocks.begin_s), at(blocks.begin_s + blocks.length_s()));
    if end <= begin || !(end - begin).is_finite() {
        return None;
    }
    let half = blocks.grid.width_s / 2.0;
    let line = blocks
        .index
        .iter()
        .map(|&index| (at(blocks.edge_s(index) + half) - begin) / (end - begin))
        .collect();
    Some((line, 1.0 / (end - begin)))
}

/// Value of a polygon through (`x`, `y`) at `at`; the end values outside.
fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let after = x.partition_point(|&x| x < at);
    match (after.checked_sub(1), x.get(after)) {
        (Some(before), Some(next)) => y[before] + (y[after] - y[before]) * (at - x[before]) / (next - x[before]),
        (None, _) => y.first().copied().unwrap_or(0.0),
        (_, None) => y.last().copied().unwrap_or(0.0),
    }
}

fn few(series: &Series, question: &Question) -> Answer {
    let limit = question.limit_per_min;
    if let Some(rises) = sparse::rises_in_a_row(series, limit) {
        let sentence = format!(
            "two rises in a row, {:.1} per minute from {:.0} s to {:.0} s, more than ten times the limit",
            rises.per_min, rises.from_s, rises.to_s
        );
        return Answer {
            growing: true,
            ..Answer::without_figures(Outcome::Fail, Code::RisesInARow, sentence)
        };
    }
    let sentence = format!(
        "{} checkpoints are too few to tell growth from chance, {} are needed",
        series.len(),
        sparse::FEW
    );
    Answer::without_figures(Outcome::Inconclusive, Code::TooFewSamples, sentence)
}

fn of_blocks(
    blocks: &Blocks,
    line: Vec<f64>,
    scale: f64,
    series: &Series,
    rotations: Option<&[f64]>,
    question: &Question,
) -> Answer {
    let candidates = Candidates::new(blocks, line);
    let fits = fit::fits(blocks, &candidates, smallest_change(blocks, question.quantum));
    let belief = Belief::new(&fits, &candidates, scale, question.limit_per_min);
    let length_s = series.length_s();
    let alpha = question.alpha_fail(length_s / 60.0);
    let facts = Facts {
        length_s,
        spacing_s: series.spacing_s(),
        // Counts may be summed over containers; what a verdict needs is rotations of each, which the period tells.
        rotations: match (question.rotation_period_s, rotations) {
            (Some(period_s), _) => Some(whole_rotations(length_s, period_s)),
            (None, Some(counts)) => counts
                .last()
                .zip(counts.first())
                .map(|(last, first)| (last - first).max(0.0) as usize),
            (None, None) => None,
        },
        sampling: question
            .rotation_period_s
            .map_or(Sampling::Resolved, |p| alias::sampling(p, series.spacing_s(), length_s)),
        alpha,
    };
    let growing = !belief.is_empty() && 1.0 - belief.below(0.0) > GROWING;
    let (outcome, reason) = verdict::decide(&belief, &facts, question);
    let noise = shape::noise(&belief, blocks.grid.width_s);
    let errors = Errors::default();
    let window_s = length_s / 8.0;
    Answer {
        outcome,
        reason,
        growth: growth(&belief, alpha),
        growing,
        above_limit: if belief.is_empty() {
            f64::NAN
        } else {
            1.0 - belief.below(question.limit_per_min)
        },
        shapes: shape::shapes(&belief, blocks, &candidates, scale, growing),
        noise,
        smallest_provable_per_min: noise
            .map(|n| plan::smallest_provable_per_min(question.limit_per_min, n.s0, length_s, errors)),
        smallest_late_leak: noise.map(|n| LateLeak {
            window_s,
            per_min: plan::smallest_late_leak_per_min(question.limit_per_min, n.s0, window_s, errors),
        }),
        per_container: None,
        belief,
    }
}

fn growth(belief: &Belief, alpha: f64) -> Option<Growth> {
    if belief.is_empty() {
        return None;
    }
    Some(Growth {
        estimate: belief.quantile(0.5),
        low: belief.quantile(alpha),
        high: belief.quantile(1.0 - BETA),
        low_99: belief.quantile(0.01),
    })
}

/// The quantum, but never less than what the arithmetic can resolve at the size of the values.
fn smallest_change(blocks: &Blocks, quantum: f64) -> f64 {
    let largest = blocks.value.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    quantum.max(1e-9 * largest).max(1e-9)
}

#[cfg(test)]
mod tests {
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
        let grid = Grid {
            width_s: 1.0,
            count: 2,
            parts: 1,
        };
        let blocks = |largest: f64| Blocks {
            grid,
            begin_s: 0.0,
            index: vec![0, 1],
            value: vec![1.0, -largest],
        };
        assert_eq!(smallest_change(&blocks(2e9), 1.0), 2.0);
        assert_eq!(smallest_change(&blocks(2e9), 4096.0), 4096.0);
        assert_eq!(smallest_change(&blocks(0.0), 0.0), 1e-9);
    }
}
