//! Net growth over a run, for budgets such as `growth < 50`.
//!
//! Net growth alone proves no leak: a pool that filled once exceeds a budget, too.

use crate::median::median_of;
use crate::series::Series;

/// Length of either end that the level is the median of, seconds; at most a quarter of the run.
const END_S: f64 = 120.0;

/// Returns the median of the last two minutes minus the median of the first two. `None` for fewer than two samples.
#[must_use]
pub(crate) fn net_growth(series: &Series) -> Option<f64> {
    let (first, last) = (*series.t_s().first()?, *series.t_s().last()?);
    let end_s = END_S.min((last - first) / 4.0);
    let beginning = series.until(first + end_s);
    let end = series.since(last - end_s);
    (series.len() >= 2).then_some(())?;
    Some(median_of(&mut end.value().to_vec())? - median_of(&mut beginning.value().to_vec())?)
}

/// Number of parts of a run whose medians are compared to find the lowest level.
const PARTS: usize = 10;

/// Returns the median of the last tenth minus the lowest median of any tenth. `None` for fewer samples than tenths.
#[must_use]
pub(crate) fn risen_from_lowest(series: &Series) -> Option<f64> {
    let n = series.len();
    let median = |part: usize| median_of(&mut series.value()[part * n / PARTS..(part + 1) * n / PARTS].to_vec());
    let medians: Vec<f64> = (0..PARTS).map(median).collect::<Option<_>>()?;
    let lowest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    Some(medians.last()? - lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_second(n: usize, value: impl Fn(usize) -> f64) -> Series {
        Series::new((0..n).map(|i| i as f64).collect(), (0..n).map(value).collect()).unwrap()
    }

    #[test]
    fn two_minutes_stand_for_either_end() {
        // Medians of samples 0..=120 and 1680..=1800 of a line: 60 and 1740.
        assert_eq!(net_growth(&each_second(1801, |i| i as f64)), Some(1680.0));
        // A quarter of 100 s: 0..=25 and 75..=100, medians 12.5 and 87.5.
        assert_eq!(net_growth(&each_second(101, |i| i as f64)), Some(75.0));
    }

    #[test]
    fn the_rise_since_the_lowest_level_uses_tenths() {
        // Medians of |i − 50| by tenths: the lowest are 5.5 and 4.5, the last is 44.5.
        let valley = each_second(100, |i| (i as f64 - 50.0).abs());
        assert_eq!(risen_from_lowest(&valley), Some(40.0));
        assert_eq!(risen_from_lowest(&each_second(100, |i| -(i as f64))), Some(0.0));
        assert_eq!(risen_from_lowest(&each_second(9, |_| 1.0)), None);
    }

    #[test]
    fn a_spike_at_the_end_is_no_growth() {
        assert_eq!(
            net_growth(&each_second(601, |i| if i == 600 { 900.0 } else { 7.0 })),
            Some(0.0)
        );
    }

    #[test]
    fn one_sample_has_no_growth() {
        assert_eq!(net_growth(&each_second(1, |_| 3.0)), None);
        assert_eq!(net_growth(&Series::default()), None);
    }

    #[test]
    fn the_ends_are_counted_from_the_first_sample() {
        // A quarter of 100 s again, from 1000 s on.
        let late = Series::new(
            (1000..=1100).map(f64::from).collect(),
            (0..=100).map(f64::from).collect(),
        )
        .unwrap();
        assert_eq!(net_growth(&late), Some(75.0));
    }
}
