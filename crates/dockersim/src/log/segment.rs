//! A piece of one file of a log: entries back to back in one buffer.

use leakcheck_model::stamp::Stream;

use crate::clock::Nanos;

/// Size of a segment, the unit in which memory is released: four entries of maximum length.
pub(super) const SEGMENT_SIZE: usize = 64 << 10;

/// Bytes before the text of an entry: time (8), length (4), stream and newline (1).
pub(super) const ENTRY_HEADER: usize = 13;

const STDERR: u8 = 1;
const NEWLINE: u8 = 2;

/// Bytes that json-file adds to a line: `{"log":"…\n","stream":"stdout","time":"2026-…Z"}` and a newline.
const JSON_OVERHEAD: u64 = 77;

/// A piece of one file of a log.
#[derive(Debug)]
pub(super) struct Segment {
    /// Position of its first byte among all bytes ever written.
    pub(super) base: u64,
    /// Number of the file that contains it.
    pub(super) file: u64,
    bytes: Vec<u8>,
    pub(super) entries: usize,
    /// Time of its last entry.
    pub(super) last: Nanos,
}

/// The bytes that an entry added to a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddedBytes {
    /// In memory.
    pub(super) bytes: u64,
    /// In json-file's format.
    pub(super) json_bytes: u64,
}

/// One entry: a line, or a piece of a long one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) at: Nanos,
    pub(super) stream: Stream,
    pub(super) text: &'a [u8],
    pub(super) newline: bool,
}

impl Segment {
    pub(super) fn starting_at(base: u64, file: u64) -> Self {
        Self {
            base,
            file,
            bytes: Vec::new(),
            entries: 0,
            last: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Frees spare capacity; nothing more will be appended.
    pub(super) fn seal(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Returns the number of entries that begin at `position` or later.
    pub(super) fn entries_from(&self, position: u64) -> u64 {
        let (mut at, mut before) = (self.base, 0);
        while at < position
            && let Some((_, next)) = self.entry(at)
        {
            at = next;
            before += 1;
        }
        self.entries as u64 - before
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, stream: Stream, at: Nanos, text: &[u8], newline: bool) -> AddedBytes {
        let flags = if stream == Stream::Stderr { STDERR } else { 0 } | if newline { NEWLINE } else { 0 };
        let (len, more) = (self.bytes.len(), ENTRY_HEADER + text.len());
        // Capacity doubles as needed; the last growth is exact, so that a full segment has no spare capacity.
        if len >= SEGMENT_SIZE / 2 && self.bytes.capacity() - len < more {
            self.bytes.reserve_exact(SEGMENT_SIZE.saturating_sub(len) + more);
        }
        self.bytes.extend_from_slice(&at.to_le_bytes());
        self.bytes
            .extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.push(flags);
        self.bytes.extend_from_slice(text);
        self.entries += 1;
        self.last = at;
        AddedBytes {
            bytes: more as u64,
            json_bytes: JSON_OVERHEAD + text.len() as u64,
        }
    }

    /// Returns the entry at `position`, and the position after it.
    pub(super) fn entry(&self, position: u64) -> Option<(Entry<'_>, u64)> {
        let offset = usize::try_from(position.checked_sub(self.base)?).ok()?;
        let head: &[u8; ENTRY_HEADER] = self.bytes.get(offset..offset + ENTRY_HEADER)?.try_into().ok()?;
        let [t0, t1, t2, t3, t4, t5, t6, t7, l0, l1, l2, l3, flags] = *head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let start = offset + ENTRY_HEADER;
        let entry = Entry {
            at: Nanos::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            stream: if flags & STDERR == 0 {
                Stream::Stdout
            } else {
                Stream::Stderr
            },
            text: self.bytes.get(start..start + length)?,
            newline: flags & NEWLINE != 0,
        };
        Some((entry, position + (ENTRY_HEADER + length) as u64))
    }

    pub(super) fn end(&self) -> u64 {
        self.base + self.len()
    }
}
