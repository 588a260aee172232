//! Series with few checkpoints, as manual tests produce them.
//!
//! They allow no interval. Two consecutive rises far above the limit are enough to fail; nothing is enough to pass.

use crate::series::Series;

/// Minimum number of samples of an interval.
pub(crate) const MIN_SAMPLES: usize = 16;

/// Factor on the growth allowed by the limit that each of the two rises must exceed.
const MIN_LIMITS: f64 = 10.0;

/// Minimum ratio of the second rise to the first. A step with a small rise after it is not two rises.
const MIN_RATIO: f64 = 0.7;

/// Minimum spacing of checkpoints, seconds. Below it, noise between neighbours is many times the limit.
const MIN_SPACING_S: f64 = 60.0;

/// Two consecutive rises far above the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ConsecutiveRises {
    /// Time of the checkpoint before the first rise, seconds.
    pub(crate) from_s: f64,
    /// Time of the checkpoint after the second rise, seconds.
    pub(crate) to_s: f64,
    /// Growth per minute over both rises.
    pub(crate) per_min: f64,
}

/// Returns the first two consecutive rises, each over at least a minute and above ten times the growth that
/// `limit_per_min` allows.
///
/// The second rise must be at least 0.7 of the first.
#[must_use]
pub(crate) fn consecutive_rises(series: &Series, limit_per_min: f64) -> Option<ConsecutiveRises> {
    let (t, v) = (series.t_s(), series.value());
    (2..t.len()).find_map(|last| {
        let rise = |i: usize| v[i] - v[i - 1];
        let steep = |i: usize| {
            t[i] - t[i - 1] >= MIN_SPACING_S && rise(i) > MIN_LIMITS * limit_per_min * (t[i] - t[i - 1]) / 60.0
        };
        let found = steep(last - 1) && steep(last) && rise(last) >= MIN_RATIO * rise(last - 1);
        let (from_s, to_s) = (t[last - 2], t[last]);
        found.then(|| ConsecutiveRises {
            from_s,
            to_s,
            per_min: (v[last] - v[last - 2]) / (to_s - from_s) * 60.0,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(points: &[(f64, f64)]) -> Series {
        Series::new(
            points.iter().map(|p| p.0 * 60.0).collect(),
            points.iter().map(|p| p.1).collect(),
        )
        .unwrap()
    }

    #[test]
    fn the_last_two_rises_of_6e_are_a_leak() {
        let series = minutes(&[(0.0, 1376.0), (2.0, 1376.0), (4.0, 2006.0), (6.0, 2557.0)]);
        let rises = consecutive_rises(&series, 2.0).unwrap();
        assert_eq!((rises.from_s, rises.to_s, rises.per_min), (120.0, 360.0, 295.25));
        assert_eq!(consecutive_rises(&series.until(240.0), 2.0), None);
    }

    #[test]
    fn a_rise_must_be_more_than_ten_times_the_limit() {
        assert_eq!(
            consecutive_rises(&minutes(&[(0.0, 0.0), (1.0, 20.0), (2.0, 40.0)]), 2.0),
            None
        );
        assert!(consecutive_rises(&minutes(&[(0.0, 0.0), (1.0, 20.1), (2.0, 40.2)]), 2.0).is_some());
        assert_eq!(
            consecutive_rises(&minutes(&[(0.0, 0.0), (1.0, 20.1), (2.0, 40.1)]), 2.0),
            None
        );
    }

    #[test]
    fn a_step_and_a_creep_are_not_two_rises() {
        assert_eq!(
            consecutive_rises(&minutes(&[(0.0, 0.0), (1.0, 100.0), (2.0, 169.0)]), 2.0),
            None
        );
        assert!(consecutive_rises(&minutes(&[(0.0, 0.0), (1.0, 100.0), (2.0, 170.0)]), 2.0).is_some());
    }

    #[test]
    fn samples_of_a_short_run_are_no_checkpoints() {
        let every = |apart_s: f64| Series::new(vec![0.0, apart_s, 2.0 * apart_s], vec![0.0, 100.0, 200.0]).unwrap();
        assert_eq!(consecutive_rises(&every(59.9), 2.0), None);
        assert!(consecutive_rises(&every(60.0), 2.0).is_some());
    }

    #[test]
    fn two_points_show_nothing() {
        assert_eq!(consecutive_rises(&minutes(&[(0.0, 1315.0), (30.0, 2974.0)]), 2.0), None);
    }

    #[test]
    fn rises_are_counted_between_neighbours_whenever_the_clock_began() {
        // From 1000 minutes on, two apart: 42 and 40 against 10 · 2 · 2, and the second 0.95 of the first.
        let late = minutes(&[(1000.0, 500.0), (1002.0, 542.0), (1004.0, 583.0)]);
        let rises = consecutive_rises(&late, 2.0).unwrap();
        assert_eq!((rises.from_s, rises.to_s), (60_000.0, 60_240.0));
        assert!((rises.per_min - 83.0 / 4.0).abs() < 1e-9);
        assert_eq!(consecutive_rises(&late, 2.06), None);
        // Half a minute apart is noise.
        assert_eq!(
            consecutive_rises(&minutes(&[(10.0, 0.0), (10.5, 99.0), (11.0, 199.0)]), 2.0),
            None
        );
    }
}
