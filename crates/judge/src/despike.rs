//! Short bursts taken out before a trend is looked for.
//!
//! One-sided and only upwards: a burst of work lifts a count for seconds and says nothing about growth, while a level that
//! falls short is what a block median already ignores.

use crate::median::{MAD_TO_SD, median_and_mad};
use crate::series::Series;

/// Longest burst that is taken for a burst and not for a change of level, seconds (longest in the FASE runs' bursts of work).
pub const BURST_MAX_S: f64 = 45.0;

/// A sample this many standard deviations above the running median is an outlier [Davies & Gather 1993; Hampel 1974].
const OUTLIER_SD: f64 = 5.0;

/// Fewer samples than this in a window say nothing about its spread.
const WINDOW_SAMPLES_MIN: usize = 9;

/// For each sample whether it is kept: dropped if it lies more than 5 · 1.4826 · MAD above the running median of the
/// 4 · 45 s around it. Everything is kept in runs shorter than three windows, where a burst and a step look alike.
#[must_use]
pub fn kept(series: &Series, quantum: f64) -> Vec<bool> {
    let mut keep = vec![true; series.len()];
    let window_s = 4.0 * BURST_MAX_S;
    if window_s > series.span_s() / 3.0 {
        return keep;
    }
    let (t, v) = (series.t_s(), series.value());
    // One window serves all samples within a twelfth of it (15 s): a thousandth of the cost of a window for each.
    let stride_s = window_s / 12.0;
    let (mut first, mut from, mut to) = (0, 0, 0);
    let mut window = Vec::new();
    while first < t.len() {
        let last = first + t[first..].partition_point(|&s| s <= t[first] + stride_s);
        let centre_s = (t[first] + t[last - 1]) / 2.0;
        while from < t.len() && t[from] < centre_s - window_s / 2.0 {
            from += 1;
        }
        while to < t.len() && t[to] <= centre_s + window_s / 2.0 {
            to += 1;
        }
        window.clear();
        window.extend_from_slice(&v[from..to]);
        if window.len() >= WINDOW_SAMPLES_MIN
            && let Some((centre, mad)) = median_and_mad(&mut window)
        {
            // Counts that hardly move have a MAD of 0: one step of the counter is no outlier.
            let highest = centre + OUTLIER_SD * MAD_TO_SD * mad.max(quantum / 2.0);
            for index in first..last {
                keep[index] = v[index] <= highest;
            }
        }
        first = last;
    }
    keep
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
