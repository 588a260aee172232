//! The outlier threshold of a window.

use crate::median::MAD_TO_SD;
use crate::rolling_rank;

/// Standard deviations above the running level from which a sample is an outlier [Davies & Gather 1993; Hampel 1974].
const OUTLIER_SD: f64 = 5.0;

/// Distances of the 5th and the 20th percentile below the mean of a normal distribution, in standard deviations.
const Z_P5: f64 = 1.6449;
const Z_P20: f64 = 0.8416;

/// Guesses of a window's 20th percentile: that of the window before, plus a multiple of its distance from the 5th. In
/// a million samples of the benchmark, one window in seven needs a selection.
const GUESSES: [f64; 5] = [0.0, -0.15, 0.15, -0.3, 0.3];

/// The outlier threshold of a window: five standard deviations above the level.
///
/// Level and standard deviation follow from the 5th and the 20th percentile of a normal distribution. Bursts go up,
/// so they distort these percentiles only if they fill three quarters of the window. A quarter is enough to distort a
/// median and a MAD.
pub(super) struct OutlierThreshold {
    /// Minimum standard deviation. Counts that hardly move have no spread, and one step of a counter is no outlier.
    min_sd: f64,
    /// 5th and 20th percentile of the window before, which shares most of its samples.
    previous: (f64, f64),
    scratch: Vec<f64>,
}

impl OutlierThreshold {
    pub(super) fn new(quantum: f64) -> Self {
        Self {
            min_sd: MAD_TO_SD * quantum / 2.0,
            previous: (f64::NAN, f64::NAN),
            scratch: Vec::new(),
        }
    }

    fn with_percentiles(&self, p5: f64, p20: f64) -> f64 {
        let sd = (p20 - p5) / (Z_P5 - Z_P20);
        p20 + Z_P20 * sd + OUTLIER_SD * sd.max(self.min_sd)
    }

    /// Returns true if `largest` is certainly no outlier of `window`. False is no statement.
    ///
    /// The threshold increases with the 20th percentile and decreases with the 5th. A lower bound of the former and
    /// an upper bound of the latter give a lower bound of the threshold. The former is guessed, the latter follows
    /// from `largest`, and counting verifies both.
    pub(super) fn is_certainly_inlier(&self, largest: f64, window: &[f64]) -> bool {
        GUESSES.into_iter().any(|guess| {
            let p20 = self.previous.1 + guess * (self.previous.1 - self.previous.0);
            let p5 = self.max_p5(p20, largest);
            largest <= self.with_percentiles(p5, p20)
                && rolling_rank::count(window, |v| v < p20) <= index(0.2, window.len())
                && rolling_rank::count(window, |v| v <= p5) > index(0.05, window.len())
        })
    }

    /// Returns the 5th percentile that puts the threshold at `largest`, less a margin for rounding.
    fn max_p5(&self, p20: f64, largest: f64) -> f64 {
        let above = largest - p20;
        let sd = above / (Z_P20 + OUTLIER_SD);
        let sd = if sd < self.min_sd {
            ((above - OUTLIER_SD * self.min_sd) / Z_P20).max(0.0)
        } else {
            sd
        };
        p20 - 1.000_001 * sd * (Z_P5 - Z_P20)
    }

    /// Returns the threshold of the window before.
    pub(super) fn last(&self) -> f64 {
        self.with_percentiles(self.previous.0, self.previous.1)
    }

    pub(super) fn update(&mut self, window: &[f64]) -> f64 {
        let percentiles = self.percentiles(window);
        self.previous = percentiles;
        self.with_percentiles(percentiles.0, percentiles.1)
    }

    pub(super) fn of_window(&mut self, window: &[f64]) -> f64 {
        let (p5, p20) = self.percentiles(window);
        self.with_percentiles(p5, p20)
    }

    /// The search limit lies a little above the expected percentiles: as far above the last ones as they are apart.
    fn percentiles(&mut self, window: &[f64]) -> (f64, f64) {
        let (p5, p20) = self.previous;
        percentiles(window, p20 + (p20 - p5), &mut self.scratch)
    }
}

/// Returns the index of a percentile among `count` sorted values.
fn index(share: f64, count: usize) -> usize {
    (share * (count - 1) as f64).round() as usize
}

/// Returns the 5th and the 20th percentile. Values above `limit` are skipped if the rest is enough.
fn percentiles(window: &[f64], limit: f64, scratch: &mut Vec<f64>) -> (f64, f64) {
    let (at_p5, at_p20) = (index(0.05, window.len()), index(0.2, window.len()));
    scratch.clear();
    scratch.extend(window.iter().filter(|value| value.total_cmp(&limit).is_le()));
    if scratch.len() <= at_p20 {
        scratch.clear();
        scratch.extend_from_slice(window);
    }
    let (below, &mut p20, _) = scratch.select_nth_unstable_by(at_p20, f64::total_cmp);
    let p5 = if at_p5 < at_p20 {
        *below.select_nth_unstable_by(at_p5, f64::total_cmp).1
    } else {
        p20
    };
    (p5, p20)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the threshold of a window by sorting alone.
    fn selected(window: &[f64], quantum: f64) -> f64 {
        let mut ordered = window.to_vec();
        ordered.sort_by(f64::total_cmp);
        let (p5, p20) = (ordered[index(0.05, ordered.len())], ordered[index(0.2, ordered.len())]);
        let sd = (p20 - p5) / (Z_P5 - Z_P20);
        p20 + Z_P20 * sd + OUTLIER_SD * sd.max(MAD_TO_SD * quantum / 2.0)
    }

    #[test]
    fn what_counting_claims_holds_for_the_selection() {
        let mut random = 99_u32;
        let mut next = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24)
        };
        let (mut sure, mut unsure) = (0, 0);
        for spread in [0.0, 1.0, 8.0, 300.0] {
            let mut threshold = OutlierThreshold::new(1.0);
            for turn in 0..400 {
                // Noise of some spread, sometimes with a quarter of it in a burst.
                let burst = if turn % 7 == 0 { 40.0 } else { 0.0 };
                let window: Vec<f64> = (0..180)
                    .map(|i| (spread * next()).round() + if i < 45 { burst } else { 0.0 })
                    .collect();
                let exact = selected(&window, 1.0);
                let largest = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if threshold.is_certainly_inlier(largest, &window) {
                    assert!(largest <= exact, "{largest} is above {exact}");
                    sure += 1;
                } else {
                    assert_eq!(threshold.update(&window), exact);
                    unsure += 1;
                }
            }
        }
        assert!(sure > 500 && unsure > 300, "{sure} {unsure}");
    }

    #[test]
    fn percentiles_are_elements_of_the_sorted_window() {
        // 0 to 20: the fifth percentile is 1, the twentieth 4; of two values both are the first.
        let mut scratch = Vec::new();
        let window: Vec<f64> = (0..21).rev().map(f64::from).collect();
        // The search limit leaves all values, more than needed, just enough, too few or none.
        for limit in [f64::NAN, 90.0, 7.5, 4.0, 3.0, -1.0] {
            assert_eq!(percentiles(&window, limit, &mut scratch), (1.0, 4.0));
            assert_eq!(percentiles(&[7.0, 5.0], limit, &mut scratch), (5.0, 5.0));
        }
        assert_eq!([1, 2, 3, 4, 8, 9].map(|count| index(0.2, count)), [0, 0, 0, 1, 1, 2]);
    }

    #[test]
    fn a_certain_inlier_is_below_the_threshold() {
        // Noise whose level and width vary: what a count claims holds for the selection.
        let mut random = 4711_u32;
        let mut next = |steps: f64| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24) * steps
        };
        let mut threshold = OutlierThreshold::new(1.0);
        let (mut sure, mut above) = (0, 0);
        for window in 0..300 {
            let (level, width) = (f64::from(window / 20 % 5), 20.0 + f64::from(window / 50 % 7));
            let values: Vec<f64> = (0..400).map(|_| level + next(width)).collect();
            let last = threshold.last();
            let largest =
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max) + f64::from(window % 2) * next(width);
            let claimed = threshold.is_certainly_inlier(largest, &values);
            let exact = threshold.update(&values);
            assert!(
                !claimed || largest <= exact,
                "window {window}: {largest} above {exact}, after {last}"
            );
            assert_eq!(threshold.last(), exact);
            sure += u32::from(claimed && window % 2 == 0);
            above += u32::from(largest > exact);
        }
        // The claim holds for about half of the windows that contain only noise, which is every other window.
        assert!(sure > 60 && above > 50, "{sure} {above}");
    }
}
