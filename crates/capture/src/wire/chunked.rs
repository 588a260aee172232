//! The body of an HTTP/1 response as it arrives: chunk framing is stripped in place.
//!
//! It stands apart because it is the hot path (the engine writes one chunk per log line) and because "the body ended"
//! and "the body was cut" must never be confused: the first means the container stopped, the second is an error.

use super::WireError;

/// Longest chunk-size line, extensions included. The engine writes at most 16 hex digits and CRLF; 256 is generous.
const SIZE_LINE_MAX: u32 = 256;
/// A chunk larger than this is nonsense from a log stream (the engine's frames end at 4 GiB by their own header).
const CHUNK_MAX: u64 = 1 << 33;

/// How the length of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length`.
    Length(u64),
    /// Neither: the body lasts until the connection closes.
    UntilClose,
}

/// Where in the body the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        value: u64,
        digits: u32,
    },
    Extension {
        value: u64,
        length: u32,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// `line` bytes of the present trailer line were seen.
    Trailer {
        line: u32,
    },
    Length {
        left: u64,
    },
    UntilClose,
    Done,
}

/// Strips the framing from a body, whatever the cuts between reads.
#[derive(Debug)]
pub(crate) struct Dechunker {
    state: State,
}

impl Dechunker {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => State::Size { value: 0, digits: 0 },
            Framing::Length(0) => State::Done,
            Framing::Length(left) => State::Length { left },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// True once the last byte of the body was seen.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// True if the connection may close here without cutting the body short.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Moves the payload among `bytes` to their front and returns its length.
    ///
    /// # Errors
    /// [`WireError::Chunk`] if the framing is broken.
    pub(crate) fn strip(&mut self, bytes: &mut [u8]) -> Result<usize, WireError> {
        let (mut read, mut write) = (0, 0);
        while read < bytes.len() {
            match &mut self.state {
                State::Data { left } | State::Length { left } => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - read);
                    bytes.copy_within(read..read + take, write);
                    read += take;
                    write += take;
                    *left -= take as u64;
                    if *left == 0 {
                        self.state = if matches!(self.state, State::Data { .. }) {
                            State::DataCr
                        } else {
                            State::Done
                        };
                    }
                }
                State::UntilClose => {
                    let take = bytes.len() - read;
                    bytes.copy_within(read.., write);
                    return Ok(write + take);
                }
                // Bytes after the end belong to nobody: we never pipeline.
                State::Done => return Ok(write),
                _ => {
                    let (state, length) = match self.usual_framing(&bytes[read..]) {
                        Some(usual) => usual,
                        None => (self.framing_byte(bytes[read])?, 1),
                    };
                    self.state = state;
                    read += length;
                }
            }
        }
        Ok(write)
    }

    /// What almost every chunk begins and ends with, if it is not cut: a short size and its line's end, and a line's end.
    /// The state behind it and its length; `None` where each byte must be looked at by itself.
    fn usual_framing(&self, bytes: &[u8]) -> Option<(State, usize)> {
        /// Four digits are 64 KiB: four times what the engine puts into one frame.
        const DIGITS: usize = 4;
        match self.state {
            State::Size { value: 0, digits: 0 } => {
                let digits = bytes
                    .iter()
                    .take(DIGITS)
                    .take_while(|byte| byte.is_ascii_hexdigit())
                    .count();
                let left = bytes[..digits]
                    .iter()
                    .fold(0, |size, digit| size * 16 + u64::from(hex(*digit)));
                (left > 0 && bytes[digits..].starts_with(b"\r\n")).then_some((State::Data { left }, digits + 2))
            }
            State::DataCr if bytes.starts_with(b"\r\n") => Some((State::Size { value: 0, digits: 0 }, 2)),
            _ => None,
        }
    }

    fn framing_byte(&self, byte: u8) -> Result<State, WireError> {
        let broken = |what| Err(WireError::Chunk(what));
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                let value = value * 16 + u64::from(hex(byte));
                if value > CHUNK_MAX {
                    return broken("a chunk is too large");
                }
                State::Size {
                    value,
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return broken("a chunk has no size"),
            (State::Size { value, .. } | State::Extension { value, .. }, b'\r') => State::SizeLf { value },
            (State::Size { value, .. }, b';' | b' ' | b'\t') => State::Extension { value, length: 0 },
            (State::Size { .. }, _) => return broken("a chunk's size is no hexadecimal number"),
            (
                State::Extension {
                    length: SIZE_LINE_MAX, ..
                },
                _,
            ) => return broken("a chunk's extension is too long"),
            (State::Extension { value, length }, _) => State::Extension {
                value,
                length: length + 1,
            },
            (State::SizeLf { value: 0 }, b'\n') => State::Trailer { line: 0 },
            (State::SizeLf { value }, b'\n') => State::Data { left: value },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
            (State::Trailer { line: 0 }, b'\n') => State::Done,
            (State::Trailer { .. }, b'\n') => State::Trailer { line: 0 },
            (State::Trailer { line }, b'\r') => State::Trailer { line },
            (State::Trailer { line: SIZE_LINE_MAX }, _) => return broken("a trailer is too long"),
            (State::Trailer { line }, _) => State::Trailer { line: line + 1 },
            _ => return broken("a chunk does not end where its size says"),
        })
    }
}

fn hex(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `wire` in pieces cut at `cuts` and returns the payload and whether the body ended.
    fn strip_all(framing: Framing, wire: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool), WireError> {
        let mut dechunker = Dechunker::new(framing);
        let mut payload = Vec::new();
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
        bounds.extend([0, wire.len()]);
        bounds.sort_unstable();
        for pair in bounds.windows(2) {
            let mut piece = wire[pair[0]..pair[1]].to_vec();
            let kept = dechunker.strip(&mut piece)?;
            payload.extend_from_slice(&piece[..kept]);
        }
        Ok((payload, dechunker.is_done()))
    }

    fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Vec::new();
        for chunk in chunks {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        wire
    }

    proptest! {
        #[test]
        fn chunks_come_out_whole_wherever_the_wire_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let (payload, done) = strip_all(Framing::Chunked, &encode(&chunks), &cuts).unwrap();
            prop_assert!(done);
            prop_assert_eq!(payload, chunks.concat());
        }

        #[test]
        fn a_body_cut_before_its_end_never_looks_ended(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let wire = encode(&chunks);
            let mut dechunker = Dechunker::new(Framing::Chunked);
            let mut piece = wire[..cut.index(wire.len())].to_vec();
            dechunker.strip(&mut piece).unwrap();
            prop_assert!(!dechunker.may_end());
        }

        #[test]
        fn garbage_is_an_error_or_a_body_but_never_a_panic(
            wire in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = strip_all(Framing::Chunked, &wire, &[]);
        }
    }

    #[test]
    fn extensions_and_trailers_are_skipped() {
        let wire = b"5;name=value\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n";
        assert_eq!(
            strip_all(Framing::Chunked, wire, &[]).unwrap(),
            (b"hello".to_vec(), true)
        );
    }

    #[test]
    fn a_body_of_known_length_ends_at_its_length() {
        assert_eq!(
            strip_all(Framing::Length(3), b"abcdef", &[2]).unwrap(),
            (b"abc".to_vec(), true)
        );
        assert_eq!(
            strip_all(Framing::Length(3), b"ab", &[]).unwrap(),
            (b"ab".to_vec(), false)
        );
    }

    #[test]
    fn a_chunk_that_overruns_its_size_is_an_error() {
        assert!(strip_all(Framing::Chunked, b"2\r\nabc\r\n", &[]).is_err());
        assert!(strip_all(Framing::Chunked, b"zz\r\n", &[]).is_err());
        assert!(strip_all(Framing::Chunked, b"ffffffffffffffff\r\n", &[]).is_err());
    }
}
