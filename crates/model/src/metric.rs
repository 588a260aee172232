//! The numeric properties of a metric: unit, resolution, and counter or gauge.

use crate::units::Unit;

/// The size of a memory page; resident memory moves in steps of it.
pub const PAGE_BYTES: f64 = 4096.0;

/// Decimal digits beyond which a fraction is a measurement and not a count of some unit.
const MAX_DIGITS: i32 = 6;

/// The properties of a metric that the statistics depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricInfo {
    /// `proc`, `engine`, `cgroup`, `metrics`, `log` or `csv`.
    pub source: String,
    /// True for a value that only increases; a decrease is then a restart from zero.
    pub counter: bool,
    /// The step between neighbouring values: 1 for counts, [`PAGE_BYTES`] for memory.
    pub quantum: f64,
    /// The unit of its values.
    pub unit: Unit,
    /// True if load is known to change it. A constant value under changing load then means a broken metric.
    pub moves_with_load: bool,
}

/// Estimates the step between neighbouring values of a column.
///
/// It is a page if all changes are whole pages, 1 if all values are whole numbers, else the last decimal place in use.
#[must_use]
pub fn quantum_of(column: &[Option<f64>]) -> f64 {
    let seen = || column.iter().flatten();
    let first = seen().next().copied().unwrap_or(0.0);
    if seen().all(|v| (v - first) % PAGE_BYTES == 0.0) && seen().any(|v| v != &first) {
        return PAGE_BYTES;
    }
    let (mut digits, mut scale) = (0, 1.0);
    for value in seen() {
        while digits < MAX_DIGITS && !is_nearly_integer(value * scale) {
            digits += 1;
            scale = 10f64.powi(digits);
        }
    }
    10f64.powi(-digits)
}

/// Returns true if `x` is a whole number up to rounding.
fn is_nearly_integer(x: f64) -> bool {
    is_integer(x) || (x - x.round()).abs() <= 1e-9 * x.abs().max(1.0)
}

/// Returns true if `x` is a whole number. The cast decides nearly all cases at a tenth of the cost of `fract`.
#[must_use]
pub fn is_integer(x: f64) -> bool {
    x as i64 as f64 == x || x.fract() == 0.0
}

#[cfg(test)]
mod tests {
    use super::{is_integer, quantum_of};

    #[test]
    fn the_quantum_follows_from_the_values() {
        let of = |values: &[f64]| quantum_of(&values.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(of(&[55.0, 56.0, 55.0]), 1.0);
        assert_eq!(of(&[0.5, 1.25, 3.0]), 0.01);
        assert_eq!(of(&[0.1, 0.2, 0.3]), 0.1);
        assert_eq!(of(&[1.0 / 3.0, 0.5]), 1e-6);
        assert_eq!(of(&[409_600.0, 413_696.0]), 4096.0);
        assert_eq!(of(&[0.1 + 0.2, 0.5]), 0.1);
        assert_eq!(of(&[5.0, 6.0, 1e300]), 1.0);
        // A constant column has no steps.
        assert_eq!(of(&[4096.0, 4096.0]), 1.0);
        assert_eq!(quantum_of(&[None]), 1.0);
    }

    #[test]
    fn whole_numbers_of_any_size_are_recognised() {
        assert!(
            [0.0, -0.0, -7.0, 2f64.powi(53), -1e19, 1e300]
                .into_iter()
                .all(is_integer)
        );
        assert!(
            ![0.5, -1e-300, 4503599627370495.5, f64::NAN, f64::INFINITY]
                .into_iter()
                .any(is_integer)
        );
    }
}
