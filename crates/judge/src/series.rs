//! A measured series.
//!
//! The constructor is the only check: a series is finite and in order, so no formula has to check again. A missed
//! sample is absent.

use thiserror::Error;

/// Times in seconds, strictly increasing, with one finite value each.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::Series;
///
/// let series = Series::new(vec![0.0, 1.0, 2.0, 60.0], vec![5.0, 6.0, 7.0, 8.0])?;
/// assert_eq!((series.len(), series.span_s(), series.spacing_s()), (4, 60.0, 1.0));
/// assert_eq!(series.until(2.0).value(), [5.0, 6.0, 7.0]);
/// assert!(Series::new(vec![1.0, 1.0], vec![0.0, 0.0]).is_err());
/// # Ok::<(), leakcheck_judge::SeriesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    t_s: Vec<f64>,
    value: Vec<f64>,
    /// Computed once, because it is used often.
    spacing_s: f64,
}

/// The reason why two columns are not a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SeriesError {
    /// The two columns differ in length.
    #[error("{times} times but {values} values")]
    Length {
        /// Number of times.
        times: usize,
        /// Number of values.
        values: usize,
    },
    /// A time is NaN or infinite.
    #[error("time of sample {index} is not finite")]
    TimeNotFinite {
        /// Position of the sample, from 0.
        index: usize,
    },
    /// A value is NaN or infinite.
    #[error("value of sample {index} is not finite")]
    ValueNotFinite {
        /// Position of the sample, from 0.
        index: usize,
    },
    /// A time is not later than the one before it.
    #[error("time of sample {index} is not later than the one before it")]
    NotIncreasing {
        /// Position of the later sample, from 0.
        index: usize,
    },
}

impl Series {
    /// Checks and takes two columns of equal length: times in seconds and values.
    ///
    /// # Errors
    ///
    /// Names the first sample (by index) whose time or value is not finite, or whose time is not later than the one
    /// before it.
    pub fn new(t_s: Vec<f64>, value: Vec<f64>) -> Result<Self, SeriesError> {
        if t_s.len() != value.len() {
            return Err(SeriesError::Length {
                times: t_s.len(),
                values: value.len(),
            });
        }
        let mut before = f64::NEG_INFINITY;
        for (index, (&t, &v)) in t_s.iter().zip(&value).enumerate() {
            if !t.is_finite() {
                return Err(SeriesError::TimeNotFinite { index });
            }
            if !v.is_finite() {
                return Err(SeriesError::ValueNotFinite { index });
            }
            if t <= before {
                return Err(SeriesError::NotIncreasing { index });
            }
            before = t;
        }
        Ok(Self::of(t_s, value))
    }

    fn of(t_s: Vec<f64>, value: Vec<f64>) -> Self {
        let spacing_s = usual_spacing(&t_s).unwrap_or(0.0);
        Self { t_s, value, spacing_s }
    }

    /// Returns the times in seconds.
    #[must_use]
    pub fn t_s(&self) -> &[f64] {
        &self.t_s
    }

    /// Returns the values, one per time.
    #[must_use]
    pub fn value(&self) -> &[f64] {
        &self.value
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.t_s.len()
    }

    /// Returns true if there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.t_s.is_empty()
    }

    /// Returns the seconds from the first to the last sample; 0 for fewer than two.
    #[must_use]
    pub fn span_s(&self) -> f64 {
        match (self.t_s.first(), self.t_s.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        }
    }

    /// Returns the seconds between samples, as the median spacing, so that a gap does not matter. 0 for fewer than
    /// two samples.
    #[must_use]
    pub fn spacing_s(&self) -> f64 {
        self.spacing_s
    }

    /// Returns the seconds that the samples represent: the span and one spacing.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        self.span_s() + self.spacing_s()
    }

    /// Returns the samples up to and including the time `end_s`.
    #[must_use]
    pub fn until(&self, end_s: f64) -> Self {
        let end = self.t_s.partition_point(|&t| t <= end_s);
        Self::of(self.t_s[..end].to_vec(), self.value[..end].to_vec())
    }

    /// Returns the samples from the time `begin_s` on.
    #[must_use]
    pub fn since(&self, begin_s: f64) -> Self {
        let begin = self.t_s.partition_point(|&t| t < begin_s);
        Self::of(self.t_s[begin..].to_vec(), self.value[begin..].to_vec())
    }

    /// Returns the same times with other values, which must be as many and finite.
    pub(crate) fn with_values(&self, value: Vec<f64>) -> Self {
        debug_assert_eq!(value.len(), self.t_s.len());
        Self {
            t_s: self.t_s.clone(),
            value,
            spacing_s: self.spacing_s,
        }
    }
}

/// Returns the median spacing of times, seconds; `None` for fewer than two.
pub(crate) fn usual_spacing(t_s: &[f64]) -> Option<f64> {
    let spacing = |pair: &[f64]| pair[1] - pair[0];
    let first = t_s.get(..2).map(spacing)?;
    // Most runs have one spacing. A value with a majority is the median.
    let alike = t_s.windows(2).filter(|pair| spacing(pair) == first).count();
    if 2 * alike > t_s.len() {
        return Some(first);
    }
    let mut spacings: Vec<f64> = t_s.windows(2).map(spacing).collect();
    crate::median::median_of(&mut spacings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_number_is_refused_by_its_index() {
        let refused = Series::new(vec![0.0, 1.0, 2.0], vec![1.0, f64::NAN, 3.0]);
        assert_eq!(refused, Err(SeriesError::ValueNotFinite { index: 1 }));
        let refused = Series::new(vec![0.0, f64::INFINITY], vec![1.0, 2.0]);
        assert_eq!(refused, Err(SeriesError::TimeNotFinite { index: 1 }));
    }

    #[test]
    fn time_must_go_forward() {
        let refused = Series::new(vec![0.0, 1.0, 1.0], vec![1.0, 2.0, 3.0]);
        assert_eq!(refused, Err(SeriesError::NotIncreasing { index: 2 }));
        assert_eq!(
            SeriesError::NotIncreasing { index: 2 }.to_string(),
            "time of sample 2 is not later than the one before it"
        );
    }

    #[test]
    fn columns_must_be_of_one_length() {
        assert_eq!(
            Series::new(vec![0.0], vec![]),
            Err(SeriesError::Length { times: 1, values: 0 })
        );
    }

    #[test]
    fn a_gap_does_not_change_the_spacing() {
        let series = Series::new(vec![0.0, 1.0, 2.0, 60.0], vec![0.0; 4]).unwrap();
        assert_eq!(series.spacing_s(), 1.0);
        assert_eq!(series.span_s(), 60.0);
        assert_eq!(series.length_s(), 61.0);
        assert_eq!(series.len(), 4);
        assert!(!series.is_empty());
        assert!(Series::default().is_empty());
        assert_eq!(Series::default().length_s(), 0.0);
    }

    #[test]
    fn cutting_keeps_both_ends() {
        let series = Series::new(vec![0.0, 1.0, 2.0, 3.0], vec![5.0, 6.0, 7.0, 8.0]).unwrap();
        assert_eq!(series.until(2.0).value(), [5.0, 6.0, 7.0]);
        assert_eq!(series.since(2.0).value(), [7.0, 8.0]);
        assert_eq!(series.since(2.0).t_s(), [2.0, 3.0]);
    }

    #[test]
    fn the_span_is_counted_from_the_first_sample() {
        let series = Series::new(vec![100.0, 103.0, 105.0], vec![0.0; 3]).unwrap();
        assert_eq!(
            (series.span_s(), series.spacing_s(), series.length_s()),
            (5.0, 2.5, 7.5)
        );
    }

    #[test]
    fn the_spacing_is_the_median_also_where_it_is_not_the_first() {
        let spacing_s = |t_s: &[f64]| Series::new(t_s.to_vec(), vec![0.0; t_s.len()]).unwrap().spacing_s();
        assert_eq!(spacing_s(&[0.0, 60.0, 61.0, 62.0, 63.0]), 1.0);
        assert_eq!(spacing_s(&[0.0, 1.0, 4.0, 9.0]), 3.0);
        // Two of four are no majority.
        assert_eq!(spacing_s(&[0.0, 1.0, 2.0, 5.0, 8.0]), 2.0);
        assert_eq!(spacing_s(&[7.0]), 0.0);
    }
}
