//! One container's log: what it wrote, with time and stream, as long as there is room for it.
//!
//! The bounds are those of Docker's json-file driver (`max-size`, `max-file`): the log is a row of files, a file that is
//! full is followed by a new one, and the oldest is dropped. Memory grows with what is written.

mod read;
mod segment;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leakcheck_model::stamp::Stream;

pub(crate) use read::{Progress, Reader, Select};
use segment::Segment;

use crate::clock::Nanos;

/// What a line longer than this is split into: Docker's copier reads 16 KiB at a time (moby, `daemon/logger/copier.go`).
const PIECE: usize = 16 << 10;

/// What a log without `max-size` is bounded to: sixteen files of 1 MiB, so that little is lost when the oldest goes.
const DEFAULT_FILE: u64 = 1 << 20;
const DEFAULT_FILES: usize = 16;

/// Bytes that all logs hold together, and how many they may.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicU64::new(0),
            limit,
        })
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// A file's size at which the next begins.
    pub(crate) file: u64,
    /// How many files are kept.
    pub(crate) files: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            file: DEFAULT_FILE,
            files: DEFAULT_FILES,
        }
    }
}

/// A container's log.
#[derive(Debug)]
pub(crate) struct Log {
    files: Mutex<Files>,
    retention: Retention,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Files {
    row: std::collections::VecDeque<Segment>,
    /// Position after the last entry: bytes ever written.
    end: u64,
    /// Time of the last entry; the next is later, so that every line has a time of its own.
    last: Nanos,
    /// Where each follower is, for those writers that wait for their readers.
    followers: Vec<(u64, u64)>,
    next_follower: u64,
}

impl Log {
    pub(crate) fn new(retention: Retention, budget: &Arc<Budget>) -> Self {
        Self {
            files: Mutex::default(),
            retention,
            budget: Arc::clone(budget),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // Every change leaves the row whole, so a panic elsewhere does not spoil it.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what a process wrote to one stream: whole lines and perhaps a last one without a newline.
    pub(crate) fn append(&self, stream: Stream, bytes: &[u8], now: Nanos) {
        let mut files = self.files();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // All pieces of a line have the same time, as Docker's have.
            let at = now.max(files.last + 1);
            files.last = at;
            let (text, newline) = line.strip_suffix(b"\n").map_or((line, false), |text| (text, true));
            // A newline that comes after a full piece gets an entry of its own, as the copier's buffer makes it.
            let pieces = if newline {
                text.len() / PIECE + 1
            } else {
                text.len().div_ceil(PIECE)
            };
            for piece in 0..pieces {
                let part = &text[piece * PIECE..text.len().min((piece + 1) * PIECE)];
                let ends = newline && piece + 1 == pieces;
                self.push(&mut files, stream, at, part, ends);
            }
        }
    }

    fn push(&self, files: &mut Files, stream: Stream, at: Nanos, part: &[u8], newline: bool) {
        if files
            .row
            .back()
            .is_none_or(|segment| segment.json_bytes() >= self.retention.file)
        {
            let end = files.end;
            files.row.push_back(Segment::starting_at(end));
            let over_budget = self.budget.held() > self.budget.limit;
            while files.row.len() > self.retention.files || (over_budget && files.row.len() > 2) {
                let dropped = files.row.pop_front().map_or(0, |segment| segment.len());
                self.budget.held.fetch_sub(dropped, Ordering::Relaxed);
                if over_budget {
                    break;
                }
            }
        }
        if let Some(segment) = files.row.back_mut() {
            let grown = segment.push(stream, at, part, newline);
            files.end += grown;
            self.budget.held.fetch_add(grown, Ordering::Relaxed);
        }
    }

    /// How many bytes the slowest follower has still to read; `None` without followers.
    pub(crate) fn behind(&self) -> Option<u64> {
        let files = self.files();
        let slowest = files.followers.iter().map(|(_, position)| *position).min()?;
        Some(files.end.saturating_sub(slowest))
    }

    /// How much this log keeps at most, roughly.
    pub(crate) fn capacity(&self) -> u64 {
        self.retention.file * self.retention.files as u64
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let held: u64 = self.files().row.iter().map(Segment::len).sum();
        self.budget.held.fetch_sub(held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
