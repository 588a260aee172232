//! Removal of short bursts before a trend is estimated.
//!
//! The removal is one-sided: a burst of work raises a count for seconds and says nothing about growth. Short dips do
//! not matter, because block medians ignore them.

mod threshold;

use std::ops::Range;

use crate::rolling_rank::RollingRank;
use crate::series::Series;
use threshold::OutlierThreshold;

/// Longest excursion that counts as a burst at the end of a run, seconds: the longest burst of work in the FASE case
/// study. Until it ends, nothing passes, because the run's last block is missing.
const MAX_BURST_S: f64 = 45.0;

/// Longest excursion that is removed if the value returned, seconds: two bursts in a row or on each other, with a
/// margin for noise.
const MAX_CLUSTER_S: f64 = 100.0;

/// Longest interruption of an excursion, seconds. Noise may bring the value down for a moment.
const RETURN_S: f64 = 5.0;

/// Number of windows that the slope is estimated over, so that a cluster of bursts is no slope.
const WINDOWS_OF_SLOPE: f64 = 3.0;

/// Minimum number of samples from which the spread of a window is estimated.
const WINDOW_SAMPLES_MIN: usize = 9;

/// Returns true for each sample that is kept, false for each sample of a burst.
///
/// A sample is an outlier if it lies more than five standard deviations above the level of the 180 s around it, after
/// the slope is removed. Excursions longer than bursts are kept, and so is everything in runs shorter than three
/// windows, where a burst and a step look alike.
#[must_use]
pub(crate) fn keep_mask(series: &Series, quantum: f64) -> Vec<bool> {
    let mut keep = vec![true; series.len()];
    let window_s = 4.0 * MAX_BURST_S;
    if window_s > series.span_s() / 3.0 {
        return keep;
    }
    let (t, v) = (series.t_s(), series.value());
    // One window serves all samples within a sixth of it (30 s), at a thousandth of the cost of a window for each.
    let stride_s = window_s / 6.0;
    let mut first = 0;
    let (mut near, mut wide) = (SlidingWindow::default(), SlidingWindow::default());
    let (mut slope, mut threshold) = (Slope::new(), OutlierThreshold::new(quantum));
    let (mut flat_near, mut flat_wide) = (Vec::new(), Vec::new());
    while first < t.len() {
        // A linear scan: a bisection of the rest would read distant memory.
        let end_s = t[first] + stride_s;
        let last = first + t[first..].iter().take_while(|&&s| s <= end_s).count();
        let centre_s = (t[first] + t[last - 1]) / 2.0;
        let near = near.around(t, centre_s, window_s / 2.0);
        let wide = wide.around(t, centre_s, WINDOWS_OF_SLOPE * window_s / 2.0);
        if near.len() >= WINDOW_SAMPLES_MIN {
            let slope = slope.of(t, v, wide.clone());
            let flat = |i: usize| v[i] - slope * (t[i] - centre_s);
            flat_near.clear();
            flat_near.extend(near.map(flat));
            let largest = (first..last).map(flat).fold(f64::NEG_INFINITY, f64::max);
            // Each check costs more than the one before and runs only if needed: most windows hold only noise.
            if !threshold.is_certainly_inlier(largest, &flat_near) && threshold.update(&flat_near) < largest {
                // A dip may be the lowest fifth of one window, but not of three.
                flat_wide.clear();
                flat_wide.extend(wide.map(flat));
                let highest = threshold.last().max(threshold.of_window(&flat_wide));
                for (i, keep) in keep[first..last].iter_mut().enumerate() {
                    *keep = flat(first + i) <= highest;
                }
            }
        }
        first = last;
    }
    restore_long_excursions(t, series.spacing_s(), &mut keep);
    keep
}

/// Keeps excursions longer than a cluster of bursts, or longer than a burst if they have not ended.
fn restore_long_excursions(t: &[f64], spacing_s: f64, keep: &mut [bool]) {
    let return_s = RETURN_S.max(1.5 * spacing_s);
    let mut from = 0;
    while let Some(first) = (from..keep.len()).find(|&i| !keep[i]) {
        let mut last = first;
        let mut next = first + 1;
        while next < keep.len() && t[next] - t[last] <= return_s {
            if !keep[next] {
                last = next;
            }
            next += 1;
        }
        let longest_s = if next == keep.len() { MAX_BURST_S } else { MAX_CLUSTER_S };
        if t[last] - t[first] > longest_s {
            keep[first..=last].fill(true);
        }
        from = last + 1;
    }
}

/// A window of samples around a centre that only moves forward.
#[derive(Default)]
struct SlidingWindow {
    from: usize,
    to: usize,
}

impl SlidingWindow {
    fn around(&mut self, t: &[f64], centre_s: f64, distance_s: f64) -> Range<usize> {
        while self.from < t.len() && t[self.from] < centre_s - distance_s {
            self.from += 1;
        }
        while self.to < t.len() && t[self.to] <= centre_s + distance_s {
            self.to += 1;
        }
        self.from..self.to
    }
}

/// The slope of a window: the lower quartile of its later half minus that of its earlier half, over half its time.
///
/// Without it, the slope of a steep leak would widen the spread and hide bursts. Bursts go up, so they distort the
/// lower quartile only if they fill three quarters.
struct Slope {
    earlier: RollingRank,
    later: RollingRank,
    scratch: Vec<f64>,
}

impl Slope {
    const fn new() -> Self {
        Self {
            earlier: RollingRank::new(),
            later: RollingRank::new(),
            scratch: Vec::new(),
        }
    }

    fn of(&mut self, t: &[f64], v: &[f64], window: Range<usize>) -> f64 {
        let half = window.len() / 2;
        if half < 2 {
            return 0.0;
        }
        let (begin, middle) = (window.start, window.end - half);
        let earlier = self.earlier.of(v, begin..begin + half, half / 4, &mut self.scratch);
        let later = self.later.of(v, middle..window.end, half / 4, &mut self.scratch);
        (later - earlier) / (t[middle] - t[begin])
    }
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
        let keep = keep_mask(&series, 1.0);
        for (i, kept) in keep.iter().enumerate() {
            assert_eq!(*kept, !(300..340).contains(&i), "sample {i}");
        }
    }

    #[test]
    fn what_lasts_longer_than_a_cluster_of_bursts_is_kept() {
        let lasting = |seconds: usize| {
            let series = each_second(900, |i| {
                if (300..300 + seconds).contains(&i) {
                    500.0
                } else {
                    100.0
                }
            });
            keep_mask(&series, 1.0).iter().filter(|kept| !**kept).count()
        };
        assert_eq!(lasting(45), 45);
        assert_eq!(lasting(101), 101, "100 s from its first to its last sample");
        assert_eq!(lasting(102), 0);
        assert_eq!(lasting(140), 0);
    }

    #[test]
    fn an_excursion_that_dips_for_a_moment_is_one() {
        let with_a_dip_of = |seconds: usize| {
            let series = each_second(900, |i| {
                let (up, down) = ((300..420).contains(&i), (340..340 + seconds).contains(&i));
                if up && !down { 500.0 } else { 100.0 }
            });
            keep_mask(&series, 1.0).iter().filter(|kept| !**kept).count()
        };
        // 339 is the last before it, and 344 comes 5 s later.
        assert_eq!(with_a_dip_of(4), 0);
        assert_eq!(with_a_dip_of(5), 115);
    }

    #[test]
    fn an_excursion_at_the_end_is_dropped_only_as_long_as_it_may_be_a_burst() {
        let since = |begin: usize| {
            let series = each_second(900, |i| if i >= begin { 500.0 } else { 100.0 });
            keep_mask(&series, 1.0).iter().filter(|kept| !**kept).count()
        };
        assert_eq!(since(860), 40);
        assert_eq!(since(850), 0);
        assert_eq!(since(820), 0);
    }

    #[test]
    fn a_dip_is_kept() {
        let series = each_second(600, |i| if (300..340).contains(&i) { 5.0 } else { 100.0 });
        assert!(keep_mask(&series, 1.0).iter().all(|k| *k));
    }

    #[test]
    fn a_ramp_loses_no_sample() {
        let series = each_second(1800, |i| 3.0 * i as f64);
        assert!(keep_mask(&series, 1.0).iter().all(|k| *k));
    }

    #[test]
    fn a_burst_on_a_steep_ramp_is_taken_out_too() {
        let noise = |i: usize| ((i * 7919) % 5) as f64;
        let series = each_second(600, |i| {
            noise(i) + i as f64 + if (300..340).contains(&i) { 400.0 } else { 0.0 }
        });
        let keep = keep_mask(&series, 1.0);
        let dropped: Vec<usize> = (0..600).filter(|i| !keep[*i]).collect();
        assert_eq!(dropped, (300..340).collect::<Vec<_>>());
    }

    #[test]
    fn the_slope_by_hand() {
        // 1 2 3 4 | 7 8 9 90 at 0 … 7 s: (8 − 2) / (4 − 0).
        let t: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(
            Slope::new().of(&t, &[1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 90.0], 0..8),
            1.5
        );
        assert_eq!(Slope::new().of(&[0.0, 1.0, 2.0], &[0.0, 5.0, 9.0], 0..3), 0.0);
        // 2 3 4 | 7 8 9: (7 − 2) / (4 − 1).
        assert_eq!(
            Slope::new().of(&t, &[1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 90.0], 1..7),
            5.0 / 3.0
        );
    }

    #[test]
    fn a_short_run_is_left_alone() {
        let burst = |i: usize| {
            if (100..110).contains(&i) { 500.0 } else { 100.0 }
        };
        assert!(keep_mask(&each_second(540, burst), 1.0).iter().all(|k| *k));
        assert!(keep_mask(&each_second(541, burst), 1.0).iter().any(|k| !*k));
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
        let keep = keep_mask(&series, 1.0);
        assert!(keep[200]);
        assert!(!keep[400]);
    }

    #[test]
    fn a_sliding_window_holds_the_samples_around_its_centre() {
        let t: Vec<f64> = (0..10).map(|i| 10.0 * f64::from(i)).collect();
        let mut window = SlidingWindow::default();
        assert_eq!(window.around(&t, 30.0, 20.0), 1..6);
        assert_eq!(window.around(&t, 45.0, 20.0), 3..7);
        assert_eq!(window.around(&t, 90.0, 20.0), 7..10);
        assert_eq!(window.around(&t, 500.0, 20.0), 10..10);
    }

    #[test]
    fn an_excursion_is_over_after_one_and_a_half_spacings() {
        // A sample each 10 s, and once after 14 s. Two samples 20 s apart are two excursions of no length.
        let t: Vec<f64> = (0..40)
            .map(|i| f64::from(10 * i) + if i > 20 { 4.0 } else { 0.0 })
            .collect();
        let dropped = |out: &[usize]| {
            let mut keep: Vec<bool> = (0..40).map(|i| !out.contains(&i)).collect();
            restore_long_excursions(&t, 10.0, &mut keep);
            keep.iter().filter(|kept| !**kept).count()
        };
        assert_eq!(dropped(&[10, 12]), 2);
        // 100 s may be a cluster of bursts, 104 s may not.
        assert_eq!(dropped(&(8..=18).collect::<Vec<_>>()), 11);
        assert_eq!(dropped(&(12..=22).collect::<Vec<_>>()), 0);
    }

    #[test]
    fn bursts_are_found_beside_a_steep_leak_whatever_the_clock() {
        // Ten minutes at one a second on a line of 3 a second; 20 s of 400 more after 300 s.
        let times: Vec<f64> = (0..1200).map(|i| 1e5 + f64::from(i)).collect();
        let burst = |i: usize| (300..320).contains(&i);
        let value = |i: usize| 3.0 * i as f64 + [0.0, 2.0, 1.0, 3.0][i % 4] + if burst(i) { 400.0 } else { 0.0 };
        let series = Series::new(times, (0..1200).map(value).collect()).unwrap();
        let kept = keep_mask(&series, 1.0);
        assert!(kept.iter().enumerate().all(|(i, kept)| *kept != burst(i)));
    }

    #[test]
    fn a_burst_is_compared_with_the_level_around_it() {
        // 25 minutes whose level changes for good after ten; bursts of 100 for half a minute.
        let found = |before: f64, after: f64, at: usize| {
            let burst = |i: usize| (at..at + 30).contains(&i);
            let level = |i: usize| if i < 600 { before } else { after };
            let series = each_second(1500, |i| level(i) + if burst(i) { 100.0 } else { (i % 3) as f64 });
            keep_mask(&series, 1.0)
                .iter()
                .enumerate()
                .all(|(i, kept)| *kept != burst(i))
        };
        assert!(found(1000.0, 0.0, 900));
        assert!(found(0.0, 1000.0, 890));
        assert!(found(0.0, 1000.0, 200));
    }

    #[test]
    fn what_is_no_outlier_around_it_is_none() {
        // For three minutes each tenth sample is far below. With that noise, 100 is no outlier; with three times the
        // window it would be one.
        let value = |i: usize| match i {
            690 => 100.0,
            600..780 if i % 10 == 5 => -50.0,
            _ => (i % 3) as f64,
        };
        assert!(keep_mask(&each_second(1500, value), 1.0).iter().all(|kept| *kept));
        let quiet = |i: usize| if i == 690 { 100.0 } else { (i % 3) as f64 };
        assert!(!keep_mask(&each_second(1500, quiet), 1.0)[690]);
    }
}
