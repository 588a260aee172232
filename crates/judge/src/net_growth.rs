//! Net growth over a run against a budget (`growth < 50`).
//!
//! Apart from growth per minute: a pool that filled once is over a budget and is no leak, so a budget alone never accuses.

use crate::median::median_of;
use crate::series::Series;

/// Seconds at either end whose median stands for that end; a quarter of the run if that is shorter.
const END_S: f64 = 120.0;

/// Median of the last two minutes minus median of the first two. `None` for fewer than two samples.
#[must_use]
pub(crate) fn net_growth(series: &Series) -> Option<f64> {
    let (first, last) = (*series.t_s().first()?, *series.t_s().last()?);
    let end_s = END_S.min((last - first) / 4.0);
    let beginning = series.until(first + end_s);
    let end = series.since(last - end_s);
    (series.len() >= 2).then_some(())?;
    Some(median_of(&mut end.value().to_vec())? - median_of(&mut beginning.value().to_vec())?)
}

/// Parts of a run whose lowest median is the bottom that a value fell to.
const PARTS: usize = 10;

/// Median of the last tenth less the lowest median of any tenth. `None` for fewer samples than tenths.
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
    fn what_rose_since_the_lowest_is_told_by_tenths() {
        // Tenths of ten: medians 4.5, 14.5 … of |i − 50|: the lowest are those of 40 … 49 and of 50 … 59, 5.5 and 4.5; the last is 44.5.
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
