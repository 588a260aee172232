//! The shared memory budget of all logs. The longest logs are shortened first, so quiet containers keep their lines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Files, lock};

/// Part of the budget that is released at once (1/16), because finding the longest logs reads all lengths.
const RELEASE_DIVISOR: u64 = 16;

/// The logs of an engine by number.
type Logs = BTreeMap<u64, Weak<Mutex<Files>>>;

/// The bytes that all logs hold together, and their limit.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    limit: u64,
    /// Lines that were dropped although the container's own `max-size` would have kept them.
    dropped: AtomicU64,
    /// Dropped lines that a follower had not read.
    unread: AtomicU64,
    next: AtomicU64,
    /// Each log unregisters itself when it is dropped.
    logs: Mutex<Logs>,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicU64::new(0),
            limit,
            dropped: AtomicU64::new(0),
            unread: AtomicU64::new(0),
            next: AtomicU64::new(0),
            logs: Mutex::default(),
        })
    }

    /// Returns the bytes held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns the number of lines that were dropped although their container's bounds would have kept them, and how many of
    /// these a follower had not read.
    pub(crate) fn dropped(&self) -> (u64, u64) {
        (
            self.dropped.load(Ordering::Relaxed),
            self.unread.load(Ordering::Relaxed),
        )
    }

    /// Returns the largest backlog of one log: an eighth of the limit, because other logs grow too.
    pub(super) fn max_backlog(&self) -> u64 {
        self.limit / 8
    }

    pub(super) fn register(&self, files: &Arc<Mutex<Files>>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.logs().insert(number, Arc::downgrade(files));
        number
    }

    pub(super) fn unregister(&self, number: u64) {
        self.logs().remove(&number);
    }

    fn logs(&self) -> std::sync::MutexGuard<'_, Logs> {
        // Each change is one insertion or removal.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Drops the oldest segment of a log and counts its lines.
    pub(super) fn drop_oldest_segment(&self, files: &mut Files) {
        let Some(gone) = files.segments.pop_front() else { return };
        files.held -= gone.len();
        self.release(gone.len());
        let slowest = files.followers.iter().map(|(_, position)| *position).min();
        let unread = slowest.map_or(0, |position| gone.entries_from(position));
        let before = self.dropped.fetch_add(gone.entries as u64, Ordering::Relaxed);
        let missed = self.unread.fetch_add(unread, Ordering::Relaxed);
        if before == 0 {
            tracing::warn!("logs exceed the bounds of the simulated engine: the oldest lines are dropped");
        }
        if missed == 0 && unread > 0 {
            tracing::warn!("lines were dropped before a client that follows the log had read them");
        }
    }

    /// Drops the oldest segments of the longest logs until the budget is met. The caller must hold no log's lock.
    pub(super) fn enforce(&self) {
        if self.held() <= self.limit {
            return;
        }
        let wanted = self.limit - self.limit / RELEASE_DIVISOR;
        let logs: Vec<Arc<Mutex<Files>>> = self.logs().values().filter_map(Weak::upgrade).collect();
        let with_length = |files: Arc<Mutex<Files>>| {
            let held = lock(&files).held;
            (held, files)
        };
        let mut by_length: Vec<(u64, Arc<Mutex<Files>>)> = logs.into_iter().map(with_length).collect();
        by_length.sort_by_key(|(held, _)| std::cmp::Reverse(*held));
        let lengths: Vec<u64> = by_length.iter().map(|(held, _)| *held).collect();
        let (longest, length) = shortening(&lengths, self.held().saturating_sub(wanted));
        for (_, files) in &by_length[..longest] {
            let mut files = lock(files);
            while files.held > length && self.held() > wanted {
                self.drop_oldest_segment(&mut files);
            }
        }
    }
}

/// Returns the number of longest logs to shorten, and their new length, to release `excess` bytes. `lengths` descend.
fn shortening(lengths: &[u64], excess: u64) -> (usize, u64) {
    let mut together = 0;
    for (at, length) in lengths.iter().enumerate() {
        together += length;
        let next = lengths.get(at + 1).copied().unwrap_or(0);
        let many = at as u64 + 1;
        if let Some(left) = together.checked_sub(excess)
            && left >= next * many
        {
            return (at + 1, left / many);
        }
    }
    (lengths.len(), 0)
}

#[cfg(test)]
mod tests {
    use super::shortening;

    #[test]
    fn the_longest_logs_are_shortened_to_the_same_length() {
        assert_eq!(shortening(&[100, 10, 10], 50), (1, 50));
        assert_eq!(shortening(&[100, 60, 10], 60), (2, 50));
        assert_eq!(shortening(&[30, 30, 30], 45), (3, 15));
        assert_eq!(shortening(&[30, 30, 30], 900), (3, 0));
        assert_eq!(shortening(&[], 1), (0, 0));
    }
}
