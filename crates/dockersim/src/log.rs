//! The log of one container: its output with time and stream, within bounds.
//!
//! The bounds are those of Docker's json-file driver (`max-size`, `max-file`): the log is a row of files, a file that is
//! full is followed by a new one, and the oldest is dropped. In memory a file is a row of small segments, so that a log
//! without bounds of its own can be shortened piece by piece when all logs together are too long.

mod budget;
mod read;
mod segment;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leakcheck_model::stamp::Stream;

pub(crate) use budget::Budget;
pub(crate) use read::{Progress, Reader, Select};
use segment::{SEGMENT, Segment};

use crate::clock::Nanos;

/// Longest entry; longer lines are split. Docker's copier reads 16 KiB at a time (moby, `daemon/logger/copier.go`).
const PIECE: usize = 16 << 10;

/// Bound of a log without `max-size`: sixteen files of 1 MiB, so that little is lost with the oldest.
const DEFAULT_FILE: u64 = 1 << 20;
const DEFAULT_FILES: usize = 16;

/// Bytes by which a `max` writer may be ahead of its readers: half of a log without `max-size`.
const AHEAD: u64 = DEFAULT_FILE * DEFAULT_FILES as u64 / 2;

/// The retention of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// A file's size at which the next begins.
    pub(crate) file: u64,
    /// Number of files that are kept.
    pub(crate) files: usize,
    /// True if the container was created with these bounds. Otherwise dropped lines are counted.
    pub(crate) asked: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            file: DEFAULT_FILE,
            files: DEFAULT_FILES,
            asked: false,
        }
    }
}

/// A container's log.
#[derive(Debug)]
pub(crate) struct Log {
    files: Arc<Mutex<Files>>,
    retention: Retention,
    budget: Arc<Budget>,
    /// By which the budget knows it.
    number: u64,
}

#[derive(Debug, Default)]
struct Files {
    row: std::collections::VecDeque<Segment>,
    /// Bytes of the segments in the row.
    held: u64,
    /// Those of them that the budget does not know of yet.
    uncounted: u64,
    /// The file that is written to, counted from 0, and its size as json-file has it.
    file: u64,
    json_bytes: u64,
    /// Position after the last entry: bytes ever written.
    end: u64,
    /// Time of the last entry; the next is later, so that every line has a time of its own.
    last: Nanos,
    /// Positions of the followers, for writers that wait for them.
    followers: Vec<(u64, u64)>,
    next_follower: u64,
}

impl Log {
    pub(crate) fn new(retention: Retention, budget: &Arc<Budget>) -> Self {
        let files = Arc::default();
        Self {
            number: budget.enter(&files),
            files,
            retention,
            budget: Arc::clone(budget),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.files)
    }

    /// Appends what a process wrote to one stream: whole lines and perhaps a last one without a newline.
    pub(crate) fn append(&self, stream: Stream, bytes: &[u8], now: Nanos) {
        let mut files = self.files();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
            rest = after;
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
        self.count(&mut files);
        drop(files);
        self.budget.keep();
    }

    fn push(&self, files: &mut Files, stream: Stream, at: Nanos, part: &[u8], newline: bool) {
        if files.json_bytes >= self.retention.file {
            files.file += 1;
            files.json_bytes = 0;
            self.count(files);
            self.drop_files(files);
        }
        let (file, end) = (files.file, files.end);
        if files
            .row
            .back()
            .is_none_or(|segment| segment.file != file || segment.len() >= SEGMENT as u64)
        {
            if let Some(full) = files.row.back_mut() {
                full.seal();
            }
            files.row.push_back(Segment::starting_at(end, file));
        }
        if let Some(segment) = files.row.back_mut() {
            let grown = segment.push(stream, at, part, newline);
            files.end += grown.bytes;
            files.held += grown.bytes;
            files.json_bytes += grown.json_bytes;
            files.uncounted += grown.bytes;
        }
    }

    /// Reports the growth to the shared budget, once for many lines.
    fn count(&self, files: &mut Files) {
        self.budget.grew(std::mem::take(&mut files.uncounted));
    }

    /// Drops the files that are too many.
    fn drop_files(&self, files: &mut Files) {
        let kept = self.retention.files as u64;
        while files.row.front().is_some_and(|first| first.file + kept <= files.file) {
            if !self.retention.asked {
                self.budget.drop_first(files);
            } else if let Some(gone) = files.row.pop_front() {
                files.held -= gone.len();
                self.budget.shrank(gone.len());
            }
        }
    }

    /// Returns the bytes that the slowest follower has not read; `None` without followers.
    pub(crate) fn behind(&self) -> Option<u64> {
        let files = self.files();
        let slowest = files.followers.iter().map(|(_, position)| *position).min()?;
        Some(files.end.saturating_sub(slowest))
    }

    /// Returns the bytes by which a writer may be ahead of the slowest follower without loss.
    pub(crate) fn room_ahead(&self) -> u64 {
        let own = self.retention.file.saturating_mul(self.retention.files as u64) / 2;
        own.min(AHEAD).min(self.budget.share())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.budget.leave(self.number);
        // Nobody shortens it any more: what the budget has in hand it has emptied or will find empty.
        let mut files = self.files();
        self.budget.shrank(std::mem::take(&mut files.held));
        files.row.clear();
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    // Every change leaves the row whole, so a panic elsewhere does not spoil it.
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
