//! Short bursts taken out before a trend is looked for.
//!
//! One-sided and only upwards: a burst of work lifts a count for seconds and says nothing about growth, while a level that
//! falls short is what a block median already ignores.

use crate::median::MAD_TO_SD;
use crate::rolling_rank::{self, RollingRank};
use crate::series::Series;
use std::ops::Range;

/// Longest burst that is taken for a burst and not for a change of level, seconds (longest in the FASE runs' bursts of work).
/// An excursion that has not ended when the run does is dropped no longer than this, and until then nothing passes: the run's
/// last block is missing.
const MAX_BURST_S: f64 = 45.0;

/// Longest excursion that is dropped though it came and went: two bursts, one on the other or one after the other, with as much
/// to spare as noise adds. What lasts longer is kept.
const MAX_CLUSTER_S: f64 = 100.0;

/// A value that comes down for no longer than this has not come back: noise at the height of an excursion does not end it.
const RETURN_S: f64 = 5.0;

/// A sample this many standard deviations above the running median is an outlier [Davies & Gather 1993; Hampel 1974].
const OUTLIER_SD: f64 = 5.0;

/// Standard deviations below the mean of the fifth and the twentieth percentile of a normal distribution.
const Z_TWENTIETH: f64 = 1.6449;
const Z_FIFTH: f64 = 0.8416;

/// Where the twentieth percentile of a window is guessed to be: at that of a window before, or so many times its distance to the
/// fifth from there. In the bench's million samples these leave one window in seven to be selected, mostly for its bursts.
const GUESSES: [f64; 5] = [0.0, -0.15, 0.15, -0.3, 0.3];

/// The slope is taken over this many windows, so that a cluster of bursts is no slope.
const WINDOWS_OF_SLOPE: f64 = 3.0;

/// Fewer samples than this in a window say nothing about its spread.
const WINDOW_SAMPLES_MIN: usize = 9;

/// For each sample whether it is kept: dropped if it lies more than 5 · 1.4826 · MAD above the running median of the
/// 4 · 45 s around it, after the slope of that window is taken off, unless the excursion lasts longer than bursts do.
/// Everything is kept in runs shorter than three windows, where a burst and a step analysis alike.
#[must_use]
pub(crate) fn keep_mask(series: &Series, quantum: f64) -> Vec<bool> {
    let mut keep = vec![true; series.len()];
    let window_s = 4.0 * MAX_BURST_S;
    if window_s > series.span_s() / 3.0 {
        return keep;
    }
    let (t, v) = (series.t_s(), series.value());
    // One window serves all samples within a sixth of it (30 s): a thousandth of the cost of a window for each.
    let stride_s = window_s / 6.0;
    let mut first = 0;
    let (mut near, mut wide) = (Reach::default(), Reach::default());
    let (mut slope, mut ceiling) = (Slope::new(), Ceiling::new(quantum));
    let (mut flat_near, mut flat_wide) = (Vec::new(), Vec::new());
    while first < t.len() {
        // One after the other: a bisection of all that is left goes far away in memory for the next half minute.
        let end_s = t[first] + stride_s;
        let last = first + t[first..].iter().take_while(|&&s| s <= end_s).count();
        let centre_s = (t[first] + t[last - 1]) / 2.0;
        let near = near.about(t, centre_s, window_s / 2.0);
        let wide = wide.about(t, centre_s, WINDOWS_OF_SLOPE * window_s / 2.0);
        if near.len() >= WINDOW_SAMPLES_MIN {
            let slope = slope.of(t, v, wide.clone());
            let flat = |i: usize| v[i] - slope * (t[i] - centre_s);
            flat_near.clear();
            flat_near.extend(near.map(flat));
            let most = (first..last).map(flat).fold(f64::NEG_INFINITY, f64::max);
            // Each asks more than the one before, and only if it must: most windows hold nothing but noise.
            if !ceiling.is_surely_above(most, &flat_near) && ceiling.of(&flat_near) < most {
                // A dip is the lowest fifth of a window, but not of three.
                flat_wide.clear();
                flat_wide.extend(wide.map(flat));
                let highest = ceiling.at_last().max(ceiling.of_another(&flat_wide));
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

/// Takes back excursions that lasted longer than a cluster of bursts, or for longer than a burst when the run ended.
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

/// What is no outlier in a window: five standard deviations above the level. Both are taken from the fifth and the twentieth
/// percentile as if the window were normal: bursts go up, so three quarters of a window may be burst before these are moved, where
/// a median and a MAD are moved by a quarter.
struct Ceiling {
    /// Counts that hardly move have no spread: one step of the counter is no outlier.
    least_sd: f64,
    /// Fifth and twentieth percentile of the window before: most of its samples are in this one too.
    before: (f64, f64),
    scratch: Vec<f64>,
}

impl Ceiling {
    fn new(quantum: f64) -> Self {
        Self {
            least_sd: MAD_TO_SD * quantum / 2.0,
            before: (f64::NAN, f64::NAN),
            scratch: Vec::new(),
        }
    }

    fn at(&self, lowest: f64, low: f64) -> f64 {
        let sd = (low - lowest) / (Z_TWENTIETH - Z_FIFTH);
        low + Z_FIFTH * sd + OUTLIER_SD * sd.max(self.least_sd)
    }

    /// Whether `most` is no outlier in a window, by counts instead of a selection; false says nothing.
    ///
    /// The ceiling rises with the twentieth percentile and falls with the fifth, so a value that is not above the one and a value
    /// that is not below the other give a ceiling that is not too high. The one is guessed, the other follows from `most`.
    fn is_surely_above(&self, most: f64, window: &[f64]) -> bool {
        GUESSES.into_iter().any(|guess| {
            let low = self.before.1 + guess * (self.before.1 - self.before.0);
            let lowest = self.highest_fifth(low, most);
            most <= self.at(lowest, low)
                && rolling_rank::count(window, |v| v < low) <= index(0.2, window.len())
                && rolling_rank::count(window, |v| v <= lowest) > index(0.05, window.len())
        })
    }

    /// The fifth percentile with which, beside a twentieth, the ceiling is at `most`, or a little below for what rounding does.
    fn highest_fifth(&self, low: f64, most: f64) -> f64 {
        let above = most - low;
        let sd = above / (Z_FIFTH + OUTLIER_SD);
        let sd = if sd < self.least_sd {
            ((above - OUTLIER_SD * self.least_sd) / Z_FIFTH).max(0.0)
        } else {
            sd
        };
        low - 1.000_001 * sd * (Z_TWENTIETH - Z_FIFTH)
    }

    /// That of the window before.
    fn at_last(&self) -> f64 {
        self.at(self.before.0, self.before.1)
    }

    fn of(&mut self, window: &[f64]) -> f64 {
        let percentiles = self.percentiles(window);
        self.before = percentiles;
        self.at(percentiles.0, percentiles.1)
    }

    fn of_another(&mut self, window: &[f64]) -> f64 {
        let (lowest, low) = self.percentiles(window);
        self.at(lowest, low)
    }

    /// As far above the last ones as they are apart lies a little more than what is looked for.
    fn percentiles(&mut self, window: &[f64]) -> (f64, f64) {
        let (lowest, low) = self.before;
        percentiles(window, low + (low - lowest), &mut self.scratch)
    }
}

/// Position of a percentile among `count` ordered values.
fn index(share: f64, count: usize) -> usize {
    (share * (count - 1) as f64).round() as usize
}

/// The fifth and the twentieth, looked for among the values up to `most` if these are enough.
fn percentiles(window: &[f64], most: f64, scratch: &mut Vec<f64>) -> (f64, f64) {
    let (fifth, twentieth) = (index(0.05, window.len()), index(0.2, window.len()));
    scratch.clear();
    scratch.extend(window.iter().filter(|value| value.total_cmp(&most).is_le()));
    if scratch.len() <= twentieth {
        scratch.clear();
        scratch.extend_from_slice(window);
    }
    let (below, &mut low, _) = scratch.select_nth_unstable_by(twentieth, f64::total_cmp);
    let lowest = if fifth < twentieth {
        *below.select_nth_unstable_by(fifth, f64::total_cmp).1
    } else {
        low
    };
    (lowest, low)
}

/// Lower quartile of the later half less that of the earlier one, over half the time: a steep leak must not hide its bursts in
/// the spread of its own slope. Bursts go up, so the lower quartile is that of the level until bursts fill three quarters.
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
    fn one_that_reaches_the_end_is_dropped_only_as_long_as_it_may_be_a_burst() {
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

    /// The ceiling of a window by selection alone, as the comment on [`Ceiling`] says it.
    fn selected(window: &[f64], quantum: f64) -> f64 {
        let mut ordered = window.to_vec();
        ordered.sort_by(f64::total_cmp);
        let (lowest, low) = (ordered[index(0.05, ordered.len())], ordered[index(0.2, ordered.len())]);
        let sd = (low - lowest) / (Z_TWENTIETH - Z_FIFTH);
        low + Z_FIFTH * sd + OUTLIER_SD * sd.max(MAD_TO_SD * quantum / 2.0)
    }

    #[test]
    fn what_a_count_says_of_a_window_its_selection_says_too() {
        let mut random = 99_u32;
        let mut next = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24)
        };
        let (mut sure, mut unsure) = (0, 0);
        for spread in [0.0, 1.0, 8.0, 300.0] {
            let mut ceiling = Ceiling::new(1.0);
            for turn in 0..400 {
                // Noise of some spread, now and then with a quarter of it in a burst.
                let burst = if turn % 7 == 0 { 40.0 } else { 0.0 };
                let window: Vec<f64> = (0..180)
                    .map(|i| (spread * next()).round() + if i < 45 { burst } else { 0.0 })
                    .collect();
                let exact = selected(&window, 1.0);
                let most = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if ceiling.is_surely_above(most, &window) {
                    assert!(most <= exact, "{most} is above {exact}");
                    sure += 1;
                } else {
                    assert_eq!(ceiling.of(&window), exact);
                    unsure += 1;
                }
            }
        }
        assert!(sure > 500 && unsure > 300, "{sure} {unsure}");
    }

    #[test]
    fn a_reach_holds_what_is_within_its_distance_and_moves_on() {
        let t: Vec<f64> = (0..10).map(|i| 10.0 * f64::from(i)).collect();
        let mut reach = Reach::default();
        assert_eq!(reach.about(&t, 30.0, 20.0), 1..6);
        assert_eq!(reach.about(&t, 45.0, 20.0), 3..7);
        assert_eq!(reach.about(&t, 90.0, 20.0), 7..10);
        assert_eq!(reach.about(&t, 500.0, 20.0), 10..10);
    }

    #[test]
    fn percentiles_are_places_among_ordered_values() {
        // 0 to 20: the fifth percentile is 1, the twentieth 4; of two values both are the first.
        let mut scratch = Vec::new();
        let window: Vec<f64> = (0..21).rev().map(f64::from).collect();
        // Whether those that are looked at are all, more than needed, just enough, too few or none.
        for most in [f64::NAN, 90.0, 7.5, 4.0, 3.0, -1.0] {
            assert_eq!(percentiles(&window, most, &mut scratch), (1.0, 4.0));
            assert_eq!(percentiles(&[7.0, 5.0], most, &mut scratch), (5.0, 5.0));
        }
        assert_eq!([1, 2, 3, 4, 8, 9].map(|count| index(0.2, count)), [0, 0, 0, 1, 1, 2]);
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
        // 100 s may be a cluster of bursts; 104 s, one after the other, are none.
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
    fn a_burst_is_held_against_the_level_around_it() {
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
    fn a_window_that_is_surely_below_its_ceiling_is() {
        // Noise of many steps, whose level and width wander: whatever is said by a count holds of the selection.
        let mut random = 4711_u32;
        let mut next = |steps: f64| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24) * steps
        };
        let mut ceiling = Ceiling::new(1.0);
        let (mut sure, mut above) = (0, 0);
        for window in 0..300 {
            let (level, width) = (f64::from(window / 20 % 5), 20.0 + f64::from(window / 50 % 7));
            let values: Vec<f64> = (0..400).map(|_| level + next(width)).collect();
            let last = ceiling.at_last();
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) + f64::from(window % 2) * next(width);
            let said = ceiling.is_surely_above(most, &values);
            let of_it = ceiling.of(&values);
            assert!(
                !said || most <= of_it,
                "window {window}: {most} above {of_it}, after {last}"
            );
            assert_eq!(ceiling.at_last(), of_it);
            sure += u32::from(said && window % 2 == 0);
            above += u32::from(most > of_it);
        }
        // It is said of some half of the windows that hold nothing but noise, which every other one is.
        assert!(sure > 60 && above > 50, "{sure} {above}");
    }

    #[test]
    fn what_is_no_outlier_around_it_is_none() {
        // For three minutes each tenth sample is far below: noise that makes 100 no outlier there, and would not over thrice as long.
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
