//! The log of one container: its output with times and streams, bounded in size.
//!
//! The bounds are those of Docker's json-file driver (`max-size`, `max-file`): a full file is followed by
//! a new one, and the oldest is dropped. In memory a file is a list of small segments. If all logs together exceed the
//! budget, the oldest segments are dropped one by one.

mod budget;
mod read;
mod segment;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leakcheck_model::stamp::Stream;

pub(crate) use budget::Budget;
pub(crate) use read::{Progress, Reader, Select};
use segment::{SEGMENT_SIZE, Segment};

use crate::clock::Nanos;

/// Longest entry; longer lines are split. Docker's copier reads 16 KiB at a time (moby, `daemon/logger/copier.go`).
const MAX_ENTRY: usize = 16 << 10;

/// Bound of a log without `max-size`: sixteen files of 1 MiB, so that one dropped file is a small part.
const DEFAULT_FILE: u64 = 1 << 20;
const DEFAULT_FILES: usize = 16;

/// Largest backlog of a reader before a `max` writer waits: half of a log without `max-size`.
const MAX_BACKLOG: u64 = DEFAULT_FILE * DEFAULT_FILES as u64 / 2;

/// The retention of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Size at which a new file begins.
    pub(crate) file: u64,
    /// Number of files that are kept.
    pub(crate) files: usize,
    /// True if the container was created with these bounds. Otherwise they are defaults, and dropped lines are counted.
    pub(crate) configured: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            file: DEFAULT_FILE,
            files: DEFAULT_FILES,
            configured: false,
        }
    }
}

/// A container's log.
#[derive(Debug)]
pub(crate) struct Log {
    files: Arc<Mutex<Files>>,
    retention: Retention,
    budget: Arc<Budget>,
    /// Id of this log in the budget.
    number: u64,
}

#[derive(Debug, Default)]
struct Files {
    segments: std::collections::VecDeque<Segment>,
    /// Bytes in all segments.
    held: u64,
    /// Bytes that were not yet added to the budget.
    uncounted: u64,
    /// Number of the current file, from 0, and its size in json-file's format.
    file: u64,
    json_bytes: u64,
    /// Position after the last entry: the number of bytes ever written.
    end: u64,
    /// Time of the last line. The next one is later, so that times are unique.
    last: Nanos,
    /// Positions of the followers, for writers that wait for them.
    followers: Vec<(u64, u64)>,
    next_follower: u64,
}

impl Log {
    pub(crate) fn new(retention: Retention, budget: &Arc<Budget>) -> Self {
        let files = Arc::default();
        Self {
            number: budget.register(&files),
            files,
            retention,
            budget: Arc::clone(budget),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.files)
    }

    /// Appends output of one stream: lines, of which the last may have no newline.
    pub(crate) fn append(&self, stream: Stream, bytes: &[u8], now: Nanos) {
        let mut files = self.files();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
            rest = after;
            // As in Docker, all pieces of a line have the same time.
            let at = now.max(files.last + 1);
            files.last = at;
            let (text, newline) = line.strip_suffix(b"\n").map_or((line, false), |text| (text, true));
            // As in Docker's copier, a newline after a full piece becomes a separate entry.
            let pieces = if newline {
                text.len() / MAX_ENTRY + 1
            } else {
                text.len().div_ceil(MAX_ENTRY)
            };
            for piece in 0..pieces {
                let part = &text[piece * MAX_ENTRY..text.len().min((piece + 1) * MAX_ENTRY)];
                let ends = newline && piece + 1 == pieces;
                self.push(&mut files, stream, at, part, ends);
            }
        }
        self.count(&mut files);
        drop(files);
        self.budget.enforce();
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
            .segments
            .back()
            .is_none_or(|segment| segment.file != file || segment.len() >= SEGMENT_SIZE as u64)
        {
            if let Some(full) = files.segments.back_mut() {
                full.seal();
            }
            files.segments.push_back(Segment::starting_at(end, file));
        }
        if let Some(segment) = files.segments.back_mut() {
            let added = segment.push(stream, at, part, newline);
            files.end += added.bytes;
            files.held += added.bytes;
            files.json_bytes += added.json_bytes;
            files.uncounted += added.bytes;
        }
    }

    /// Reports the growth to the shared budget, once for many lines.
    fn count(&self, files: &mut Files) {
        self.budget.add(std::mem::take(&mut files.uncounted));
    }

    /// Drops the oldest files beyond `max-file`.
    fn drop_files(&self, files: &mut Files) {
        let kept = self.retention.files as u64;
        while files
            .segments
            .front()
            .is_some_and(|first| first.file + kept <= files.file)
        {
            if !self.retention.configured {
                self.budget.drop_oldest_segment(files);
            } else if let Some(gone) = files.segments.pop_front() {
                files.held -= gone.len();
                self.budget.release(gone.len());
            }
        }
    }

    /// Returns the bytes that the slowest follower has not read; `None` without followers.
    pub(crate) fn backlog(&self) -> Option<u64> {
        let files = self.files();
        let slowest = files.followers.iter().map(|(_, position)| *position).min()?;
        Some(files.end.saturating_sub(slowest))
    }

    /// Returns the largest backlog of the slowest follower at which no line is dropped.
    pub(crate) fn max_backlog(&self) -> u64 {
        let own = self.retention.file.saturating_mul(self.retention.files as u64) / 2;
        own.min(MAX_BACKLOG).min(self.budget.max_backlog())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.budget.unregister(self.number);
        // The budget may still hold a reference: it has shortened this log already, or finds it empty.
        let mut files = self.files();
        self.budget.release(std::mem::take(&mut files.held));
        files.segments.clear();
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    // Every change keeps the segments consistent, so a panic elsewhere does no harm.
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
