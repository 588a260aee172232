//! Hits of each fault. A fault without hits tests nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of hits, one for each fault of a script.
#[derive(Debug)]
pub(crate) struct HitCounter {
    counts: Box<[AtomicU64]>,
}

impl HitCounter {
    /// Creates zero counters for `faults` faults.
    pub(crate) fn new(faults: usize) -> Self {
        Self {
            counts: std::iter::repeat_with(AtomicU64::default).take(faults).collect(),
        }
    }

    /// Counts one hit of a fault.
    pub(crate) fn hit(&self, index: usize) {
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the hits of a fault so far.
    pub(crate) fn hits(&self, index: usize) -> u64 {
        self.counts.get(index).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
