//! The stationarity test of a baseline.
//!
//! It is cheap enough to run each second while a run waits for its target: some block medians and a rank test, no
//! fit.

use crate::median::median_of;
use crate::series::Series;

/// Maximum and minimum number of blocks of a window. A block needs two samples.
const BLOCKS_MAX: usize = 10;
const BLOCKS_MIN: usize = 4;

/// Normal quantile for 5 % one-sided. A stationary target is delayed by a second in one of ten tests.
const MARGIN: f64 = 1.6449;

/// The result of a stationarity test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stationarity {
    /// No trend.
    Stationary {
        /// Median over the window.
        level: f64,
    },
    /// A falling trend.
    Falling {
        /// Growth per minute over the window, negative.
        per_min: f64,
    },
    /// A rising trend.
    Rising {
        /// Growth per minute over the window.
        per_min: f64,
    },
    /// Fewer than eight samples.
    TooFewSamples,
}

/// Tests a window for a trend.
///
/// The window is stationary unless its block medians have a significant trend [Mann 1945, Kendall 1975] of more than
/// `tolerance` units from end to end. It should be 10 to 60 s long at one sample per second, and cover at least two
/// rotations.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::Series;
/// use leakcheck_judge::stationarity::{Stationarity, test_stationarity};
///
/// let window = |per_s: f64| {
///     let times: Vec<f64> = (0..60).map(f64::from).collect();
///     Series::new(times.clone(), times.iter().map(|t| 100.0 + per_s * t).collect())
/// };
/// assert_eq!(test_stationarity(&window(0.0)?, 2.0), Stationarity::Stationary { level: 100.0 });
/// assert!(matches!(test_stationarity(&window(-1.0)?, 2.0), Stationarity::Falling { .. }));
/// # Ok::<(), leakcheck_judge::SeriesError>(())
/// ```
#[must_use]
pub fn test_stationarity(window: &Series, tolerance: f64) -> Stationarity {
    let count = (window.len() / 2).min(BLOCKS_MAX);
    if count < BLOCKS_MIN {
        return Stationarity::TooFewSamples;
    }
    let medians: Vec<f64> = (0..count)
        .filter_map(|i| {
            let (from, to) = (i * window.len() / count, (i + 1) * window.len() / count);
            median_of(&mut window.value()[from..to].to_vec())
        })
        .collect();
    let change = medians[count - 1] - medians[0];
    // The distance between the centres of the outer blocks.
    let minutes = window.span_s() * (count - 1) as f64 / count as f64 / 60.0;
    let per_min = change / minutes;
    let consistency = rises_less_falls(&medians);
    if change.abs() <= tolerance
        || consistency.abs() <= MARGIN * standard_deviation(count)
        || consistency * change < 0.0
    {
        return Stationarity::Stationary {
            level: median_of(&mut window.value().to_vec()).unwrap_or(change),
        };
    }
    if change > 0.0 {
        Stationarity::Rising { per_min }
    } else {
        Stationarity::Falling { per_min }
    }
}

/// Returns Kendall's S: the number of rising pairs minus the number of falling pairs.
fn rises_less_falls(values: &[f64]) -> f64 {
    let mut s = 0;
    for (i, earlier) in values.iter().enumerate() {
        for later in &values[i + 1..] {
            s += i32::from(later > earlier) - i32::from(later < earlier);
        }
    }
    f64::from(s)
}

/// Returns the standard deviation of S for `n` values in random order: √(n (n−1) (2n+5) / 18).
fn standard_deviation(n: usize) -> f64 {
    let n = n as f64;
    (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_second(n: usize, value: impl Fn(usize) -> f64) -> Series {
        Series::new((0..n).map(|i| i as f64).collect(), (0..n).map(value).collect()).unwrap()
    }

    #[test]
    fn the_falling_baseline_of_6b_has_not_settled() {
        let falling = each_second(60, |i| 4147.0 - 86.0 / 480.0 * i as f64);
        let Stationarity::Falling { per_min } = test_stationarity(&falling, 2.0) else {
            panic!("it falls")
        };
        assert!((per_min + 10.75).abs() < 0.2, "{per_min}");
    }

    #[test]
    fn a_warm_up_is_rising_until_it_is_over() {
        let warm_up = each_second(300, |i| 100.0 - 100.0 * (-(i as f64) / 30.0).exp());
        assert!(matches!(
            test_stationarity(&warm_up.until(30.0), 2.0),
            Stationarity::Rising { .. }
        ));
        assert!(matches!(
            test_stationarity(&warm_up.since(240.0), 2.0),
            Stationarity::Stationary { .. }
        ));
    }

    #[test]
    fn noise_and_constants_have_settled() {
        assert_eq!(
            test_stationarity(&each_second(10, |_| 7.0), 0.0),
            Stationarity::Stationary { level: 7.0 }
        );
        let noisy = each_second(60, |i| 100.0 + ((i * 7919) % 11) as f64);
        assert!(matches!(
            test_stationarity(&noisy, 0.0),
            Stationarity::Stationary { .. }
        ));
    }

    #[test]
    fn what_is_within_the_tolerance_has_settled() {
        // Ten blocks of six samples of a line: medians 2.5 to 56.5.
        let line = each_second(60, |i| i as f64);
        assert!(matches!(
            test_stationarity(&line, 54.0),
            Stationarity::Stationary { level: 29.5 }
        ));
        assert!(matches!(test_stationarity(&line, 53.9), Stationarity::Rising { .. }));
    }

    #[test]
    fn seven_samples_are_too_few() {
        assert_eq!(
            test_stationarity(&each_second(7, |i| i as f64), 0.0),
            Stationarity::TooFewSamples
        );
        // Four rises in a row: S = 6 against 1.6449 · √(4·3·13/18) = 4.84.
        assert!(matches!(
            test_stationarity(&each_second(8, |i| i as f64), 0.0),
            Stationarity::Rising { .. }
        ));
    }

    #[test]
    fn kendall_by_hand() {
        assert_eq!(rises_less_falls(&[1.0, 3.0, 2.0, 2.0]), 1.0 + 1.0 + 1.0 - 1.0 - 1.0);
        assert!((standard_deviation(10) - 125f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn growth_is_per_minute_between_the_centres_of_the_outer_blocks() {
        // Twenty samples 3 s apart, ten blocks: from 0.5 to 18.5 steps of 2 over 57 · 9/10 s.
        let slow = Series::new(
            (0..20).map(|i| f64::from(3 * i)).collect(),
            (0..20).map(|i| f64::from(2 * i)).collect(),
        )
        .unwrap();
        let Stationarity::Rising { per_min } = test_stationarity(&slow, 2.0) else {
            panic!("it rises")
        };
        assert!((per_min - 36.0 / (57.0 * 0.9 / 60.0)).abs() < 1e-9, "{per_min}");
    }

    #[test]
    fn what_goes_one_way_and_ends_on_the_other_side_has_settled() {
        // Falls except for one leap: S is −36 + 9 of 45 pairs, and the ends differ by +9.
        let leap = each_second(20, |i| if i < 18 { -((i / 2) as f64) } else { 1.0 });
        assert!(matches!(test_stationarity(&leap, 0.5), Stationarity::Stationary { .. }));
    }

    #[test]
    fn kendall_counts_each_pair_once() {
        assert_eq!(rises_less_falls(&[5.0, 1.0]), -1.0);
        assert_eq!(rises_less_falls(&[2.0, 2.0, 2.0]), 0.0);
        assert_eq!(rises_less_falls(&[1.0, 2.0, 3.0, 4.0]), 6.0);
    }

    #[test]
    fn what_goes_one_way_in_most_pairs_only_has_settled() {
        // 5 % of ten values in random order: S above 1.6449 · √125 = 18.4. Of 45 pairs 16 fall here: S = 13; and 13 there: S = 19.
        let blocks = |order: [u8; 10]| test_stationarity(&each_second(20, |i| f64::from(order[i / 2])), 1.0);
        let mixed = blocks([4, 3, 2, 1, 0, 8, 7, 6, 5, 9]);
        assert!(matches!(mixed, Stationarity::Stationary { .. }), "{mixed:?}");
        let rising = blocks([4, 3, 2, 1, 0, 7, 6, 5, 8, 9]);
        assert!(matches!(rising, Stationarity::Rising { .. }), "{rising:?}");
    }
}
