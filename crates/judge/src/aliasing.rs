//! Aliasing: a sawtooth that is sampled too rarely turns into a slow ramp of either sign.
//!
//! The check needs only two periods and no data, so a schedule can be rejected before it runs.

/// The effect of a sampling interval on a periodic rotation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// At least four samples per rotation: the sawtooth is resolved.
    Resolved,
    /// The sawtooth appears with another period, too short or too long to look like growth in this run.
    Harmless {
        /// Seconds; infinite if each sample has the same phase.
        apparent_period_s: f64,
    },
    /// The sawtooth may look like growth or hide it.
    Aliased {
        /// Seconds.
        apparent_period_s: f64,
    },
}

/// Returns the apparent period of a rotation every `period_s` sampled every `spacing_s`: 1 / |1/P − k/dt| with k =
/// round(dt/P) [folding about the sampling frequency: Shannon 1949]. Infinite if they coincide.
#[must_use]
fn apparent_period_s(period_s: f64, spacing_s: f64) -> f64 {
    let cycles = (spacing_s / period_s).round();
    1.0 / (1.0 / period_s - cycles / spacing_s).abs()
}

/// Classifies samples every `spacing_s` over `length_s` of a rotation every `period_s`.
///
/// An apparent period of at most a sixth of the run averages out; one of at least twenty runs looks constant.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::aliasing::{Sampling, sampling};
///
/// assert_eq!(sampling(60.0, 1.0, 1800.0), Sampling::Resolved);
/// // Every two minutes, a rotation of 110 s looks like a wave of 22 minutes.
/// assert!(matches!(sampling(110.0, 120.0, 1800.0), Sampling::Aliased { .. }));
/// ```
#[must_use]
pub fn sampling(period_s: f64, spacing_s: f64, length_s: f64) -> Sampling {
    if spacing_s <= period_s / 4.0 {
        return Sampling::Resolved;
    }
    let apparent_period_s = apparent_period_s(period_s, spacing_s);
    if apparent_period_s <= length_s / 6.0 || apparent_period_s >= 20.0 * length_s {
        Sampling::Harmless { apparent_period_s }
    } else {
        Sampling::Aliased { apparent_period_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_of_120_s_turn_a_rotation_of_110_s_into_22_minutes() {
        assert!((apparent_period_s(110.0, 120.0) / 60.0 - 22.0).abs() < 1e-9);
        assert!((apparent_period_s(116.0, 120.0) / 60.0 - 58.0).abs() < 1e-9);
        assert!((apparent_period_s(124.0, 120.0) / 60.0 - 62.0).abs() < 1e-9);
        assert!(matches!(sampling(110.0, 120.0, 1800.0), Sampling::Aliased { .. }));
        assert!(matches!(sampling(125.0, 120.0, 1800.0), Sampling::Aliased { .. }));
    }

    #[test]
    fn four_samples_a_rotation_are_enough() {
        assert_eq!(sampling(60.0, 15.0, 1800.0), Sampling::Resolved);
        assert_ne!(sampling(60.0, 15.1, 1800.0), Sampling::Resolved);
    }

    #[test]
    fn a_short_apparent_period_averages_out_and_an_endless_one_stands_still() {
        // dt = 120, P = 300: the true period, a sixth of 30 minutes.
        assert!(
            matches!(sampling(300.0, 120.0, 1800.0), Sampling::Harmless { apparent_period_s } if (apparent_period_s - 300.0).abs() < 1e-9)
        );
        assert!(matches!(sampling(300.0, 120.0, 1799.0), Sampling::Aliased { .. }));
        assert_eq!(
            sampling(120.0, 120.0, 1800.0),
            Sampling::Harmless {
                apparent_period_s: f64::INFINITY
            }
        );
        // P = 119.64 s: 1/|1/119.64 − 1/120| = 39 880 s, more than 20 × 1800 s.
        assert!(matches!(sampling(119.64, 120.0, 1800.0), Sampling::Harmless { .. }));
        assert!(matches!(sampling(119.64, 120.0, 2000.0), Sampling::Aliased { .. }));
    }
}
