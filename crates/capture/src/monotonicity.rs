//! Detection of frames that a live stream sends again.
//!
//! Docker opens a new log file twice if it rotates the file under a followed stream (`max-size`), and sends its first lines
//! again. Timestamps rise within each output, so a frame that does not rise is suspect. It is not dropped: the follower
//! opens another stream, whose join counts what the log contains. If the frame stands behind the delivered ones (a clock that
//! was set back, two lines in one nanosecond), it is the first new frame of that stream, and accepted.

use crate::frame::{Frame, Stream};
use crate::timestamp::Timestamp;

/// The last frame of each output of a stream.
#[derive(Debug)]
pub(crate) struct MonotonicityCheck {
    last: [Option<Last>; Stream::ALL.len()],
    /// The last delivered timestamp of each output before this stream's first new frame. The stream may not have shown it,
    /// because it was requested for the last seconds only.
    delivered: [Timestamp; Stream::ALL.len()],
}

impl Default for MonotonicityCheck {
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
    fingerprint: u32,
    ended_line: bool,
}

/// A frame that did not rise, in a form that recognises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegressedFrame(Stream, Last);

impl RegressedFrame {
    pub(crate) fn of(frame: &Frame<'_>) -> Self {
        Self(frame.stream, Last::of(frame))
    }
}

impl Last {
    fn of(frame: &Frame<'_>) -> Self {
        Self {
            time: frame.time,
            fingerprint: fingerprint(frame.text),
            ended_line: frame.ends_line,
        }
    }
}

impl MonotonicityCheck {
    /// Sets the last delivered timestamp of each output, behind which new frames of this stream lie.
    pub(crate) fn set_delivered(&mut self, delivered: [Timestamp; Stream::ALL.len()]) {
        self.delivered = delivered;
    }

    /// Records the next frame. Returns `false` if it may have been sent before.
    pub(crate) fn check(&mut self, frame: &Frame<'_>) -> bool {
        let now = Last::of(frame);
        let before = self.last[frame.stream.index()].replace(now);
        let delivered = self.delivered[frame.stream.index()];
        match before.filter(|before| before.time >= delivered) {
            Some(before) => {
                // Pieces of one line share its timestamp.
                let is_repeated = before.time == now.time && before.ended_line && before.fingerprint == now.fingerprint;
                before.time <= now.time && !is_repeated
            }
            None => now.time > delivered,
        }
    }
}

/// Returns a cheap hash of length, first and last bytes.
fn fingerprint(text: &[u8]) -> u32 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let edge = text.len().min(8);
    let mixed =
        (text.len() as u64).rotate_left(56) ^ word(&text[..edge]) ^ word(&text[text.len() - edge..]).rotate_left(28);
    (mixed ^ (mixed >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::test_frame as frame;
    use Stream::{Stderr, Stdout};

    /// Returns for each frame whether it is accepted.
    fn check(frames: &[Frame<'_>]) -> Vec<bool> {
        let mut stream = MonotonicityCheck::default();
        frames.iter().map(|frame| stream.check(frame)).collect()
    }

    #[test]
    fn a_line_that_is_repeated_or_goes_back_is_suspect() {
        let one = frame(Stdout, 1, "one", true);
        let two = frame(Stdout, 2, "two", true);
        assert_eq!(check(&[one, two, two]), [true, true, false]);
        assert_eq!(check(&[one, two, one, two]), [true, true, false, true]);
    }

    #[test]
    fn a_line_delivered_before_the_stream_was_opened_is_suspect() {
        let mut stream = MonotonicityCheck::default();
        stream.set_delivered([5, 3].map(Timestamp::from_nanos));
        assert!(stream.check(&frame(Stdout, 6, "new", true)));
        assert!(!stream.check(&frame(Stderr, 3, "old", true)));
        assert!(!stream.check(&frame(Stdout, 5, "old", true)));
        let mut stream = MonotonicityCheck::default();
        // The join has shown this line, so another one with the same timestamp is new.
        stream.check(&frame(Stdout, 5, "delivered", true));
        stream.set_delivered([5, 3].map(Timestamp::from_nanos));
        assert!(stream.check(&frame(Stdout, 5, "another", true)));
    }

    #[test]
    fn outputs_may_overtake_each_other_and_lines_may_share_a_timestamp() {
        let lines = [
            frame(Stdout, 5, "one", true),
            frame(Stderr, 4, "one", true),
            frame(Stdout, 5, "other", true),
            frame(Stdout, 5, "", true),
        ];
        assert_eq!(check(&lines), [true; 4]);
    }

    #[test]
    fn equal_pieces_of_one_line_are_not_a_repetition() {
        let piece = frame(Stdout, 1, "same", false);
        let end = frame(Stdout, 1, "same", true);
        assert_eq!(check(&[piece, piece, end]), [true; 3]);
    }
}
