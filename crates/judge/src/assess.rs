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
    assessment(series, None, spec)
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
    assessment(series, Some(rotations), spec)
}

fn assessment(series: &Series, rotations: Option<&[f64]>, spec: &TestSpec) -> Assessment {
    if let Some(defect) = spec.defect(series.len()) {
        return Assessment::without_figures(Outcome::Invalid, Code::InvalidSpec, defect.to_owned());
    }
    if series.len() < 2 {
        let sentence = format!("{} samples show no growth", series.len());
        return Assessment::without_figures(Outcome::Invalid, Code::NoData, sentence);
    }
    if series.len() < sparse::MIN_SAMPLES {
        return few(series, spec);
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
    let Some((line, scale)) = line(&blocks, &cleared, rotations) else {
        let sentence = "no rotation was seen, so there is no growth per rotation".to_owned();
        return Assessment::without_figures(Outcome::Inconclusive, Code::TooFewRotations, sentence);
    };
    Assessment {
        per_container,
        ..of_blocks(&blocks, line, scale, series, rotations, spec)
    }
}

/// Returns the regressor of each block, from 0 to 1, and the factor from growth over it to growth per minute or
/// rotation.
fn line(blocks: &Blocks, series: &Series, rotations: Option<&[f64]>) -> Option<(Vec<f64>, f64)> {
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

fn few(series: &Series, spec: &TestSpec) -> Assessment {
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
        "{} samples are too few to tell growth from chance, {} are needed",
        series.len(),
        sparse::MIN_SAMPLES
    );
    Assessment::without_figures(Outcome::Inconclusive, Code::TooFewSamples, sentence)
}

fn of_blocks(
    blocks: &Blocks,
    line: Vec<f64>,
    scale: f64,
    series: &Series,
    rotations: Option<&[f64]>,
    spec: &TestSpec,
) -> Assessment {
    let model_set = ModelSet::new(blocks, line);
    let fits = fit::fits(blocks, &model_set, smallest_change(blocks, spec.quantum));
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
        let blocks = |largest: f64| Blocks::whole(1.0, 1, vec![1.0, -largest]);
        assert_eq!(smallest_change(&blocks(2e9), 1.0), 2.0);
        assert_eq!(smallest_change(&blocks(2e9), 4096.0), 4096.0);
        assert_eq!(smallest_change(&blocks(0.0), 0.0), 1e-9);
    }

    fn series(n: usize, every_s: f64, value: impl Fn(usize) -> f64) -> Series {
        Series::new(
            (0..n).map(|i| i as f64 * every_s).collect(),
            (0..n).map(value).collect(),
        )
        .unwrap()
    }

    fn noise(i: usize) -> f64 {
        [3.0, -2.0, 1.0, -4.0, 2.0, 4.0, -1.0, -3.0, 0.0][(i * i + 3 * i) % 9]
    }

    fn code(assessment: &Assessment) -> Code {
        assessment.reason.code
    }

    #[test]
    fn rotations_must_be_known_at_each_sample() {
        let (series, spec) = (series(40, 15.0, |_| 7.0), TestSpec::at_most(2.0, 600.0));
        let with = |rotations: &[f64]| code(&assess_per_rotation(&series, rotations, &spec));
        let counted: Vec<f64> = (0..40).map(f64::from).collect();
        assert_ne!(with(&counted), Code::InvalidSpec);
        assert_eq!(with(&counted[1..]), Code::InvalidSpec);
        let unknown: Vec<f64> = counted.iter().map(|n| if *n == 20.0 { f64::NAN } else { *n }).collect();
        assert_eq!(with(&unknown), Code::InvalidSpec);
    }

    #[test]
    fn one_sample_shows_no_growth_and_fifteen_are_few() {
        let of = |n: usize| assess(&series(n, 60.0, |_| 7.0), &TestSpec::at_most(2.0, 600.0));
        assert_eq!(
            [0, 1, 2].map(|n| code(&of(n))),
            [Code::NoData, Code::NoData, Code::TooFewSamples]
        );
        assert_eq!((code(&of(15)), of(15).growth), (Code::TooFewSamples, None));
        assert!(of(16).growth.is_some());
    }

    #[test]
    fn the_line_of_rotations_runs_from_0_to_1_and_begins_with_the_blocks() {
        // Blocks of 10 s from 100 s on; a rotation each 10 s before 120 s, and each 5 s after it: 2 and 4 of them, after 10.
        let blocks = Blocks {
            begin_s: 100.0,
            ..Blocks::whole(10.0, 1, vec![0.0; 4])
        };
        let series = series(9, 20.0, |_| 0.0);
        let rotations: Vec<f64> = series
            .t_s()
            .iter()
            .map(|t| if *t <= 120.0 { t / 10.0 } else { t / 5.0 - 12.0 })
            .collect();
        let (line, scale) = line(&blocks, &series, Some(&rotations)).unwrap();
        let expected = [0.5 / 6.0, 1.5 / 6.0, 3.0 / 6.0, 5.0 / 6.0];
        assert!(
            line.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12),
            "{line:?}"
        );
        assert!((scale - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(super::line(&blocks, &series, Some(&[5.0; 9])), None);
        // The range from −1e308 to 1e308 exceeds the largest number.
        let seconds = self::series(141, 1.0, |_| 0.0);
        let endless: Vec<f64> = seconds
            .t_s()
            .iter()
            .map(|t| (5e306 * (t - 120.0)).clamp(-1e308, 1e308))
            .collect();
        assert_eq!(super::line(&blocks, &seconds, Some(&endless)), None);
    }

    #[test]
    fn the_interval_spends_the_errors_of_its_length() {
        // Ten minutes: 2 % below and 3 % above; seventeen: 3 % and 3.4 %.
        for (minutes, alpha, beta) in [(10_usize, 0.02, 0.03), (17, 0.03, 0.034)] {
            let series = series(minutes * 60, 1.0, |i| 0.1 * i as f64 + noise(i));
            let assessment = assess(&series, &TestSpec::at_most(6.0, 600.0));
            let keep = despike::keep_mask(&series, 1.0);
            let blocks = Blocks::new(&series, &keep, Grid::new(series.length_s(), series.spacing_s(), None));
            let models = ModelSet::new(&blocks, blocks.shares());
            let fits = fit::fits(&blocks, &models, smallest_change(&blocks, 1.0));
            let posterior = Posterior::new(&fits, &models, 60.0 / blocks.length_s(), 6.0);
            let growth = assessment.growth.unwrap();
            for (at, share) in [
                (growth.estimate, 0.5),
                (growth.low, alpha),
                (growth.high, 1.0 - beta),
                (growth.low_99, 0.01),
            ] {
                assert!((posterior.cdf(at) - share).abs() < 1e-4, "{share}");
            }
            assert_eq!(assessment.above_limit, 1.0 - posterior.cdf(6.0));
            assert!(assessment.above_limit > 0.01 && assessment.above_limit < 0.99);
        }
    }

    #[test]
    fn rotations_since_the_first_sample_are_counted() {
        // From 100 on five rotations are too few to pass, six are not.
        let spec = TestSpec::at_most(100.0, 600.0);
        let of = |rotations: f64| {
            let counts: Vec<f64> = (0..600).map(|i| 100.0 + rotations * f64::from(i) / 599.0).collect();
            code(&assess_per_rotation(&series(600, 1.0, noise), &counts, &spec))
        };
        assert_eq!((of(5.0), of(6.0)), (Code::TooFewRotations, Code::WithinLimit));
    }

    #[test]
    fn growth_is_reported_whatever_the_limit() {
        let flat = assess(&series(600, 1.0, noise), &TestSpec::at_most(2.0, 600.0));
        assert!(!flat.growing);
        let steep = assess(
            &series(600, 1.0, |i| i as f64 + noise(i)),
            &TestSpec::at_most(2.0, 600.0),
        );
        assert!(steep.growing);
    }

    #[test]
    fn a_step_at_the_very_end_is_no_pass() {
        // Steps are separable from growth at this limit, except in the last three blocks of half a minute.
        let step = |at: usize| {
            let step = |i: usize| if i >= at { 40.0 } else { 0.0 };
            code(&assess(
                &series(1800, 1.0, |i| step(i) + noise(i)),
                &TestSpec::at_most(2.0, 1800.0),
            ))
        };
        assert_eq!((step(900), step(1740)), (Code::WithinLimit, Code::StraddlesLimit));
    }

    #[test]
    fn the_effect_of_a_container_is_told() {
        // Five more with each container, whose number moves each minute.
        let containers: Vec<f64> = (0..600).map(|i| 10.0 + f64::from(i / 60 * 7 % 4)).collect();
        let moved = series(600, 1.0, |i| 100.0 + 5.0 * containers[i]);
        let spec = TestSpec {
            covariate: Some(containers.clone()),
            ..TestSpec::at_most(2.0, 600.0)
        };
        let effect = assess(&moved, &spec).per_container.unwrap();
        assert!((effect - 5.0).abs() < 1e-9, "{effect}");
        assert_eq!(assess(&moved, &TestSpec::at_most(2.0, 600.0)).per_container, None);
    }

    #[test]
    fn two_rises_in_a_row_are_growth() {
        let rising = assess(&series(3, 60.0, |i| 100.0 * i as f64), &TestSpec::at_most(2.0, 600.0));
        assert_eq!(
            (rising.outcome, code(&rising), rising.growing),
            (Outcome::Fail, Code::ConsecutiveRises, true)
        );
        let flat = assess(&series(3, 60.0, |_| 0.0), &TestSpec::at_most(2.0, 600.0));
        assert!(!flat.growing);
    }
}
