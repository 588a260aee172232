//! The assessment of one series.
//!
//! The steps are the method: reject what cannot be judged, remove the effect of containers and bursts, cut the run
//! into blocks, fit every model, and test the posterior against the limit.

use std::borrow::Cow;

use crate::aliasing::{self, Sampling};
use crate::assessment::{Assessment, Code, Growth, Outcome};
use crate::blocks::{Blocks, Grid, whole_rotations};
use crate::decision::{self, RunConditions};
use crate::fit::Fit;
use crate::models::ModelSet;
use crate::posterior::Posterior;
use crate::power::{self, ErrorRates};
use crate::series::Series;
use crate::test_spec::{TestSpec, beta_pass};
use crate::{covariate, despike, fit, late_onset, quantized_steps, shape, sparse};

/// Posterior probability above which growth is reported, whatever the limit.
const GROWING: f64 = 0.99;

/// Assesses the growth per minute of a series.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{Outcome, Series, TestSpec, assess};
///
/// // Half an hour at one sample per second: a count that grows by 10 per minute, and one that does not.
/// let times: Vec<f64> = (0..1800).map(f64::from).collect();
/// let noise = |t: &f64| (t * 7.3).sin().round();
/// let leaking = times.iter().map(|t| 100.0 + (t / 6.0).floor() + noise(t)).collect();
/// let steady = times.iter().map(|t| 100.0 + noise(t)).collect();
///
/// let spec = TestSpec::at_most(2.0, 1800.0);
/// let leaking = assess(&Series::new(times.clone(), leaking)?, &spec);
/// assert_eq!(leaking.outcome, Outcome::Fail);
/// assert!(leaking.growth.is_some_and(|growth| growth.low > 9.0 && growth.high < 11.0));
/// assert_eq!(assess(&Series::new(times, steady)?, &spec).outcome, Outcome::Pass);
/// # Ok::<(), leakcheck_judge::SeriesError>(())
/// ```
#[must_use]
pub fn assess(series: &Series, spec: &TestSpec) -> Assessment {
    assess_over(series, None, spec)
}

/// Assesses the growth per rotation of a series.
///
/// `rotations` is the number of rotations so far at each sample, and the limit of `spec` applies per rotation. The
/// result depends neither on the length nor on the speed of the run.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{Series, TestSpec, assess_per_rotation};
///
/// // A rotation every 20 s, each of which leaks four.
/// let times: Vec<f64> = (0..900).map(f64::from).collect();
/// let rotations: Vec<f64> = times.iter().map(|t| (t / 20.0).floor()).collect();
/// let series = Series::new(times, rotations.iter().map(|n| 50.0 + 4.0 * n).collect())?;
///
/// let assessment = assess_per_rotation(&series, &rotations, &TestSpec::at_most(0.5, 900.0));
/// assert!(assessment.growth.is_some_and(|growth| (growth.estimate - 4.0).abs() < 0.2));
/// # Ok::<(), leakcheck_judge::SeriesError>(())
/// ```
#[must_use]
pub fn assess_per_rotation(series: &Series, rotations: &[f64], spec: &TestSpec) -> Assessment {
    if rotations.len() != series.len() || rotations.iter().any(|r| !r.is_finite()) {
        let sentence = "the number of rotations must be known at each sample".to_owned();
        return Assessment::without_figures(Outcome::Invalid, Code::InvalidSpec, sentence);
    }
    assess_over(series, Some(rotations), spec)
}

fn assess_over(series: &Series, rotations: Option<&[f64]>, spec: &TestSpec) -> Assessment {
    if let Some(defect) = spec.defect(series.len()) {
        return Assessment::without_figures(Outcome::Invalid, Code::InvalidSpec, defect.to_owned());
    }
    if series.len() < 2 {
        let sentence = format!("{} samples show no growth", series.len());
        return Assessment::without_figures(Outcome::Invalid, Code::NoData, sentence);
    }
    if series.len() < sparse::MIN_SAMPLES {
        return assess_few(series, spec);
    }
    let (cleared, per_container) = match &spec.covariate {
        Some(containers) => {
            let (cleared, effect) = covariate::remove_effect(series, containers);
            (Cow::Owned(cleared), Some(effect))
        }
        None => (Cow::Borrowed(series), None),
    };
    let kept = despike::keep_mask(&cleared, spec.quantum);
    let grid = Grid::new(cleared.length_s(), cleared.spacing_s(), spec.rotation_period_s);
    let blocks = Blocks::new(&cleared, &kept, grid);
    let Some((line, scale)) = regressor(&blocks, &cleared, rotations) else {
        let sentence = "no rotation was seen, so there is no growth per rotation".to_owned();
        return Assessment::without_figures(Outcome::Inconclusive, Code::TooFewRotations, sentence);
    };
    Assessment {
        per_container,
        ..assess_blocks(&blocks, line, scale, series, rotations, spec)
    }
}

/// Returns the regressor of each block, from 0 to 1, and the factor from growth over it to growth per minute or
/// rotation.
fn regressor(blocks: &Blocks, series: &Series, rotations: Option<&[f64]>) -> Option<(Vec<f64>, f64)> {
    let Some(rotations) = rotations else {
        return Some((blocks.shares(), 60.0 / blocks.length_s()));
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

/// Interpolates linearly between the points (`x`, `y`); beyond them, the nearest value.
fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let after = x.partition_point(|&x| x < at);
    match (after.checked_sub(1), x.get(after)) {
        (Some(before), Some(next)) => y[before] + (y[after] - y[before]) * (at - x[before]) / (next - x[before]),
        (None, _) => y.first().copied().unwrap_or(0.0),
        (_, None) => y.last().copied().unwrap_or(0.0),
    }
}

fn assess_few(series: &Series, spec: &TestSpec) -> Assessment {
    let limit = spec.limit_per_min;
    if let Some(rises) = sparse::consecutive_rises(series, limit) {
        let sentence = format!(
            "two rises in a row, {:.1} per minute from {:.0} s to {:.0} s, more than ten times the limit",
            rises.per_min, rises.from_s, rises.to_s
        );
        return Assessment {
            growing: true,
            ..Assessment::without_figures(Outcome::Fail, Code::ConsecutiveRises, sentence)
        };
    }
    let sentence = format!(
        "{} samples are too few to distinguish growth from chance, {} are needed",
        series.len(),
        sparse::MIN_SAMPLES
    );
    Assessment::without_figures(Outcome::Inconclusive, Code::TooFewSamples, sentence)
}

fn assess_blocks(
    blocks: &Blocks,
    line: Vec<f64>,
    scale: f64,
    series: &Series,
    rotations: Option<&[f64]>,
    spec: &TestSpec,
) -> Assessment {
    let model_set = ModelSet::new(blocks, line);
    let fits = fit::fit_all(blocks, &model_set, smallest_change(blocks, spec.quantum));
    let posterior = Posterior::new(&fits, &model_set, scale, spec.limit_per_min);
    let allowance = quantized_steps::allowance(spec.limit_per_min, scale, spec.quantum);
    let risen_since = |block: usize| {
        let risen = |fit: &Fit| quantized_steps::added_growth(fit, &model_set, block);
        1.0 - posterior.cdf_with_added_growth(spec.limit_per_min, &fits, scale, risen)
    };
    let risen = (!quantized_steps::steps_are_separable(allowance)).then(|| risen_since(0));
    let length_s = series.length_s();
    let alpha = spec.alpha_fail(length_s / 60.0);
    let beta = beta_pass(length_s / 60.0);
    let conditions = RunConditions {
        length_s,
        spacing_s: series.spacing_s(),
        // A verdict depends on the rotations of each container. The period gives them; the counts may be sums over
        // containers.
        rotations: match (spec.rotation_period_s, rotations, spec.rotations_counted) {
            (Some(period_s), _, _) => Some(whole_rotations(length_s, period_s)),
            (None, Some(_), Some(of_each)) => Some(of_each.max(0.0) as usize),
            (None, Some(counts), None) => counts
                .last()
                .zip(counts.first())
                .map(|(last, first)| (last - first).max(0.0) as usize),
            (None, None, _) => None,
        },
        counted: spec.rotations_counted.filter(|_| spec.rotation_period_s.is_some()),
        sampling: spec.rotation_period_s.map_or(Sampling::Resolved, |p| {
            aliasing::sampling(p, series.spacing_s(), length_s)
        }),
        alpha,
        beta,
        allowance,
        unseen_s: blocks.missing_at_the_end_s(),
        filled: blocks.index.len(),
    };
    let growing = !posterior.is_empty() && 1.0 - posterior.cdf(0.0) > GROWING;
    let (mut outcome, mut reason) = decision::decide(&posterior, risen, &conditions, spec);
    if outcome == Outcome::Pass && risen.is_none() {
        let late = risen_since(quantized_steps::first_late_block(blocks));
        (outcome, reason) = decision::decide(&posterior, Some(late), &conditions, spec);
    }
    let noise = shape::noise(&posterior, blocks.grid.width_s);
    Assessment {
        outcome,
        reason,
        growth: growth(&posterior, alpha, beta),
        growing,
        above_limit: if posterior.is_empty() {
            f64::NAN
        } else {
            1.0 - posterior.cdf(spec.limit_per_min)
        },
        shapes: shape::shapes(&posterior, blocks, &model_set, scale, growing),
        noise,
        smallest_provable_per_min: noise
            .map(|n| power::smallest_provable_per_min(spec.limit_per_min, n.s0, length_s, ErrorRates::default())),
        smallest_late_leak: noise.map(|n| late_onset::smallest_leak(n, &posterior, blocks, length_s, spec)),
        per_container: None,
    }
}

fn growth(posterior: &Posterior, alpha: f64, beta: f64) -> Option<Growth> {
    if posterior.is_empty() {
        return None;
    }
    let [estimate, low, high, low_99] = posterior.quantiles([0.5, alpha, 1.0 - beta, 0.01]);
    Some(Growth {
        estimate,
        low,
        high,
        low_99,
    })
}

/// Returns the quantum, but at least the resolution of the arithmetic for values of this size.
fn smallest_change(blocks: &Blocks, quantum: f64) -> f64 {
    let largest = blocks.value.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    quantum.max(1e-9 * largest).max(1e-9)
}

#[cfg(test)]
mod tests;
