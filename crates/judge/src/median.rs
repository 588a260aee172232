//! Medians and median absolute deviations.

/// Factor from a median absolute deviation to a standard deviation: 1 / Φ⁻¹(3/4) [Hampel 1974].
pub(crate) const MAD_TO_SD: f64 = 1.4826;

/// Returns the median of the values, which are reordered. `None` for no values.
pub(crate) fn median_of(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(lower + (upper - lower) / 2.0)
}

/// Returns the median and the median absolute deviation (not scaled). The values are overwritten. `None` for no
/// values.
pub(crate) fn median_and_mad(values: &mut [f64]) -> Option<(f64, f64)> {
    let centre = median_of(values)?;
    for value in values.iter_mut() {
        *value = (*value - centre).abs();
    }
    Some((centre, median_of(values)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(median_of(&mut [9.0, 1.0, 5.0]), Some(5.0));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median_of(&mut [9.0, 1.0, 5.0, 2.0]), Some(3.5));
        assert_eq!(median_of(&mut [-4.0, -1.0]), Some(-2.5));
    }

    #[test]
    fn there_is_no_median_of_nothing() {
        assert_eq!(median_of(&mut []), None);
        assert_eq!(median_and_mad(&mut []), None);
    }

    #[test]
    fn the_mad_by_hand() {
        // 1 1 2 2 4 6 9: median 2, deviations 1 1 0 0 2 4 7, their median 1.
        assert_eq!(
            median_and_mad(&mut [1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]),
            Some((2.0, 1.0))
        );
    }
}
