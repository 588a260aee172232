//! Lines on their way to the sink: those of one container that one read brought, in one piece of memory.

use std::sync::Arc;

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
}

impl Identity {
    pub(crate) fn new(id: String, name: String) -> Self {
        let record_part = ndjson::identity_part(&id, &name);
        Self { id, name, record_part }
    }

    /// The first twelve digits of the id, as people write it.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
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
