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
/// 4 · 45 s around it, after the slope of that window is taken off. Everything is kept in runs shorter than three windows, where a burst and a step look alike.
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
        let slope = slope(&t[from..to], &v[from..to], &mut window);
        window.clear();
        window.extend((from..to).map(|i| v[i] - slope * (t[i] - centre_s)));
        if window.len() >= WINDOW_SAMPLES_MIN
            && let Some((centre, mad)) = median_and_mad(&mut window)
        {
            // Counts that hardly move have a MAD of 0: one step of the counter is no outlier.
            let highest = centre + OUTLIER_SD * MAD_TO_SD * mad.max(quantum / 2.0);
            for index in first..last {
                keep[index] = v[index] - slope * (t[index] - centre_s) <= highest;
            }
        }
        first = last;
    }
    keep
}

/// Lower quartile of the later half less that of the earlier one, over half the window: a steep leak must not hide its bursts in
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
            slope(
                &t,
                &[1.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 90.0],
                &mut Vec::new()
            ),
            1.5
        );
        assert_eq!(
            slope(&[0.0, 1.0, 2.0], &[0.0, 5.0, 9.0], &mut Vec::new()),
            0.0
        );
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
