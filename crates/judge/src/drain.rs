//! The drain check: the target's level after the load compared with its level before it.
//!
//! It detects the smallest leaks, because it counts what remains instead of estimating a slope. One leak in fifty
//! rotations shows after minutes.

use crate::assessment::Outcome;
use crate::median::{MAD_TO_SD, median_and_mad};
use crate::series::Series;

/// Minimum number of samples of a level.
const SAMPLES_MIN: usize = 3;

/// Standard error of a median relative to that of a mean, for independent normal samples: √(π/2) [Kenney & Keeping
/// 1962].
const MEDIAN_OVER_MEAN: f64 = 1.2533;

/// Normal quantile for 99 % on either side.
const MARGIN: f64 = 2.3263;

/// Maximum correlation of neighbours; more is drift, not noise.
const CORRELATION_MAX: f64 = 0.95;

/// The comparison of the levels before and after a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DrainAssessment {
    /// Level after the load (median of the last third of the drain) minus the level before it.
    pub(crate) residual: f64,
    /// Half-width of the interval around the residual, with 99 % on either side.
    pub(crate) uncertainty: f64,
    /// `Pass` if the whole interval is within the limit, `Fail` if the whole interval is above it.
    pub(crate) outcome: Outcome,
}

/// Compares the level after the load with the level before it; at most `allowed` units may remain.
///
/// `before` is the idle target before the load, `after` everything from the end of the load to the drain's deadline. `None` if
/// either has too few samples for a level. The value moves in steps of `quantum`.
pub(crate) fn assess_drain(before: &Series, after: &Series, allowed: f64, quantum: f64) -> Option<DrainAssessment> {
    let (low, low_error) = level(before.value(), quantum)?;
    let (high, high_error) = level(tail(after).value(), quantum)?;
    let residual = high - low;
    let uncertainty = MARGIN * low_error.hypot(high_error);
    let outcome = if residual + uncertainty <= allowed {
        Outcome::Pass
    } else if residual - uncertainty > allowed {
        Outcome::Fail
    } else {
        Outcome::Inconclusive
    };
    Some(DrainAssessment {
        residual,
        uncertainty,
        outcome,
    })
}

/// Returns the last third, but at least [`SAMPLES_MIN`] samples.
fn tail(series: &Series) -> Series {
    let third = (series.len() / 3).max(SAMPLES_MIN).min(series.len());
    series
        .t_s()
        .get(series.len() - third)
        .map_or_else(Series::default, |begin_s| series.since(*begin_s))
}

/// Returns the median and its standard error 1.2533 · 1.4826 · MAD / √n.
///
/// The correlation ρ of neighbours reduces n to n (1−ρ)/(1+ρ) [effective sample size of an AR(1) process: Bayley &
/// Hammersley 1946]. If the value moved at all, its standard deviation is at least that of its steps, quantum / √12
/// [Sheppard 1898]. A constant value has no error.
fn level(values: &[f64], quantum: f64) -> Option<(f64, f64)> {
    if values.len() < SAMPLES_MIN {
        return None;
    }
    let (centre, mad) = median_and_mad(&mut values.to_vec())?;
    let rho = neighbours(values, centre);
    let effective = (values.len() as f64 * (1.0 - rho) / (1.0 + rho)).max(1.0);
    let moved = values.iter().any(|value| value != &values[0]);
    let least = if moved { quantum / 12f64.sqrt() } else { 0.0 };
    Some((
        centre,
        MEDIAN_OVER_MEAN * (MAD_TO_SD * mad).max(least) / effective.sqrt(),
    ))
}

/// Returns the correlation of neighbouring samples about `centre`, from 0 to [`CORRELATION_MAX`].
fn neighbours(values: &[f64], centre: f64) -> f64 {
    let square: f64 = values.iter().map(|v| (v - centre) * (v - centre)).sum();
    let cross: f64 = values
        .windows(2)
        .map(|pair| (pair[0] - centre) * (pair[1] - centre))
        .sum();
    if square > 0.0 {
        (cross / square).clamp(0.0, CORRELATION_MAX)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_second(value: &[f64]) -> Series {
        Series::new((0..value.len()).map(|i| i as f64).collect(), value.to_vec()).unwrap()
    }

    fn drain(before: &Series, after: &Series, allowed: f64) -> DrainAssessment {
        assess_drain(before, after, allowed, 1.0).unwrap()
    }

    #[test]
    fn counts_that_stand_still_are_compared_exactly() {
        let idle = each_second(&[40.0; 10]);
        let residual = |n: f64| drain(&idle, &each_second(&[40.0 + n; 9]), 2.0);
        assert_eq!(residual(2.0).outcome, Outcome::Pass);
        assert_eq!(residual(2.0).uncertainty, 0.0);
        assert_eq!(residual(3.0).outcome, Outcome::Fail);
        assert_eq!(residual(3.0).residual, 3.0);
        assert_eq!(residual(-5.0).outcome, Outcome::Pass);
    }

    #[test]
    fn only_the_end_of_the_drain_counts() {
        let after = each_second(&[90.0, 80.0, 70.0, 60.0, 50.0, 45.0, 40.0, 40.0, 40.0]);
        let drain = drain(&each_second(&[40.0; 5]), &after, 0.0);
        assert_eq!((drain.residual, drain.outcome), (0.0, Outcome::Pass));
    }

    #[test]
    fn noise_leaves_doubt() {
        // Deviations 2, 1, 0, 1, 2, 1, 0, 1 …: MAD 1; neighbours are uncorrelated.
        let noisy: Vec<f64> = (0..36)
            .map(|i| 40.0 + [2.0, -1.0, 0.0, 1.0, -2.0, 1.0, 0.0, -1.0][i % 8])
            .collect();
        let idle = each_second(&noisy);
        let residual = |n: f64| {
            drain(
                &idle,
                &each_second(&noisy.iter().map(|v| v + n).collect::<Vec<_>>()),
                2.0,
            )
            .outcome
        };
        assert_eq!(residual(0.0), Outcome::Pass);
        assert_eq!(residual(2.0), Outcome::Inconclusive);
        assert_eq!(residual(6.0), Outcome::Fail);
    }

    #[test]
    fn the_error_of_a_level_by_hand() {
        // 1 2 3 4 5 about 3: MAD 1, squares 4 1 0 1 4 = 10, neighbours 2 + 0 + 0 + 2 = 4: ρ = 0.4, n = 5 · 0.6/1.4.
        let (centre, error) = level(&[1.0, 2.0, 3.0, 4.0, 5.0], 1.0).unwrap();
        assert_eq!(centre, 3.0);
        assert!((error - 1.2533 * 1.4826 / (15.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_value_that_hardly_moves_is_known_to_its_steps() {
        // MAD 0, one of nine is a step higher: 1.2533 / √12 / √9 in steps; neighbours are uncorrelated.
        let flickering = [40.0, 40.0, 40.0, 41.0, 40.0, 40.0, 40.0, 40.0, 40.0];
        let (centre, error) = level(&flickering, 1.0).unwrap();
        assert_eq!(centre, 40.0);
        assert!((error - 1.2533 / 12f64.sqrt() / 3.0).abs() < 1e-12, "{error}");
        assert!((level(&flickering, 4096.0).unwrap().1 - 4096.0 * error).abs() < 1e-9);
        let residual = drain(&each_second(&flickering), &each_second(&[42.0; 9]), 2.0);
        assert_eq!((residual.residual, residual.outcome), (2.0, Outcome::Inconclusive));
        assert_eq!(
            drain(&each_second(&flickering), &each_second(&[41.0; 9]), 2.0).outcome,
            Outcome::Pass
        );
    }

    #[test]
    fn two_samples_are_no_level() {
        let of = |before: usize, after: usize| {
            let series = |n: usize| each_second(&vec![40.0; n]);
            assess_drain(&series(before), &series(after), 2.0, 1.0).map(|drain| drain.outcome)
        };
        assert_eq!((of(2, 9), of(9, 2)), (None, None));
        assert_eq!(of(3, 3), Some(Outcome::Pass));
    }

    #[test]
    fn what_is_left_must_be_more_than_allowed_with_its_error_to_fail() {
        let idle = each_second(&[40.0; 9]);
        assert_eq!(drain(&idle, &each_second(&[42.5; 9]), 2.5).outcome, Outcome::Pass);
        let flickering = [[50.0; 6].as_slice(), &[50.0, 51.0, 50.0]].concat();
        let error = drain(&idle, &each_second(&flickering), 0.0).uncertainty;
        assert!(error > 0.0);
        let of = |allowed: f64| drain(&idle, &each_second(&flickering), allowed).outcome;
        assert_eq!(of(10.0 - error), Outcome::Inconclusive);
        assert_eq!(of(9.9 - error), Outcome::Fail);
        assert_eq!(of(10.0 + error), Outcome::Pass);
    }

    #[test]
    fn neighbours_are_correlated_about_the_centre() {
        // 7 8 9 8 about 8: squares 1 0 1 0, products of neighbours 0; 7 7 9 9: squares 4, products 1 − 1 + 1.
        assert_eq!(neighbours(&[7.0, 8.0, 9.0, 8.0], 8.0), 0.0);
        assert_eq!(neighbours(&[7.0, 7.0, 9.0, 9.0], 8.0), 0.25);
        assert_eq!(neighbours(&[8.0, 8.0, 8.0], 8.0), 0.0);
        // About another centre than the mean: squares 4 4 0 0 0, products 4 0 0 0.
        assert_eq!(neighbours(&[7.0, 7.0, 9.0, 9.0, 9.0], 9.0), 0.5);
    }
}
