//! What a live stream must never do: go back. Engines do it all the same: where Docker rotates its own log file under a
//! followed stream (`max-size`), it opens the new file twice and sends its first lines again.
//!
//! Timestamps rise within each output, so a frame that does not rise is doubted, not dropped: whoever follows the stream
//! opens another one, whose join counts what the log really holds. If the frame is there behind what was delivered (a clock
//! that was set back, two lines of one instant), it comes again as the first that is new of that stream, and is believed.

use crate::frame::{Frame, Stream};
use crate::timestamp::Timestamp;

/// What a stream brought last, by output.
#[derive(Debug)]
pub(crate) struct Order {
    last: [Option<Last>; Stream::ALL.len()],
    /// The last timestamp that was delivered before this stream's first new frame: it may not have shown that one, because
    /// it was asked for the last seconds only.
    delivered: [Timestamp; Stream::ALL.len()],
}

impl Default for Order {
    fn default() -> Self {
        Self {
            last: [None; Stream::ALL.len()],
            delivered: [Timestamp::BEGINNING; Stream::ALL.len()],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    time: Timestamp,
    print: u32,
    ended_line: bool,
}

/// A frame that was doubted, to be known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubted(Stream, Last);

impl Doubted {
    pub(crate) fn of(frame: &Frame<'_>) -> Self {
        Self(frame.stream, Last::of(frame))
    }
}

impl Last {
    fn of(frame: &Frame<'_>) -> Self {
        Self {
            time: frame.time,
            print: print(frame.text),
            ended_line: frame.ends_line,
        }
    }
}

impl Order {
    /// What is new on this stream comes later than these, by output.
    pub(crate) fn comes_after(&mut self, delivered: [Timestamp; Stream::ALL.len()]) {
        self.delivered = delivered;
    }

    /// Takes note of the next frame; false if it may have come before.
    pub(crate) fn see(&mut self, frame: &Frame<'_>) -> bool {
        let now = Last::of(frame);
        let before = self.last[frame.stream.index()].replace(now);
        let delivered = self.delivered[frame.stream.index()];
        match before.filter(|before| before.time >= delivered) {
            Some(before) => {
                // Pieces of one line share its timestamp.
                let again = before.time == now.time && before.ended_line && before.print == now.print;
                before.time <= now.time && !again
            }
            None => now.time > delivered,
        }
    }
}

/// Tells most texts apart at no cost: by length, first and last bytes. Texts that are the same have the same.
fn print(text: &[u8]) -> u32 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let some = text.len().min(8);
    let mixed =
        (text.len() as u64).rotate_left(56) ^ word(&text[..some]) ^ word(&text[text.len() - some..]).rotate_left(28);
    (mixed ^ (mixed >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::made as frame;
    use Stream::{Stderr, Stdout};

    /// Whether each frame is believed.
    fn see(frames: &[Frame<'_>]) -> Vec<bool> {
        let mut order = Order::default();
        frames.iter().map(|frame| order.see(frame)).collect()
    }

    #[test]
    fn a_line_that_comes_again_or_goes_back_is_doubted() {
        let one = frame(Stdout, 1, "one", true);
        let two = frame(Stdout, 2, "two", true);
        assert_eq!(see(&[one, two, two]), [true, true, false]);
        assert_eq!(see(&[one, two, one, two]), [true, true, false, true]);
    }

    #[test]
    fn a_line_that_was_delivered_before_this_stream_began_is_doubted_though_the_stream_has_not_shown_it() {
        let mut order = Order::default();
        order.comes_after([5, 3].map(Timestamp::from_nanos));
        assert!(order.see(&frame(Stdout, 6, "new", true)));
        assert!(!order.see(&frame(Stderr, 3, "old", true)));
        assert!(!order.see(&frame(Stdout, 5, "old", true)));
        let mut order = Order::default();
        // Shown by the join: whatever shares its instant and is another line is new.
        order.see(&frame(Stdout, 5, "delivered", true));
        order.comes_after([5, 3].map(Timestamp::from_nanos));
        assert!(order.see(&frame(Stdout, 5, "another", true)));
    }

    #[test]
    fn the_outputs_may_overtake_one_another_and_lines_may_share_an_instant() {
        let lines = [
            frame(Stdout, 5, "one", true),
            frame(Stderr, 4, "one", true),
            frame(Stdout, 5, "other", true),
            frame(Stdout, 5, "", true),
        ];
        assert_eq!(see(&lines), [true; 4]);
    }

    #[test]
    fn pieces_of_one_line_are_no_repetition_even_if_they_are_alike() {
        let piece = frame(Stdout, 1, "same", false);
        let end = frame(Stdout, 1, "same", true);
        assert_eq!(see(&[piece, piece, end]), [true; 3]);
    }
}
