//! Lines from frames: pieces of a long line are joined, per output, up to a cap.
//!
//! One assembler belongs to one stream and dies with it: what it holds was not delivered, so the next stream of the same
//! container reads it again.

use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, Stream};
use crate::timestamp::Timestamp;

/// A line, or a part of one that is longer than the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) stream: Stream,
    pub(crate) time: Timestamp,
    pub(crate) text: &'a [u8],
    /// More parts of the same line follow.
    pub(crate) partial: bool,
    /// How many of the engine's frames it was made of.
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

/// Joins pieces to lines.
#[derive(Debug)]
pub(crate) struct Assembler {
    open: [Option<Box<Open>>; 2],
    cap: usize,
}

impl Assembler {
    /// `cap`: the longest line in bytes that is delivered whole.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            open: [None, None],
            cap,
        }
    }

    /// True if no line is unfinished.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }

    /// True if no line of the other output is unfinished.
    fn other_is_empty(&self, stream: Stream) -> bool {
        self.open[1 - stream.index()].is_none()
    }

    /// Takes a frame and hands each line that it completes to `deliver`, with whether no other line is unfinished.
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
            // Its last piece never came (a container that died in mid-line and was started again): it ends here.
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
        if let Some(open) = slot.take_if(|open| ends_line || open.text.len() > self.cap) {
            deliver(open.line(stream, !ends_line), quiet);
        }
    }

    /// Hands over every unfinished line older than `patience`, as a part of which more may follow.
    pub(crate) fn flush_older_than(&mut self, patience: Duration, mut deliver: impl FnMut(Line<'_>, bool)) {
        for stream in Stream::ALL {
            let quiet = self.other_is_empty(stream);
            if let Some(open) = self.open[stream.index()].take_if(|open| open.since.elapsed() >= patience) {
                deliver(open.line(stream, true), quiet);
            }
        }
    }

    /// Hands over every unfinished line as it is: its container has ended.
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
    use crate::frame::made as frame;

    /// What comes out for these frames: stream, text, partial, pieces, quiet.
    fn assemble(cap: usize, frames: &[Frame<'_>]) -> Vec<(Stream, String, bool, u32, bool)> {
        let mut assembler = Assembler::new(cap);
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
    fn pieces_join_even_when_the_other_output_speaks_between_them() {
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
    fn a_line_beyond_the_cap_comes_in_flagged_parts() {
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
    fn what_is_unfinished_at_the_end_is_delivered_by_finish() {
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
