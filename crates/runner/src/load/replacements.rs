//! Counts of replaced containers, which decide whether the load was delivered.

use std::time::Duration;

/// Replacements of containers with a lifetime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replacements {
    due: u64,
    done: u64,
    errors: u64,
    last_error: String,
}

impl Replacements {
    /// Counts a failed call.
    pub(super) fn failed(&mut self, error: String) {
        self.errors += 1;
        self.last_error = error;
    }

    /// Counts the end of a replacement; `failing_for` is the time since its first error, in which further ones became due.
    pub(super) fn ended(&mut self, done: bool, failing_for: Duration, lifetime: Duration) {
        let missed = failing_for.as_nanos() / lifetime.as_nanos().max(1);
        self.due += 1 + u64::try_from(missed).unwrap_or(u64::MAX - 1);
        self.done += u64::from(done);
    }

    /// Describes the errors, if there were any.
    pub(crate) fn errors(&self) -> Option<String> {
        (self.errors > 0).then(|| {
            format!(
                "{} calls failed while containers were replaced; the last error: {}",
                self.errors, self.last_error
            )
        })
    }

    /// Describes the shortfall if less than the share `min_done` of the due replacements was done because of errors.
    #[expect(clippy::cast_precision_loss, reason = "replacements are far fewer than 2^53")]
    pub(crate) fn shortfall(&self, min_done: f64) -> Option<String> {
        let is_short = self.errors > 0 && (self.done as f64) < min_done * self.due as f64;
        is_short.then(|| {
            format!(
                "{} of {} containers were replaced at the end of their lifetime; the last error: {}",
                self.done, self.due, self.last_error
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_error_is_no_shortfall_and_lasting_ones_are() {
        let mut replacements = Replacements::default();
        for _ in 0..10 {
            replacements.ended(true, Duration::ZERO, SECOND);
        }
        assert_eq!((replacements.errors(), replacements.shortfall(0.8)), (None, None));
        // Given one error that a retry mends
        replacements.failed("HTTP 500".into());
        replacements.ended(true, SECOND / 2, SECOND);
        assert!(replacements.errors().is_some_and(|m| m.contains("HTTP 500")));
        assert_eq!(replacements.shortfall(0.8), None);
        // Given an engine that refuses for the last nine lifetimes
        replacements.failed("HTTP 503".into());
        replacements.ended(false, 9 * SECOND, SECOND);
        assert!(replacements.shortfall(0.8).is_some_and(|m| m.contains("11 of 21")));
    }
}
