//! Short bursts taken out before a trend is looked for.
//!
//! One-sided and only upwards: a burst of work lifts a count for seconds and says nothing about growth, while a level that
//! falls short is what a block median already ignores.

use crate::median::MAD_TO_SD;
use crate::series::Series;
use std::ops::Range;

/// Longest burst that is taken for a burst and not for a change of level, seconds (longest in the FASE runs' bursts of work).
pub const BURST_MAX_S: f64 = 45.0;

/// A sample this many standard deviations above the running median is an outlier [Davies & Gather 1993; Hampel 1974].
const OUTLIER_SD: f64 = 5.0;

/// Standard deviations below the mean of the fifth and the twentieth percentile of a normal distribution.
const Z_TWENTIETH: f64 = 1.6449;
const Z_FIFTH: f64 = 0.8416;

/// The slope is taken over this many windows, so that a cluster of bursts is no slope.
const WINDOWS_OF_SLOPE: f64 = 3.0;

/// Fewer samples than this in a window say nothing about its spread.
const WINDOW_SAMPLES_MIN: usize = 9;

/// For each sample whether it is kept: dropped if it lies more than 5 · 1.4826 · MAD above the running median of the
/// 4 · 45 s around it, after the slope of that window is taken off. Everything is kept in runs shorter than three windows, where a burst and a step look alike.
#[must_use]
pub fn kept(series: &Series, quantum: f64) -> Vec<bool> {
    let mut keep = vec![true; series.len()];
    let window_s = 4.0 * BURST_MAX_S;
    if window_s > series.span_s() / 3.0 {
        return keep;
    }
    let (t, v) = (series.t_s(), series.value());
    // One window serves all samples within a sixth of it (30 s): a thousandth of the cost of a window for each.
    let stride_s = window_s / 6.0;
    let mut first = 0;
    let (mut near, mut wide) = (Reach::default(), Reach::default());
    let mut scratch = Vec::new();
    while first < t.len() {
        let last = first + t[first..].partition_point(|&s| s <= t[first] + stride_s);
        let centre_s = (t[first] + t[last - 1]) / 2.0;
        let near = near.about(t, centre_s, window_s / 2.0);
        let wide = wide.about(t, centre_s, WINDOWS_OF_SLOPE * window_s / 2.0);
        if near.len() >= WINDOW_SAMPLES_MIN {
            let slope = slope(&t[wide.clone()], &v[wide.clone()], &mut scratch);
            let flat = |i: usize| v[i] - slope * (t[i] - centre_s);
            let mut highest = |window: Range<usize>| {
                scratch.clear();
                scratch.extend(window.map(flat));
                highest(&mut scratch, quantum)
            };
            // A dip is the lowest fifth of a window, but not of three.
            let highest = highest(near).max(highest(wide));
            for (i, keep) in keep[first..last].iter_mut().enumerate() {
                *keep = flat(first + i) <= highest;
            }
        }
        first = last;
    }
    keep
}

/// Samples within a distance of a centre that only moves forward.
#[derive(Default)]
struct Reach {
    from: usize,
    to: usize,
}

impl Reach {
    fn about(&mut self, t: &[f64], centre_s: f64, distance_s: f64) -> Range<usize> {
        while self.from < t.len() && t[self.from] < centre_s - distance_s {
            self.from += 1;
        }
        while self.to < t.len() && t[self.to] <= centre_s + distance_s {
            self.to += 1;
        }
        self.from..self.to
    }
}

/// What is no outlier: five standard deviations above the level. Both are taken from the fifth and the twentieth percentile as if
/// the window were normal: bursts go up, so three quarters of a window may be burst before these are moved, where a median and
/// a MAD are moved by a quarter.
fn highest(window: &mut [f64], quantum: f64) -> f64 {
    let mut at = |share: f64| {
        let index = (share * (window.len() - 1) as f64).round() as usize;
        *window.select_nth_unstable_by(index, f64::total_cmp).1
    };
    let (lowest, low) = (at(0.05), at(0.2));
    let sd = (low - lowest) / (Z_TWENTIETH - Z_FIFTH);
    // Counts that hardly move have no spread: one step of the counter is no outlier.
    low + Z_FIFTH * sd + OUTLIER_SD * sd.max(MAD_TO_SD * quantum / 2.0)
}

/// Lower quartile of the later half less that of the earlier one, over half the time: a steep leak must not hide its bursts in
/// the spread of its own slope. Bursts go up, so the lower quartile is that of the level until bursts fill three quarters.
fn slope(t: &[f64], v: &[f64], scratch: &mut Vec<f64>) -> f64 {
    let half = t.len() / 2;
    if half < 2 {
        return 0.0;
    }
    let mut quartile = |values: &[f64]| {
        scratch.clear();
        scratch.extend_from_slice(values);
        let quarter = scratch.len() / 4;
        *scratch.select_nth_unstable_by(quarter, f64::total_cmp).1
    };
    let rise = quartile(&v[t.len() - half..]) - quartile(&v[..half]);
    rise / (t[t.len() - half] - t[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_second(n: usize, value: impl Fn(usize) -> f64) -> Series {
        Series::new((0..n).map(|i| i as f64).collect(), (0..n).map(value).collect()).unwrap()
    }

    #[test]
    fn a_burst_is_taken_out_and_nothing_else() {
        let series = each_second(600, |i| {
            if (300..340).contains(&i) {
                500.0
            } else {
                100.0 + (i % 3) as f64
            }
        });
        let keep = kept(&series, 1.0);
        for (i, kept) in keep.iter().enumerate() {
            assert_eq!(*kept, !(300..340).contains(&i), "sample {i}");
        }
    }

    #[test]
    fn a_dip_is_kept() {
        let series = each_second(600, |i| if (300..340).contains(&i) { 5.0 } else { 100.0 });
        assert!(kept(&series, 1.0).iter().all(|k| *k));
    }

    #[test]
    fn a_ramp_loses_no_sample() {
        let series = each_second(1800, |i| 3.0 * i as f64);
        assert!(kept(&series, 1.0).iter().all(|k| *k));
    }

    #[test]
    fn a_burst_on_a_steep_ramp_is_taken_out_too() {
        let noise = |i: usize| ((i * 7919) % 5) as f64;
        let series = each_second(600, |i| {
            noise(i) + i as f64 + if (300..340).contains(&i) { 400.0 } else { 0.0 }
        });
        let keep = kept(&series, 1.0);
        let dropped: Vec<usize> = (0..600).filter(|i| !keep[*i]).collect();
        assert_eq!(dropped, (300..340).collect::<Vec<_>>());
    }

    #[test]
    fn the_slope_by_hand() {
        // 1 2 3 4 | 7 8 9 90 at 0 … 7 s: (8 − 2) / (4 − 0).
        let t: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(
            slope(&t, &[1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 90.0], &mut Vec::new()),
            1.5
        );
        assert_eq!(slope(&[0.0, 1.0, 2.0], &[0.0, 5.0, 9.0], &mut Vec::new()), 0.0);
    }

    #[test]
    fn a_short_run_is_left_alone() {
        let burst = |i: usize| {
            if (100..110).contains(&i) { 500.0 } else { 100.0 }
        };
        assert!(kept(&each_second(540, burst), 1.0).iter().all(|k| *k));
        assert!(kept(&each_second(541, burst), 1.0).iter().any(|k| !*k));
    }

    #[test]
    fn one_step_of_a_counter_that_stands_still_is_no_outlier() {
        // 5 · 1.4826 · 1/2 = 3.7: three steps are kept, four are not.
        let series = each_second(600, |i| {
            if i == 200 {
                103.0
            } else if i == 400 {
                104.0
            } else {
                100.0
            }
        });
        let keep = kept(&series, 1.0);
        assert!(keep[200]);
        assert!(!keep[400]);
    }
}
