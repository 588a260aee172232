//! Randomised pauses, so that many tasks do not act at the same instant.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Returns a number in `0.0..1.0` that is random enough to spread pauses.
fn fraction() -> f64 {
    // Each RandomState has another seed, so each call hashes differently.
    let bits = RandomState::new().hash_one(0_u8) >> 40;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24)
}

/// Returns a duration between half and one and a half times `pause`.
pub(crate) fn around(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fraction())
}

/// An exponential back-off: the pause doubles from `first` up to `max`, and is spread by [`around`].
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            failures: 0,
        }
    }

    /// Returns the pause after one more failure.
    pub(crate) fn pause(&mut self) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        around(doubled.min(self.max))
    }

    /// Starts again from the first pause, after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Returns the phase of the `index`-th of any number of tasks that are spread evenly over `interval`: multiples of the golden
/// ratio keep the largest gap small, however many follow (Weyl sequence).
pub(crate) fn phase(index: u64, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let fraction = (index.wrapping_mul(GOLDEN) >> 11) as f64 / (1_u64 << 53) as f64;
    interval.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_maximum_and_starts_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        for doubled in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let pause = backoff.pause().as_millis();
            assert!(
                pause >= doubled / 2 && pause <= doubled * 3 / 2,
                "{pause} is not around {doubled}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(150));
    }

    #[test]
    fn phases_of_fifty_five_containers_are_spread_over_the_interval() {
        let interval = Duration::from_secs(55);
        let mut phases: Vec<_> = (0..55).map(|index| phase(index, interval)).collect();
        phases.sort_unstable();
        let widest = phases.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        // An even spread is 1 s; by the three-gap theorem the golden ratio stays within 2.6 times that.
        assert!(widest < Duration::from_secs(3), "{widest:?}");
    }
}
