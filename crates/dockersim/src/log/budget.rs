//! The common memory budget of all logs. The longest logs are shortened first, so that a quiet container keeps its few lines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Files, lock};

/// Share of the budget that is released at a time (1/16), because finding the longest logs reads all lengths.
const AT_A_TIME: u64 = 16;

/// The logs of an engine by number.
type Logs = BTreeMap<u64, Weak<Mutex<Files>>>;

/// Bytes that all logs hold together, and how many they may.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    limit: u64,
    /// Lines that were given up though the container's own `max-size` would have kept them.
    dropped: AtomicU64,
    /// Those of them that a follower had not read yet.
    unread: AtomicU64,
    next: AtomicU64,
    /// A log takes itself out when it is dropped.
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

    /// Bytes held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Lines given up though their container's own bounds would have kept them, and those of them that a follower had not
    /// read yet.
    pub(crate) fn dropped(&self) -> (u64, u64) {
        (
            self.dropped.load(Ordering::Relaxed),
            self.unread.load(Ordering::Relaxed),
        )
    }

    /// Returns the bytes by which one log may be ahead of its readers: an eighth, because others write too.
    pub(super) fn share(&self) -> u64 {
        self.limit / 8
    }

    pub(super) fn enter(&self, files: &Arc<Mutex<Files>>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.logs().insert(number, Arc::downgrade(files));
        number
    }

    pub(super) fn leave(&self, number: u64) {
        self.logs().remove(&number);
    }

    fn logs(&self) -> std::sync::MutexGuard<'_, Logs> {
        // Each change is one insertion or removal.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grew(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn shrank(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Gives up the oldest file of a log.
    pub(super) fn drop_first(&self, files: &mut Files) {
        let Some(gone) = files.row.pop_front() else { return };
        files.held -= gone.len();
        self.shrank(gone.len());
        let slowest = files.followers.iter().map(|(_, position)| *position).min();
        let unread = slowest.map_or(0, |position| gone.entries_from(position));
        let before = self.dropped.fetch_add(gone.entries as u64, Ordering::Relaxed);
        let missed = self.unread.fetch_add(unread, Ordering::Relaxed);
        if before == 0 {
            tracing::warn!("a log is longer than the simulated engine keeps: its oldest lines are given up");
        }
        if missed == 0 && unread > 0 {
            tracing::warn!("lines were given up before a client that follows them had read them");
        }
    }

    /// Gives up the oldest of the longest logs until the budget is kept. No log may be locked by the caller.
    pub(super) fn keep(&self) {
        if self.held() <= self.limit {
            return;
        }
        let wanted = self.limit - self.limit / AT_A_TIME;
        let logs: Vec<Arc<Mutex<Files>>> = self.logs().values().filter_map(Weak::upgrade).collect();
        let with_length = |files: Arc<Mutex<Files>>| {
            let held = lock(&files).held;
            (held, files)
        };
        let mut by_length: Vec<(u64, Arc<Mutex<Files>>)> = logs.into_iter().map(with_length).collect();
        by_length.sort_by_key(|(held, _)| std::cmp::Reverse(*held));
        let lengths: Vec<u64> = by_length.iter().map(|(held, _)| *held).collect();
        let (longest, level) = level(&lengths, self.held().saturating_sub(wanted));
        for (_, files) in &by_length[..longest] {
            let mut files = lock(files);
            while files.held > level && self.held() > wanted {
                self.drop_first(&mut files);
            }
        }
    }
}

/// Returns how many of the longest logs are shortened, and to which length, to release `excess`. `lengths` descend.
fn level(lengths: &[u64], excess: u64) -> (usize, u64) {
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
    use super::level;

    #[test]
    fn the_longest_give_until_they_are_as_long_as_the_others() {
        assert_eq!(level(&[100, 10, 10], 50), (1, 50));
        assert_eq!(level(&[100, 60, 10], 60), (2, 50));
        assert_eq!(level(&[30, 30, 30], 45), (3, 15));
        assert_eq!(level(&[30, 30, 30], 900), (3, 0));
        assert_eq!(level(&[], 1), (0, 0));
    }
}
