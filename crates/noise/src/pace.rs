//! The times at which lines are due. Pure: the elapsed time is an argument.

use std::time::Duration;

use leakcheck_model::scenario::Rate;

use crate::settings::Settings;

/// The pace of one emitter, relative to its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    rate: Rate,
    /// Delay of the first line as a part of an interval, so that emitters do not write at the same time.
    phase: f64,
}

impl Pace {
    /// Makes a pace with its first line due one interval after the start.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, phase: 1.0 }
    }

    /// Makes the pace of an emitter. Its phase depends on its name, so the containers of a group write at different
    /// times.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let phase = f64::from(crc32fast::hash(settings.emitter.as_bytes())) / f64::from(u32::MAX);
        Self::new(settings.lines_per_second).with_phase(phase)
    }

    /// Sets the delay of the first line to `phase` (0 to 1) of an interval.
    #[must_use]
    pub fn with_phase(self, phase: f64) -> Self {
        Self {
            phase: phase.clamp(0.0, 1.0),
            ..self
        }
    }

    /// Returns the number of lines due by `elapsed`; `u64::MAX` for `max`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, saturates"
    )]
    pub fn due(&self, elapsed: Duration) -> u64 {
        match self.rate {
            Rate::Max => u64::MAX,
            Rate::PerSecond(rate) if rate <= 0.0 => 0,
            Rate::PerSecond(rate) => (elapsed.as_secs_f64() * rate + 1.0 - self.phase + 1e-9).max(0.0) as u64,
        }
    }

    /// Returns the time at which the line after the first `written` is due; `None` if never.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 lines")]
    pub fn next_due(&self, written: u64) -> Option<Duration> {
        match self.rate {
            Rate::Max => Some(Duration::ZERO),
            Rate::PerSecond(rate) if rate <= 0.0 => None,
            Rate::PerSecond(rate) => Some(Duration::from_secs_f64((written as f64 + self.phase) / rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_due_at_their_rate() {
        let pace = Pace::new(Rate::PerSecond(20.0));
        assert_eq!(pace.due(Duration::ZERO), 0);
        assert_eq!(pace.due(Duration::from_millis(50)), 1);
        assert_eq!(pace.due(Duration::from_secs(60)), 1200);
        assert_eq!(pace.next_due(1), Some(Duration::from_millis(100)));
    }

    #[test]
    fn idle_is_never_due_and_max_always() {
        assert_eq!(
            (
                Pace::new(Rate::PerSecond(0.0)).due(Duration::from_secs(9)),
                Pace::new(Rate::PerSecond(0.0)).next_due(0)
            ),
            (0, None)
        );
        assert_eq!(
            (
                Pace::new(Rate::Max).due(Duration::ZERO),
                Pace::new(Rate::Max).next_due(7)
            ),
            (u64::MAX, Some(Duration::ZERO))
        );
    }

    proptest! {
        #[test]
        fn a_line_is_due_at_its_time(rate in 0.01f64..1e5, phase in 0.0f64..1.0, written in 0u64..100_000) {
            let pace = Pace::new(Rate::PerSecond(rate)).with_phase(phase);
            let at = pace.next_due(written).expect("not idle");
            prop_assert!(pace.due(at + Duration::from_nanos(2)) > written);
        }
    }
}
