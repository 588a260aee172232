//! What each fault struck: one that struck nothing has tested nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts for each fault of a plan.
#[derive(Debug)]
pub(crate) struct Tally {
    struck: Box<[AtomicU64]>,
    changed: Notify,
}

impl Tally {
    /// For so many faults, none of which has struck yet.
    pub(crate) fn new(faults: usize) -> Self {
        Self {
            struck: std::iter::repeat_with(AtomicU64::default).take(faults).collect(),
            changed: Notify::new(),
        }
    }

    /// The fault has struck once more.
    pub(crate) fn strike(&self, index: usize) {
        self.add(index, 1);
        self.changed.notify_one();
    }

    /// It has struck so many more times elsewhere.
    pub(crate) fn add(&self, index: usize, times: u64) {
        if let Some(struck) = self.struck.get(index) {
            struck.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How many times it has struck.
    pub(crate) fn of(&self, index: usize) -> u64 {
        self.struck
            .get(index)
            .map_or(0, |struck| struck.load(Ordering::Relaxed))
    }

    /// Waits for a strike, then takes what came since the last time: times by fault.
    pub(crate) async fn news(&self) -> Vec<(usize, u64)> {
        self.changed.notified().await;
        let taken = self.struck.iter().map(|struck| struck.swap(0, Ordering::Relaxed));
        taken.enumerate().filter(|(_, times)| *times > 0).collect()
    }
}
