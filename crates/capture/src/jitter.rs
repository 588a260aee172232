//! Pauses that differ from one another, so that many tasks do not come back at the same instant.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A number in `0.0..1.0`; good enough to spread pauses, and for nothing else.
fn fraction() -> f64 {
    // RandomState counts up its seed for each instance, so each call hashes differently.
    let bits = RandomState::new().hash_one(0_u8) >> 40;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24)
}

/// Between half and one and a half times `pause`.
pub(crate) fn around(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fraction())
}

/// A back-off: doubles from `first` with each failure up to `most`, then spread by [`around`].
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// The pause after one more failure.
    pub(crate) fn pause(&mut self) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        around(doubled.min(self.most))
    }

    /// Something succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The place of the `index`-th of any number of things spread evenly over `interval`: multiples of the golden ratio leave
/// the largest gap smallest, however many come later (Weyl sequence).
pub(crate) fn phase(index: u64, interval: Duration) -> Duration {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let fraction = (index.wrapping_mul(GOLDEN) >> 11) as f64 / (1_u64 << 53) as f64;
    interval.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_most_and_starts_again_after_a_success() {
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
        // Evenly spread they would be 1 s apart; the three-gap theorem allows the golden ratio 2.6 times that.
        assert!(widest < Duration::from_secs(3), "{widest:?}");
    }
}
