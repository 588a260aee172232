//! Lines on their way to the sink: those of one container that one read brought, in one piece of memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::assemble::Line;
use crate::frame::Stream;
use crate::ndjson;
use crate::seam::Position;
use crate::timestamp::Timestamp;

/// Whose lines they are.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The part of a record that all lines of the container share, made once.
    pub(crate) record_part: Vec<u8>,
    /// The first timestamp of each chunk of it that is not delivered yet, in order.
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

    /// The timestamp of the oldest line that was taken from the container and not delivered.
    pub(crate) fn oldest_undelivered(&self) -> Option<Timestamp> {
        self.undelivered().front().copied()
    }

    fn undelivered(&self) -> MutexGuard<'_, VecDeque<Timestamp>> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first twelve digits of the id, as people write it.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// A chunk that was taken from its container and not delivered yet; delivered, or given up, when dropped.
#[derive(Debug)]
pub(crate) struct Undelivered(Arc<Identity>);

impl Drop for Undelivered {
    fn drop(&mut self) {
        let mut waiting = self.0.undelivered();
        waiting.pop_front();
        if waiting.is_empty() {
            // What a stalled sink made it grow to is not kept for each container.
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

/// Some lines of one container, in order, and where its delivered lines end after them.
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

    /// Makes room for the lines of a read of `bytes` bytes.
    pub(crate) fn expect(&mut self, bytes: usize) {
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

    /// Takes note that its lines are taken and not delivered, until what this returns is dropped. The chunks of one
    /// container are delivered in the order in which they were taken.
    pub(crate) fn taken(&self) -> Option<Undelivered> {
        let first = self.entries.first()?;
        self.container.undelivered().push_back(first.time);
        Some(Undelivered(Arc::clone(&self.container)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of text.
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
