//! What each fault struck: one that struck nothing has tested nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts for each fault of a plan.
#[derive(Debug)]
pub(crate) struct Tally {
    struck: Box<[AtomicU64]>,
}

impl Tally {
    /// For so many faults, none of which has struck yet.
    pub(crate) fn new(faults: usize) -> Self {
        Self {
            struck: std::iter::repeat_with(AtomicU64::default).take(faults).collect(),
        }
    }

    /// The fault has struck once more.
    pub(crate) fn strike(&self, index: usize) {
        if let Some(struck) = self.struck.get(index) {
            struck.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many times it has struck.
    pub(crate) fn of(&self, index: usize) -> u64 {
        self.struck
            .get(index)
            .map_or(0, |struck| struck.load(Ordering::Relaxed))
    }
}
