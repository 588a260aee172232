//! Assembly of lines from frames: the pieces of a long line are joined, per output, up to a limit.
//!
//! An assembler belongs to one stream. Its content was not delivered when the stream ends, so the next stream of the container
//! reads it again.

use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, Stream};
use crate::timestamp::Timestamp;

/// A line, or a part of one that is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) stream: Stream,
    pub(crate) time: Timestamp,
    pub(crate) text: &'a [u8],
    /// More parts of the same line follow.
    pub(crate) partial: bool,
    /// The number of the engine's frames in it.
    pub(crate) pieces: u32,
}

/// The pieces of one unfinished line.
#[derive(Debug)]
struct Open {
    time: Timestamp,
    text: Vec<u8>,
    pieces: u32,
    since: Instant,
}

/// An assembler of lines.
#[derive(Debug)]
pub(crate) struct Assembler {
    open: [Option<Box<Open>>; 2],
    max_line_bytes: usize,
}

impl Assembler {
    /// Creates an assembler. `max_line_bytes` is the length of the longest line that is delivered whole.
    pub(crate) fn new(max_line_bytes: usize) -> Self {
        Self {
            open: [None, None],
            max_line_bytes,
        }
    }

    /// Returns `true` if no line is unfinished.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }

    /// Returns `true` if no line of the other output is unfinished.
    fn other_is_empty(&self, stream: Stream) -> bool {
        self.open[1 - stream.index()].is_none()
    }

    /// Adds a frame, and calls `deliver` with each line that it completes and `true` if no other line is unfinished.
    pub(crate) fn push(&mut self, frame: &Frame<'_>, mut deliver: impl FnMut(Line<'_>, bool)) {
        let Frame {
            stream,
            time,
            text,
            ends_line,
        } = *frame;
        let quiet = self.other_is_empty(stream);
        let slot = &mut self.open[stream.index()];
        if let Some(stale) = slot.take_if(|open| open.time != time) {
            // The container died within the line and was started again; the last piece never came.
            deliver(stale.line(stream, false), quiet);
        }
        match (slot.as_mut(), ends_line) {
            (None, true) => deliver(
                Line {
                    stream,
                    time,
                    text,
                    partial: false,
                    pieces: 1,
                },
                quiet,
            ),
            (None, false) => {
                *slot = Some(Box::new(Open {
                    time,
                    text: text.to_vec(),
                    pieces: 1,
                    since: Instant::now(),
                }));
            }
            (Some(open), _) => {
                open.text.extend_from_slice(text);
                open.pieces += 1;
            }
        }
        if let Some(open) = slot.take_if(|open| ends_line || open.text.len() > self.max_line_bytes) {
            deliver(open.line(stream, !ends_line), quiet);
        }
    }

    /// Delivers every unfinished line older than `max_age` as a part, of which more may follow.
    pub(crate) fn flush_older_than(&mut self, max_age: Duration, mut deliver: impl FnMut(Line<'_>, bool)) {
        for stream in Stream::ALL {
            let quiet = self.other_is_empty(stream);
            if let Some(open) = self.open[stream.index()].take_if(|open| open.since.elapsed() >= max_age) {
                deliver(open.line(stream, true), quiet);
            }
        }
    }

    /// Delivers every unfinished line as it is, because its container has ended.
    pub(crate) fn finish(&mut self, mut deliver: impl FnMut(Line<'_>, bool)) {
        for stream in Stream::ALL {
            let quiet = self.other_is_empty(stream);
            if let Some(open) = self.open[stream.index()].take() {
                deliver(open.line(stream, false), quiet);
            }
        }
    }
}

impl Open {
    fn line(&self, stream: Stream, partial: bool) -> Line<'_> {
        Line {
            stream,
            time: self.time,
            text: &self.text,
            partial,
            pieces: self.pieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::test_frame as frame;

    /// Returns the lines of these frames: stream, text, partial, pieces, quiet.
    fn assemble(max_line_bytes: usize, frames: &[Frame<'_>]) -> Vec<(Stream, String, bool, u32, bool)> {
        let mut assembler = Assembler::new(max_line_bytes);
        let mut seen = Vec::new();
        for frame in frames {
            assembler.push(frame, |line, quiet| {
                let text = String::from_utf8(line.text.to_vec()).unwrap();
                seen.push((line.stream, text, line.partial, line.pieces, quiet));
            });
        }
        seen
    }

    use Stream::{Stderr, Stdout};

    #[test]
    fn pieces_are_joined_across_lines_of_the_other_output() {
        let seen = assemble(
            1000,
            &[
                frame(Stdout, 1, "ab", false),
                frame(Stderr, 2, "err", true),
                frame(Stdout, 1, "cd", false),
                frame(Stdout, 1, "e", true),
            ],
        );
        assert_eq!(
            seen,
            [
                (Stderr, "err".into(), false, 1, false),
                (Stdout, "abcde".into(), false, 3, true)
            ]
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_delivered_in_marked_parts() {
        let seen = assemble(
            3,
            &[
                frame(Stdout, 1, "ab", false),
                frame(Stdout, 1, "cd", false),
                frame(Stdout, 1, "e", true),
            ],
        );
        assert_eq!(
            seen,
            [
                (Stdout, "abcd".into(), true, 2, true),
                (Stdout, "e".into(), false, 1, true)
            ]
        );
    }

    #[test]
    fn a_line_whose_end_never_came_is_delivered_before_the_next() {
        let seen = assemble(100, &[frame(Stdout, 1, "cut", false), frame(Stdout, 2, "next", true)]);
        assert_eq!(
            seen,
            [
                (Stdout, "cut".into(), false, 1, true),
                (Stdout, "next".into(), false, 1, true)
            ]
        );
    }

    #[test]
    fn an_unfinished_line_is_delivered_by_finish() {
        let mut assembler = Assembler::new(100);
        assembler.push(&frame(Stderr, 1, "tail", false), |_, _| {
            panic!("nothing is complete yet")
        });
        assert!(!assembler.is_empty());
        let mut seen = Vec::new();
        assembler.finish(|line, _| seen.push(line.text.to_vec()));
        assert_eq!(seen, [b"tail".to_vec()]);
        assert!(assembler.is_empty());
    }
}
