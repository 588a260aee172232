//! Statistical power: the smallest leak that a run of given length and noise can prove.
//!
//! These bounds hold for any method. Noise enters as its long-run variance S₀, the integral of the autocovariance: 2
//! sd² τ for exponentially correlated noise, sd² dt for independent samples.

use crate::normal;

const SECONDS_PER_MIN: f64 = 60.0;

/// The error rates of a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorRates {
    /// Share of healthy targets that fail.
    pub alpha: f64,
    /// Share of leaks of the stated size that are found.
    pub power: f64,
}

impl Default for ErrorRates {
    /// Returns 1 % false failures and 99 % power.
    fn default() -> Self {
        Self {
            alpha: 0.01,
            power: 0.99,
        }
    }
}

impl ErrorRates {
    /// Returns the distance between limit and leak in standard errors: z(1−α) + z(power) [Neyman & Pearson 1933].
    ///
    /// # Examples
    ///
    /// ```
    /// use leakcheck_judge::power::ErrorRates;
    ///
    /// assert!((ErrorRates::default().distance() - 4.65).abs() < 0.01);
    /// ```
    #[must_use]
    pub fn distance(self) -> f64 {
        normal::quantile(1.0 - self.alpha) + normal::quantile(self.power)
    }
}

/// Returns S₀ of noise with standard deviation `sd` and correlation time `tau_s`, sampled every `spacing_s`.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::power::long_run_variance;
///
/// // Independent samples: sd² dt.
/// assert_eq!(long_run_variance(2.0, 0.0, 3.0), 12.0);
/// ```
#[must_use]
pub fn long_run_variance(sd: f64, tau_s: f64, spacing_s: f64) -> f64 {
    // The exact sum over a sampled AR(1) process: sd² dt (1+φ)/(1−φ), φ = exp(−dt/τ).
    if tau_s <= 0.0 {
        return sd * sd * spacing_s;
    }
    let phi = (-spacing_s / tau_s).exp();
    sd * sd * spacing_s * (1.0 + phi) / (1.0 - phi)
}

/// Returns the standard error of the growth per minute of a straight line over `length_s`: √(12 S₀ / T³) [Cramér–Rao
/// bound for a trend].
///
/// # Examples
///
/// ```
/// use leakcheck_judge::power::standard_error_per_min;
///
/// // Twice the length divides the error by 2^1.5.
/// let ratio = standard_error_per_min(500.0, 600.0) / standard_error_per_min(500.0, 1200.0);
/// assert!((ratio - 8f64.sqrt()).abs() < 1e-12);
/// ```
#[must_use]
pub fn standard_error_per_min(s0: f64, length_s: f64) -> f64 {
    (12.0 * s0 / length_s.powi(3)).sqrt() * SECONDS_PER_MIN
}

/// Returns the smallest growth per minute that a run of `length_s` can prove to be above the limit. Infinite for no
/// length.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::power::{ErrorRates, smallest_provable_per_min};
///
/// let provable = smallest_provable_per_min(2.0, 500.0, 1800.0, ErrorRates::default());
/// assert!(provable > 2.0 && provable < 2.5);
/// ```
#[must_use]
pub fn smallest_provable_per_min(limit_per_min: f64, s0: f64, length_s: f64, errors: ErrorRates) -> f64 {
    limit_per_min + errors.distance() * standard_error_per_min(s0, length_s)
}

/// Returns the largest growth per minute that a run of `length_s` can prove to be below the limit. Negative if there
/// is none.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::power::{ErrorRates, largest_excludable_per_min};
///
/// let excludable = largest_excludable_per_min(2.0, 500.0, 1800.0, ErrorRates::default());
/// assert!(excludable > 1.5 && excludable < 2.0);
/// ```
#[must_use]
pub fn largest_excludable_per_min(limit_per_min: f64, s0: f64, length_s: f64, errors: ErrorRates) -> f64 {
    limit_per_min - errors.distance() * standard_error_per_min(s0, length_s)
}

/// Returns the smallest growth per minute that can be proved if it begins in the last `window_s` of a run.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::power::{ErrorRates, smallest_late_leak_per_min};
///
/// let late = |window_s| smallest_late_leak_per_min(2.0, 500.0, window_s, ErrorRates::default());
/// assert!(late(225.0) > late(900.0));
/// ```
#[must_use]
pub fn smallest_late_leak_per_min(limit_per_min: f64, s0: f64, window_s: f64, errors: ErrorRates) -> f64 {
    smallest_provable_per_min(limit_per_min, s0, window_s, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    #[test]
    fn distances_by_hand() {
        // 2.3263 + 2.3263; its square is 21.6.
        close(ErrorRates::default().distance(), 4.6527, 1e-4);
        close(ErrorRates::default().distance().powi(2), 21.65, 0.01);
        close(
            ErrorRates {
                alpha: 0.05,
                power: 0.9,
            }
            .distance(),
            1.6449 + 1.2816,
            1e-3,
        );
    }

    #[test]
    fn long_run_variance_has_both_limits() {
        close(long_run_variance(2.0, 0.0, 3.0), 12.0, 1e-12);
        // Slow noise: 2 · 25 · 600 = 30 000.
        close(long_run_variance(5.0, 600.0, 1.0), 30_000.0, 1.0);
        // φ = 1/2: 1 · (3/2)/(1/2) = 3.
        close(long_run_variance(1.0, 1.0 / 2f64.ln(), 1.0), 3.0, 1e-12);
    }

    #[test]
    fn the_standard_error_by_hand() {
        // sd 5, τ 10 s, S₀ = 8.3 units²·min: over 10 minutes ±0.316 per minute.
        close(standard_error_per_min(8.3 * 60.0, 600.0), 0.316, 5e-4);
    }

    #[test]
    fn provable_and_excludable_lie_on_either_side_of_the_limit() {
        // S₀ = T³/12: the standard error is 60 per minute.
        let s0 = 600f64.powi(3) / 12.0;
        close(standard_error_per_min(s0, 600.0), 60.0, 1e-9);
        let errors = ErrorRates::default();
        close(
            smallest_provable_per_min(2.0, s0, 600.0, errors),
            2.0 + 60.0 * errors.distance(),
            1e-9,
        );
        close(
            largest_excludable_per_min(2.0, s0, 600.0, errors),
            2.0 - 60.0 * errors.distance(),
            1e-9,
        );
        close(
            smallest_late_leak_per_min(2.0, s0, 600.0, errors),
            2.0 + 60.0 * errors.distance(),
            1e-9,
        );
    }

    #[test]
    fn independent_samples_are_worth_the_square_of_their_spread() {
        // sd² dt = 9 · 5 with no correlation, and with one that a spacing forgets.
        close(long_run_variance(3.0, 0.0, 5.0), 45.0, 1e-12);
        close(long_run_variance(3.0, 1e-3, 5.0), 45.0, 1e-12);
        // φ = 1/2: 9 · 5 · (3/2)/(1/2) = 135.
        close(long_run_variance(3.0, 5.0 / 2f64.ln(), 5.0), 135.0, 1e-9);
    }
}
