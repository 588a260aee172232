//! Chunks: the lines of one container that one read brought, in one allocation, on their way to the sink.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assemble::Line;
use crate::frame::Stream;
use crate::ndjson;
use crate::resume::Position;
use crate::timestamp::Timestamp;

/// The identity of a container.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The part of a record that all lines of the container share.
    pub(crate) record_part: Vec<u8>,
    /// The first timestamp of each undelivered chunk, in order.
    undelivered: Mutex<VecDeque<Timestamp>>,
}

impl Identity {
    pub(crate) fn new(id: String, name: String) -> Self {
        let record_part = ndjson::identity_part(&id, &name);
        Self {
            id,
            name,
            record_part,
            undelivered: Mutex::default(),
        }
    }

    /// Returns the timestamp of the oldest line that was read and not delivered.
    pub(crate) fn oldest_undelivered(&self) -> Option<Timestamp> {
        self.undelivered().front().copied()
    }

    fn undelivered(&self) -> MutexGuard<'_, VecDeque<Timestamp>> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the first twelve digits of the id, as `docker ps` does.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// A guard that counts a chunk as undelivered until it is dropped.
#[derive(Debug)]
pub(crate) struct UndeliveredGuard(Arc<Identity>);

impl Drop for UndeliveredGuard {
    fn drop(&mut self) {
        let mut waiting = self.0.undelivered();
        waiting.pop_front();
        if waiting.is_empty() {
            // The capacity after a stalled sink is not kept per container.
            *waiting = VecDeque::new();
        }
    }
}

/// One line of a [`Chunk`], without its text.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Timestamp,
    end: u32,
    pieces: u32,
    stream: Stream,
    partial: bool,
}

/// Consecutive lines of one container, and the position behind them.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) container: Arc<Identity>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    pub(crate) after: Position,
}

impl Chunk {
    pub(crate) fn new(container: Arc<Identity>, after: Position) -> Self {
        Self {
            container,
            text: Vec::new(),
            entries: Vec::new(),
            after,
        }
    }

    /// Reserves memory for the lines of a read of `bytes` bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes);
    }

    pub(crate) fn push(&mut self, line: &Line<'_>) {
        self.text.extend_from_slice(line.text);
        self.entries.push(Entry {
            time: line.time,
            end: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
            pieces: line.pieces,
            stream: line.stream,
            partial: line.partial,
        });
    }

    /// Counts the chunk as undelivered until the guard is dropped. The chunks of one container are delivered in the order of
    /// these calls.
    pub(crate) fn track_delivery(&self) -> Option<UndeliveredGuard> {
        let first = self.entries.first()?;
        self.container.undelivered().push_back(first.time);
        Some(UndeliveredGuard(Arc::clone(&self.container)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of bytes of text.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn line_count(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|entry| entry.end as usize));
        self.entries.iter().zip(starts).map(|(entry, start)| Line {
            stream: entry.stream,
            time: entry.time,
            text: &self.text[start..entry.end as usize],
            partial: entry.partial,
            pieces: entry.pieces,
        })
    }
}
