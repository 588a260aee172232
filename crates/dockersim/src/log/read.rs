//! Reading a log for `/containers/{id}/logs`: selection, frames and timestamps.

use std::sync::Arc;

use leakcheck_model::stamp::Stream;

use super::Files;
use super::segment::{Entry, Segment};
use crate::clock::{Nanos, Stamper};
use crate::container::Container;
use crate::http::push_chunk;

/// The requested part and format of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Select {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) since: Option<Nanos>,
    pub(crate) until: Option<Nanos>,
    pub(crate) timestamps: bool,
    /// The prefix of each line for `details`: labels and variables that the log options name.
    pub(crate) details: Option<String>,
    /// Number of last entries to return. As in Docker, they are counted before other selections.
    pub(crate) tail: Option<usize>,
    /// True for a terminal, whose stream has no frames.
    pub(crate) raw: bool,
    /// True for attached and HTTP/1.0 clients, which get no chunks.
    pub(crate) unchunked: bool,
}

/// The progress of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There are more entries.
    More,
    /// All entries were read.
    CaughtUp,
    /// The requested part ends here.
    Ended,
}

/// A position in a container's log. It is registered as a follower until it is dropped.
pub(crate) struct Reader {
    container: Arc<Container>,
    number: u64,
    position: u64,
    stamper: Stamper,
}

impl Reader {
    /// Makes a reader at the first entry that `select` requests.
    pub(crate) fn new(container: Arc<Container>, select: &Select) -> Self {
        let mut files = container.log.files();
        let position = files.start(select);
        let number = files.next_follower;
        files.next_follower += 1;
        files.followers.push((number, position));
        drop(files);
        Self {
            container,
            number,
            position,
            stamper: Stamper::default(),
        }
    }

    /// Skips all entries so far.
    pub(crate) fn skip_to_end(&mut self) {
        self.position = self.container.log.files().end;
    }

    /// Appends the chunks of the next entries to `out` until it has grown by about `enough` bytes.
    pub(crate) fn read(&mut self, select: &Select, out: &mut Vec<u8>, enough: usize) -> Progress {
        let container = Arc::clone(&self.container);
        let mut files = container.log.files();
        let progress = self.copy(&files, select, out, enough);
        if let Some(follower) = files.followers.iter_mut().find(|(number, _)| *number == self.number) {
            follower.1 = self.position;
        }
        progress
    }

    fn copy(&mut self, files: &Files, select: &Select, out: &mut Vec<u8>, enough: usize) -> Progress {
        let Some(first) = files.segments.front() else {
            self.position = files.end;
            return Progress::CaughtUp;
        };
        // Entries that were dropped before they were read are lost, as with json-file.
        self.position = self.position.max(first.base);
        let from = files.segments.partition_point(|segment| segment.end() <= self.position);
        for segment in files.segments.iter().skip(from) {
            if select.since.is_some_and(|since| segment.last < since) {
                self.position = segment.end();
                continue;
            }
            while let Some((entry, next)) = segment.entry(self.position) {
                if select.until.is_some_and(|until| entry.at > until) {
                    return Progress::Ended;
                }
                self.position = next;
                if select.matches(&entry) {
                    self.push(&entry, select, out);
                }
                if out.len() >= enough {
                    return Progress::More;
                }
            }
        }
        Progress::CaughtUp
    }

    /// Appends an entry as one chunk, because Docker flushes after each entry.
    fn push(&mut self, entry: &Entry<'_>, select: &Select, out: &mut Vec<u8>) {
        let stamp = if select.timestamps {
            "2026-11-22T20:44:57.805680171Z ".len()
        } else {
            0
        };
        let details = select.details.as_ref().map_or(0, |details| details.len() + 1);
        let payload = stamp + details + entry.text.len() + usize::from(entry.newline);
        let frame = if select.raw { 0 } else { 8 };
        let mut fill = |out: &mut Vec<u8>| {
            if !select.raw {
                let stream = if entry.stream == Stream::Stdout { 1 } else { 2 };
                out.extend_from_slice(&[stream, 0, 0, 0]);
                out.extend_from_slice(&u32::try_from(payload).unwrap_or(u32::MAX).to_be_bytes());
            }
            if select.timestamps {
                self.stamper.write(out, entry.at);
                out.push(b' ');
            }
            if let Some(details) = &select.details {
                out.extend_from_slice(details.as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(entry.text);
            if entry.newline {
                out.push(b'\n');
            }
        };
        if select.unchunked {
            fill(out);
        } else {
            push_chunk(out, frame + payload, fill);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.container
            .log
            .files()
            .followers
            .retain(|(number, _)| *number != self.number);
    }
}

impl Select {
    fn matches(&self, entry: &Entry<'_>) -> bool {
        let stream = match entry.stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        };
        stream && self.since.is_none_or(|since| entry.at >= since)
    }
}

impl Files {
    /// Returns the start position: the first entry, or the one that leaves `tail` entries.
    fn start(&self, select: &Select) -> u64 {
        let Some(mut left) = select.tail else { return 0 };
        let mut from = self.end;
        for segment in self.segments.iter().rev() {
            if segment.entries > left {
                return after(segment, segment.entries - left);
            }
            left -= segment.entries;
            from = segment.base;
        }
        from
    }
}

/// Returns the position after the first `count` entries of a segment.
fn after(segment: &Segment, count: usize) -> u64 {
    (0..count).fold(segment.base, |position, _| {
        segment.entry(position).map_or(position, |(_, next)| next)
    })
}
