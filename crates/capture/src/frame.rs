//! Log frames: the engine sends one for each line, or for each 16 KiB piece of a longer one.
//!
//! Two forms exist: multiplexed (an eight-byte header, then the payload) and raw (a container with a terminal: text only).
//! Timestamps are always requested, so each frame begins with one; in the raw form it separates pieces. A frame that is cut,
//! too large, or from the engine itself is an error and never becomes a line.

use serde::{Deserialize, Serialize};

use crate::timestamp::{Reader, Timestamp};

/// Stream type, three zero bytes, length as big-endian u32 (Docker Engine API, "Attach to a container").
const HEADER_LEN: usize = 8;
/// The engine cuts lines into pieces of this many bytes (`defaultBufSize` in its log copier).
pub(crate) const PIECE_LEN: usize = 16 * 1024;
/// The largest growth of a piece, if none of its bytes was valid text.
const PIECE_GROWTH: usize = 2 * PIECE_LEN;
/// The longest accepted frame. Docker's are 16 KiB and a timestamp; other engines may have longer ones.
pub(crate) const FRAME_MAX: usize = 2 * 1024 * 1024;

/// An output of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    Stdout = 0,
    Stderr = 1,
}

impl Stream {
    pub(crate) const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One frame: a line, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) stream: Stream,
    pub(crate) time: Timestamp,
    /// Without the timestamp and without the newline.
    pub(crate) text: &'a [u8],
    /// `false` for a piece that another piece of the same line follows.
    pub(crate) ends_line: bool,
}

/// Bytes that are not a frame of a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("log frame has an unknown header {0:02x?}")]
    Header([u8; 4]),
    #[error("log frame of {0} bytes is larger than {FRAME_MAX}")]
    TooLarge(usize),
    #[error("log frame has no timestamp: {0:?}")]
    NoTimestamp(String),
    #[error("log stream ends inside a frame, {0} bytes into it")]
    Truncated(usize),
    #[error("engine reports: {0}")]
    Engine(String),
}

/// The form of a container's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Multiplexed,
    Raw,
}

/// A decoder that cuts payload bytes into frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    form: Form,
    times: Reader,
}

impl Decoder {
    pub(crate) fn new(form: Form) -> Self {
        Self {
            form,
            times: Reader::default(),
        }
    }

    /// Returns the frame at the start of `bytes` and its length; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`FrameError`] if the bytes cannot become a frame of a container.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        match self.form {
            Form::Multiplexed => self.multiplexed(bytes),
            Form::Raw => self.raw(bytes),
        }
    }

    /// Returns the frame in `bytes` at the end of a container's output. Only that of a terminal may end without a newline.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] if a frame is incomplete.
    pub(crate) fn last<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Frame<'a>>, FrameError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.form == Form::Multiplexed {
            return Err(FrameError::Truncated(bytes.len()));
        }
        let Some((time, prefix)) = self.times.read(bytes) else {
            return Err(FrameError::Truncated(bytes.len()));
        };
        let rest = &bytes[prefix..];
        let ends_line = rest.ends_with(b"\n");
        let text = rest.strip_suffix(b"\n").unwrap_or(rest);
        let text = text.strip_suffix(b"\r").filter(|_| ends_line).unwrap_or(text);
        Ok(Some(Frame {
            stream: Stream::Stdout,
            time,
            text,
            ends_line,
        }))
    }

    fn multiplexed<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let [kind, zero1, zero2, zero3, len @ ..] = *header;
        if kind > 3 || [zero1, zero2, zero3] != [0; 3] {
            return Err(FrameError::Header([kind, zero1, zero2, zero3]));
        }
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if len > FRAME_MAX {
            return Err(FrameError::TooLarge(len));
        }
        let Some(body) = bytes.get(HEADER_LEN..HEADER_LEN + len) else {
            return Ok(None);
        };
        let stream = match kind {
            2 => Stream::Stderr,
            3 => return Err(FrameError::Engine(excerpt(body))),
            _ => Stream::Stdout,
        };
        let Some((time, prefix)) = self.times.read(body) else {
            return Err(FrameError::NoTimestamp(excerpt(body)));
        };
        let (text, ends_line) = match body[prefix..].split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (&body[prefix..], false),
        };
        Ok(Some((
            Frame {
                stream,
                time,
                text,
                ends_line,
            },
            HEADER_LEN + len,
        )))
    }

    fn raw<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
        let Some((time, prefix)) = self.times.read(bytes) else {
            // A timestamp and its space fit in 64 bytes.
            return if bytes.len() < 64 && !bytes.contains(&b'\n') {
                Ok(None)
            } else {
                Err(FrameError::NoTimestamp(excerpt(bytes)))
            };
        };
        let rest = &bytes[prefix..];
        let frame = |text, ends_line| Frame {
            stream: Stream::Stdout,
            time,
            text,
            ends_line,
        };
        // The only newline of a line is its end, and no piece but the last is shorter than the engine's limit.
        let end = memchr::memchr(b'\n', rest);
        if let Some(end) = end.filter(|end| *end <= PIECE_LEN) {
            let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            return Ok(Some((frame(text, true), prefix + end + 1)));
        }
        // A piece of a longer line has no newline; the next piece follows with the same timestamp. That may come later than
        // the limit, because a JSON log has three bytes of U+FFFD for each invalid one, as in a character that was cut.
        let window = &rest[PIECE_LEN.min(rest.len())..end.unwrap_or(rest.len())];
        if let Some(at) = memchr::memmem::find(window, &bytes[..prefix]).filter(|at| *at <= PIECE_GROWTH) {
            let length = PIECE_LEN + at;
            return Ok(Some((frame(&rest[..length], false), prefix + length)));
        }
        match end {
            Some(end) => {
                let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
                Ok(Some((frame(text, true), prefix + end + 1)))
            }
            None if bytes.len() > FRAME_MAX => Err(FrameError::TooLarge(bytes.len())),
            None => Ok(None),
        }
    }
}

/// Returns the first bytes of unexpected input, for a message.
fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
        .trim_end()
        .to_owned()
}

/// Creates a frame at `time` nanoseconds after 1970.
#[cfg(test)]
pub(crate) fn test_frame(stream: Stream, time: i64, text: &str, ends_line: bool) -> Frame<'_> {
    Frame {
        stream,
        time: Timestamp::from_nanos(time),
        text: text.as_bytes(),
        ends_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-22T20:25:47.123456789Z ";

    fn multiplexed(kind: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text);
        frame
    }

    /// The stream, text and `ends_line` of a frame.
    type OwnedFrame = (Stream, Vec<u8>, bool);

    /// Returns all frames of `bytes` and the number of bytes left.
    fn frames(form: Form, bytes: &[u8]) -> Result<(Vec<OwnedFrame>, usize), FrameError> {
        let mut decoder = Decoder::new(form);
        let (mut at, mut seen) = (0, Vec::new());
        while let Some((frame, used)) = decoder.next(&bytes[at..])? {
            seen.push((frame.stream, frame.text.to_vec(), frame.ends_line));
            at += used;
        }
        Ok((seen, bytes.len() - at))
    }

    #[test]
    fn lines_of_both_outputs_are_decoded() {
        let mut bytes = multiplexed(1, format!("{TIME}out\n").as_bytes());
        bytes.extend(multiplexed(2, format!("{TIME}err").as_bytes()));
        let (seen, left) = frames(Form::Multiplexed, &bytes).unwrap();
        assert_eq!(
            seen,
            [
                (Stream::Stdout, b"out".to_vec(), true),
                (Stream::Stderr, b"err".to_vec(), false)
            ]
        );
        assert_eq!(left, 0);
    }

    #[test]
    fn an_incomplete_frame_is_awaited_at_every_cut() {
        let bytes = multiplexed(1, format!("{TIME}hello\n").as_bytes());
        for cut in 0..bytes.len() {
            assert_eq!(frames(Form::Multiplexed, &bytes[..cut]).unwrap(), (Vec::new(), cut));
        }
    }

    #[test]
    fn an_error_of_the_engine_is_not_a_line() {
        let bytes = multiplexed(3, b"Error grabbing logs: invalid character");
        assert!(matches!(frames(Form::Multiplexed, &bytes), Err(FrameError::Engine(_))));
    }

    #[test]
    fn a_header_with_an_excessive_length_is_an_error() {
        assert!(matches!(
            frames(Form::Multiplexed, &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            Err(FrameError::TooLarge(0xffff_ffff))
        ));
        assert!(matches!(
            frames(Form::Multiplexed, b"HTTP/1.1 "),
            Err(FrameError::Header(_))
        ));
    }

    #[test]
    fn only_the_carriage_return_is_removed_from_a_terminal_line() {
        let bytes = format!("{TIME}one\r\n{TIME}\u{1}two\r\n");
        let (seen, left) = frames(Form::Raw, bytes.as_bytes()).unwrap();
        assert_eq!(
            seen,
            [
                (Stream::Stdout, b"one".to_vec(), true),
                (Stream::Stdout, b"\x01two".to_vec(), true)
            ]
        );
        assert_eq!(left, 0);
    }

    #[test]
    fn only_a_terminal_may_end_without_a_newline() {
        let last = Decoder::new(Form::Raw)
            .last(format!("{TIME}prompt> ").as_bytes())
            .unwrap()
            .map(|frame| frame.text.len());
        assert_eq!(last, Some("prompt> ".len()));
        assert!(matches!(
            Decoder::new(Form::Multiplexed).last(&[1, 0, 0]),
            Err(FrameError::Truncated(3))
        ));
        assert!(matches!(
            Decoder::new(Form::Raw).last(b"2026-11-"),
            Err(FrameError::Truncated(8))
        ));
    }

    #[test]
    fn pieces_of_a_long_terminal_line_are_separated_by_their_timestamp() {
        let piece = "x".repeat(PIECE_LEN);
        let bytes = format!("{TIME}{piece}{TIME}{piece}{TIME}end\r\n");
        let (seen, left) = frames(Form::Raw, bytes.as_bytes()).unwrap();
        let lengths: Vec<_> = seen.iter().map(|(_, text, ends)| (text.len(), *ends)).collect();
        assert_eq!(lengths, [(PIECE_LEN, false), (PIECE_LEN, false), (3, true)]);
        assert_eq!(left, 0);
    }

    #[test]
    fn pieces_that_grew_at_a_cut_character_are_separated_at_every_cut_between_reads() {
        // The json-file driver keeps a two-byte character across the cut as one U+FFFD on either side.
        let first = format!("{}\u{fffd}", "x".repeat(PIECE_LEN - 1));
        let second = format!("\u{fffd}{}", "y".repeat(PIECE_LEN - 1));
        let bytes = format!("{TIME}{first}{TIME}{second}{TIME}end\r\n{TIME}next\r\n");
        let expected = [
            (first.into_bytes(), false),
            (second.into_bytes(), false),
            (b"end".to_vec(), true),
            (b"next".to_vec(), true),
        ];
        for cut in (0..bytes.len()).step_by(97).chain(PIECE_LEN..PIECE_LEN + 80) {
            let mut decoder = Decoder::new(Form::Raw);
            let (mut at, mut seen) = (0, Vec::new());
            for end in [cut, bytes.len()] {
                while let Some((frame, used)) = decoder.next(&bytes.as_bytes()[at..end]).unwrap() {
                    seen.push((frame.text.to_vec(), frame.ends_line));
                    at += used;
                }
            }
            assert!(seen == expected, "cut at {cut}: {} frames", seen.len());
        }
    }

    #[test]
    fn a_terminal_line_that_grew_beyond_a_piece_is_one_line() {
        let text = "\u{fffd}".repeat(PIECE_LEN);
        let bytes = format!("{TIME}{text}\r\n{TIME}{text}{TIME}end\r\n");
        let (seen, left) = frames(Form::Raw, bytes.as_bytes()).unwrap();
        let lengths: Vec<_> = seen.iter().map(|(_, text, ends)| (text.len(), *ends)).collect();
        assert_eq!(lengths, [(3 * PIECE_LEN, true), (3 * PIECE_LEN, false), (3, true)]);
        assert_eq!(left, 0);
    }
}
