//! Does the target come back to where it began once the load is gone?
//!
//! The smallest leaks show here: what is left after the load is counted, not estimated from a slope, so one leak in fifty
//! rotations is seen after minutes.

use crate::answer::Outcome;
use crate::median::{MAD_TO_SD, median_and_mad};
use crate::series::Series;
use crate::settle::{Settling, settled};

/// Fewer samples than this are no level.
const SAMPLES_MIN: usize = 3;

/// Standard error of a median over that of a mean of independent normal samples: √(π/2) [Kenney & Keeping 1962].
const MEDIAN_OVER_MEAN: f64 = 1.2533;

/// 99 % on either side.
const MARGIN: f64 = 2.3263;

/// More correlation than this between neighbours is a drift, not noise.
const CORRELATION_MAX: f64 = 0.95;

/// What was left after the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drained {
    /// Level before the load.
    pub before: f64,
    /// Level at the end of the drain: median of its last third.
    pub after: f64,
    /// after − before.
    pub left: f64,
    /// What noise makes of it, with 99 % either way.
    pub uncertainty: f64,
    /// True if the value still came down at the deadline.
    pub still_falling: bool,
    /// `pass` if what is left is within the limit whatever the noise, `fail` if it is above it whatever the noise.
    pub outcome: Outcome,
}

/// Holds what is left of a load against `allowed` units. `before` is the idle target before the load, `after` everything from
/// the end of the load to the drain's deadline.
#[must_use]
pub fn drained(before: &Series, after: &Series, allowed: f64) -> Drained {
    drained_in(1.0, before, after, allowed)
}

/// The same of a value that moves in steps of `quantum`.
#[must_use]
pub fn drained_in(quantum: f64, before: &Series, after: &Series, allowed: f64) -> Drained {
    let tail = tail(after);
    let level = |values: &[f64]| level(values, quantum);
    let (Some((low, low_error)), Some((high, high_error))) = (level(before.value()), level(tail.value())) else {
        let nothing = f64::NAN;
        let outcome = Outcome::Invalid;
        return Drained {
            before: nothing,
            after: nothing,
            left: nothing,
            uncertainty: nothing,
            still_falling: false,
            outcome,
        };
    };
    let left = high - low;
    let uncertainty = MARGIN * low_error.hypot(high_error);
    let outcome = if left + uncertainty <= allowed {
        Outcome::Pass
    } else if left - uncertainty > allowed {
        Outcome::Fail
    } else {
        Outcome::Inconclusive
    };
    let still_falling = matches!(settled(&tail, allowed.max(0.0)), Settling::Falling { .. });
    Drained {
        before: low,
        after: high,
        left,
        uncertainty,
        still_falling,
        outcome,
    }
}

/// The last third, but at least [`SAMPLES_MIN`] samples.
fn tail(series: &Series) -> Series {
    let third = (series.len() / 3).max(SAMPLES_MIN).min(series.len());
    series
        .t_s()
        .get(series.len() - third)
        .map_or_else(Series::default, |begin_s| series.since(*begin_s))
}

/// Median and its standard error: 1.2533 · 1.4826 · MAD / √n, with n reduced to n (1−ρ)/(1+ρ) by the correlation ρ of neighbours
/// [effective sample size of an AR(1) process: Bayley & Hammersley 1946]. A value that moved, though seldom, is known no better
/// than its steps allow: their standard deviation is quantum / √12 [Sheppard 1898]. One that did not is known exactly.
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

/// Correlation of neighbouring samples about a centre, from 0 to [`CORRELATION_MAX`].
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

    #[test]
    fn counts_that_stand_still_are_compared_exactly() {
        let idle = each_second(&[40.0; 10]);
        let left = |n: f64| drained(&idle, &each_second(&[40.0 + n; 9]), 2.0);
        assert_eq!(left(2.0).outcome, Outcome::Pass);
        assert_eq!(left(2.0).uncertainty, 0.0);
        assert_eq!(left(3.0).outcome, Outcome::Fail);
        assert_eq!(left(3.0).left, 3.0);
        assert_eq!(left(-5.0).outcome, Outcome::Pass);
    }

    #[test]
    fn only_the_end_of_the_drain_counts() {
        let after = each_second(&[90.0, 80.0, 70.0, 60.0, 50.0, 45.0, 40.0, 40.0, 40.0]);
        let drained = drained(&each_second(&[40.0; 5]), &after, 0.0);
        assert_eq!((drained.after, drained.outcome), (40.0, Outcome::Pass));
        assert!(!drained.still_falling);
    }

    #[test]
    fn noise_leaves_doubt() {
        // Deviations 2, 1, 0, 1, 2, 1, 0, 1 …: MAD 1; neighbours are uncorrelated.
        let noisy: Vec<f64> = (0..36)
            .map(|i| 40.0 + [2.0, -1.0, 0.0, 1.0, -2.0, 1.0, 0.0, -1.0][i % 8])
            .collect();
        let idle = each_second(&noisy);
        let left = |n: f64| {
            drained(
                &idle,
                &each_second(&noisy.iter().map(|v| v + n).collect::<Vec<_>>()),
                2.0,
            )
            .outcome
        };
        assert_eq!(left(0.0), Outcome::Pass);
        assert_eq!(left(2.0), Outcome::Inconclusive);
        assert_eq!(left(6.0), Outcome::Fail);
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
        // MAD 0, one of nine is a step higher: 1.2533 / √12 / √9 in steps; neighbours do not agree.
        let flickering = [40.0, 40.0, 40.0, 41.0, 40.0, 40.0, 40.0, 40.0, 40.0];
        let (centre, error) = level(&flickering, 1.0).unwrap();
        assert_eq!(centre, 40.0);
        assert!((error - 1.2533 / 12f64.sqrt() / 3.0).abs() < 1e-12, "{error}");
        assert!((level(&flickering, 4096.0).unwrap().1 - 4096.0 * error).abs() < 1e-9);
        let left = drained(&each_second(&flickering), &each_second(&[42.0; 9]), 2.0);
        assert_eq!((left.left, left.outcome), (2.0, Outcome::Inconclusive));
        assert_eq!(
            drained(&each_second(&flickering), &each_second(&[41.0; 9]), 2.0).outcome,
            Outcome::Pass
        );
    }

    #[test]
    fn a_value_that_still_comes_down_is_reported() {
        let after: Vec<f64> = (0..30).map(|i| 100.0 - f64::from(i)).collect();
        let drained = drained(&each_second(&[40.0; 5]), &each_second(&after), 2.0);
        assert!(drained.still_falling);
        assert_eq!(drained.outcome, Outcome::Fail);
    }

    #[test]
    fn two_samples_are_no_level() {
        assert_eq!(
            drained(&each_second(&[40.0; 2]), &each_second(&[40.0; 9]), 2.0).outcome,
            Outcome::Invalid
        );
        assert_eq!(
            drained(&each_second(&[40.0; 9]), &each_second(&[40.0; 2]), 2.0).outcome,
            Outcome::Invalid
        );
        assert_eq!(
            drained(&each_second(&[40.0; 3]), &each_second(&[40.0; 3]), 2.0).outcome,
            Outcome::Pass
        );
    }

    #[test]
    fn what_is_left_must_be_more_than_allowed_with_its_error_to_fail() {
        let idle = each_second(&[40.0; 9]);
        assert_eq!(drained(&idle, &each_second(&[42.5; 9]), 2.5).outcome, Outcome::Pass);
        let flickering = [[50.0; 6].as_slice(), &[50.0, 51.0, 50.0]].concat();
        let error = drained(&idle, &each_second(&flickering), 0.0).uncertainty;
        assert!(error > 0.0);
        let of = |allowed: f64| drained(&idle, &each_second(&flickering), allowed).outcome;
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
