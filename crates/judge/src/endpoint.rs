//! The endpoint rate: (last − baseline) / minutes.
//!
//! The tables of the FASE case study contain only this rate. It is shown beside the verdict and decides nothing,
//! because any warm-up, step or sawtooth changes it.

use crate::series::Series;

/// Returns (last − baseline) / minutes since the baseline; `None` unless the minutes are positive.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::endpoint::per_min;
///
/// assert_eq!(per_min(1315.0, 1415.0, 10.0), Some(10.0));
/// assert_eq!(per_min(1315.0, 1415.0, 0.0), None);
/// ```
#[must_use]
pub fn per_min(baseline: f64, last: f64, elapsed_min: f64) -> Option<f64> {
    (elapsed_min > 0.0).then(|| (last - baseline) / elapsed_min)
}

/// Returns the endpoint rate from the first to the last sample of a series.
#[must_use]
pub(crate) fn series_rate_per_min(series: &Series) -> Option<f64> {
    per_min(
        *series.value().first()?,
        *series.value().last()?,
        series.span_s() / 60.0,
    )
}

/// Truncates a rate to two decimals, as the tables of the FASE case study do.
///
/// A tolerance of one part in 10¹² keeps whole hundredths unchanged.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::endpoint::truncate_to_hundredths;
///
/// assert_eq!(truncate_to_hundredths(16.6875), 16.68);
/// assert_eq!(truncate_to_hundredths(0.29), 0.29);
/// ```
#[must_use]
pub fn truncate_to_hundredths(rate: f64) -> f64 {
    let hundredths = rate * 100.0;
    let nearest = hundredths.round();
    if (hundredths - nearest).abs() <= 1e-12 * nearest.abs() {
        nearest / 100.0
    } else {
        hundredths.trunc() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_of_6c_by_hand() {
        // (2974 − 1315) / 30 = 55.3.
        let series = Series::new(vec![0.0, 1800.0], vec![1315.0, 2974.0]).unwrap();
        assert!((series_rate_per_min(&series).unwrap() - 55.3).abs() < 1e-12);
        assert_eq!(truncate_to_hundredths(series_rate_per_min(&series).unwrap()), 55.30);
    }

    #[test]
    fn rates_are_cut_towards_zero() {
        // (4414 − 4147) / 16 = 16.6875 and (4061 − 4147) / 8 = −10.75.
        assert_eq!(truncate_to_hundredths(per_min(4147.0, 4414.0, 16.0).unwrap()), 16.68);
        assert_eq!(truncate_to_hundredths(per_min(4147.0, 4061.0, 8.0).unwrap()), -10.75);
        assert_eq!(truncate_to_hundredths(-16.6875), -16.68);
        assert_eq!(truncate_to_hundredths(0.29), 0.29);
    }

    #[test]
    fn no_time_no_rate() {
        assert_eq!(per_min(1.0, 2.0, 0.0), None);
        assert_eq!(series_rate_per_min(&Series::default()), None);
    }

    #[test]
    fn a_rate_of_hundredths_stays_itself_however_large() {
        // 1 234 567.89 · 100 is 123 456 788.99999999 in doubles, which is not cut to …88.
        assert_eq!(truncate_to_hundredths(1_234_567.89), 1_234_567.89);
        assert_eq!(truncate_to_hundredths(8_765_432.29), 8_765_432.29);
        assert_eq!(truncate_to_hundredths(0.000_000_29), 0.0);
    }
}
