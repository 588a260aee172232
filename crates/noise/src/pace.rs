//! When lines are due. Pure: time comes in as an argument.

use std::time::Duration;

use leakcheck_model::scenario::Rate;

use crate::Settings;

/// The pace of one emitter, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    rate: Rate,
    /// Part of a line's interval that the first line waits, so that many emitters do not write at the same moment.
    phase: f64,
}

impl Pace {
    /// A pace whose first line is due one interval after the start.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, phase: 1.0 }
    }

    /// The pace of the emitter that `settings` describe. Its phase follows from its name, so that the containers of a
    /// group do not write in step.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let phase = f64::from(crc32fast::hash(settings.emitter.as_bytes())) / f64::from(u32::MAX);
        Self::new(settings.lines_per_second).with_phase(phase)
    }

    /// The same pace with its first line due `phase` (0 to 1) of an interval after the start.
    #[must_use]
    pub fn with_phase(self, phase: f64) -> Self {
        Self {
            phase: phase.clamp(0.0, 1.0),
            ..self
        }
    }

    /// How many lines should have been written by `elapsed`; `u64::MAX` for `max`.
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

    /// When the line after the first `written` is due; `None` if never.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 lines are never written")]
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
    fn twenty_a_second_are_twenty_a_second() {
        let pace = Pace::new(Rate::PerSecond(20.0));
        assert_eq!(pace.due(Duration::ZERO), 0);
        assert_eq!(pace.due(Duration::from_millis(50)), 1);
        assert_eq!(pace.due(Duration::from_secs(60)), 1200);
        assert_eq!(pace.next_due(1), Some(Duration::from_millis(100)));
    }

    #[test]
    fn idle_never_writes_and_max_always_may() {
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
        fn a_line_is_due_when_it_says_so(rate in 0.01f64..1e5, phase in 0.0f64..1.0, written in 0u64..100_000) {
            let pace = Pace::new(Rate::PerSecond(rate)).with_phase(phase);
            let at = pace.next_due(written).expect("not idle");
            prop_assert!(pace.due(at + Duration::from_nanos(2)) > written);
        }
    }
}
