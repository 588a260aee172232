//! The framing of bodies: payload is separated from chunk framing as the bytes arrive.
//!
//! This is a hot path: an engine writes one chunk per log line. A body that ended is never confused with one that was cut:
//! the first means that the container stopped, the second is an error.

use crate::framing::Framing;

/// The longest chunk-size line or trailer line. Engines write at most 16 hexadecimal digits.
const MAX_LINE: u32 = 256;
/// The largest chunk. A frame of a Docker log is below 4 GiB.
const MAX_CHUNK: u64 = 1 << 33;

/// The chunk that ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends `payload` to `out` as one chunk. An empty payload is left out, because an empty chunk ends the body.
pub fn encode_chunk(payload: &[u8], out: &mut Vec<u8>) {
    if !payload.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }
}

/// An error in the framing of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(&'static str);

/// The position of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        value: u64,
        has_digits: bool,
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
    /// `line` bytes of the current trailer line were read.
    Trailer {
        line: u32,
    },
    Length {
        left: u64,
    },
    UntilClose,
    Done,
}

const CHUNK_START: State = State::Size {
    value: 0,
    has_digits: false,
};

/// The kind and length of the next bytes of a body.
enum Span {
    Payload(usize),
    Framing(usize),
}

/// The position in a body, however its bytes are cut into reads.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
}

impl BodyDecoder {
    /// Creates a decoder that stands at the first byte of a body.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => CHUNK_START,
            Framing::Length(0) => State::Done,
            Framing::Length(left) => State::Length { left },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Returns `true` once the last byte of the body was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Returns `true` if the connection may close here without cutting the body.
    #[must_use]
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Returns `true` if the next byte begins a chunk, so that [`LAST_CHUNK`] could be sent instead.
    #[must_use]
    pub fn is_at_chunk_start(&self) -> bool {
        self.state == CHUNK_START
    }

    /// Moves the payload in `bytes` to their front and returns its length. Bytes behind the end of the body are dropped.
    ///
    /// # Errors
    /// [`BodyError`] if the framing is broken.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<usize, BodyError> {
        let (mut read, mut write) = (0, 0);
        while read < bytes.len() && !self.is_done() {
            match self.advance(&bytes[read..])? {
                Span::Payload(length) => {
                    bytes.copy_within(read..read + length, write);
                    read += length;
                    write += length;
                }
                Span::Framing(length) => read += length,
            }
        }
        Ok(write)
    }

    /// Passes over the bytes that belong to the body, shows its payload to `on_payload`, and returns their number.
    ///
    /// # Errors
    /// [`BodyError`] if the framing is broken.
    pub fn scan(&mut self, bytes: &[u8], mut on_payload: impl FnMut(&[u8])) -> Result<usize, BodyError> {
        let mut read = 0;
        while read < bytes.len() && !self.is_done() {
            match self.advance(&bytes[read..])? {
                Span::Payload(length) => {
                    on_payload(&bytes[read..read + length]);
                    read += length;
                }
                Span::Framing(length) => read += length,
            }
        }
        Ok(read)
    }

    /// Passes over bytes up to the start of a chunk or the end of the body, and returns their number. This is 0 if the
    /// decoder stands there already.
    ///
    /// # Errors
    /// [`BodyError`] if the framing is broken.
    pub fn skip_to_chunk_start(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        let mut read = 0;
        while read < bytes.len() && !self.is_done() && !self.is_at_chunk_start() {
            let (Span::Payload(length) | Span::Framing(length)) = self.advance(&bytes[read..])?;
            read += length;
        }
        Ok(read)
    }

    /// Passes over one span at the start of `bytes`, which are not empty, in a body that is not done.
    fn advance(&mut self, bytes: &[u8]) -> Result<Span, BodyError> {
        let (left, behind) = match self.state {
            State::Data { left } => (left, State::DataCr),
            State::Length { left } => (left, State::Done),
            State::UntilClose => return Ok(Span::Payload(bytes.len())),
            _ => {
                let (state, length) = match self.common_framing(bytes) {
                    Some(common) => common,
                    None => (self.state.after(bytes[0])?, 1),
                };
                self.state = state;
                return Ok(Span::Framing(length));
            }
        };
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - length as u64;
        self.state = match self.state {
            _ if left == 0 => behind,
            State::Data { .. } => State::Data { left },
            _ => State::Length { left },
        };
        Ok(Span::Payload(length))
    }

    /// Recognises a short size line or the end of a chunk as a whole; `None` if the bytes must be read one by one.
    /// Returns the state behind it and its length.
    fn common_framing(&self, bytes: &[u8]) -> Option<(State, usize)> {
        /// Four digits are 64 KiB: four times the largest payload that an engine puts into one frame.
        const DIGITS: usize = 4;
        match self.state {
            CHUNK_START => {
                let digits = bytes.iter().take(DIGITS).map_while(|byte| hex_digit(*byte));
                let (count, left) = digits.fold((0, 0), |(count, size), digit| (count + 1, size * 16 + digit));
                (left > 0 && bytes[count..].starts_with(b"\r\n")).then_some((State::Data { left }, count + 2))
            }
            State::DataCr if bytes.starts_with(b"\r\n") => Some((CHUNK_START, 2)),
            _ => None,
        }
    }
}

impl State {
    /// Returns the state behind one byte of framing.
    fn after(self, byte: u8) -> Result<Self, BodyError> {
        Ok(match (self, byte) {
            (Self::Size { value, has_digits }, _) => match (hex_digit(byte), byte) {
                (Some(digit), _) => {
                    let value = value * 16 + digit;
                    if value > MAX_CHUNK {
                        return Err(BodyError("a chunk is too large"));
                    }
                    Self::Size {
                        value,
                        has_digits: true,
                    }
                }
                _ if !has_digits => return Err(BodyError("a chunk has no size")),
                (None, b'\r') => Self::SizeLf { value },
                (None, b';' | b' ' | b'\t') => Self::Extension { value, length: 0 },
                _ => return Err(BodyError("the size of a chunk is not a hexadecimal number")),
            },
            (Self::Extension { value, .. }, b'\r') => Self::SizeLf { value },
            (Self::Extension { length: MAX_LINE, .. }, _) => return Err(BodyError("a chunk extension is too long")),
            (Self::Extension { value, length }, _) => Self::Extension {
                value,
                length: length + 1,
            },
            (Self::SizeLf { value: 0 }, b'\n') => Self::Trailer { line: 0 },
            (Self::SizeLf { value }, b'\n') => Self::Data { left: value },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => CHUNK_START,
            (Self::Trailer { line: 0 }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { line: 0 },
            (Self::Trailer { line }, b'\r') => Self::Trailer { line },
            (Self::Trailer { line: MAX_LINE }, _) => return Err(BodyError("a trailer is too long")),
            (Self::Trailer { line }, _) => Self::Trailer { line: line + 1 },
            _ => return Err(BodyError("a chunk does not end at its size")),
        })
    }
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `encoded` in pieces cut at `cuts`; returns the payload and whether the body ended. `scan` must agree.
    fn decode_all(framing: Framing, encoded: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool), BodyError> {
        let (mut decoder, mut scanner) = (BodyDecoder::new(framing), BodyDecoder::new(framing));
        let (mut payload, mut scanned) = (Vec::new(), Vec::new());
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (encoded.len() + 1)).collect();
        bounds.extend([0, encoded.len()]);
        bounds.sort_unstable();
        for pair in bounds.windows(2) {
            let mut piece = encoded[pair[0]..pair[1]].to_vec();
            let passed = scanner.scan(&piece, |bytes| scanned.extend_from_slice(bytes));
            let kept = decoder.decode(&mut piece)?;
            assert!(passed? == piece.len() || scanner.is_done());
            payload.extend_from_slice(&piece[..kept]);
        }
        assert_eq!((&payload, decoder.is_done()), (&scanned, scanner.is_done()));
        Ok((payload, decoder.is_done()))
    }

    fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut encoded = Vec::new();
        chunks.iter().for_each(|chunk| encode_chunk(chunk, &mut encoded));
        encoded.extend_from_slice(LAST_CHUNK);
        encoded
    }

    fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8)
    }

    proptest! {
        #[test]
        fn the_payload_does_not_depend_on_the_cuts_between_reads(
            chunks in chunks(),
            cuts in prop::collection::vec(any::<usize>(), 0..12),
        ) {
            let (payload, is_done) = decode_all(Framing::Chunked, &encode(&chunks), &cuts).expect("a body");
            prop_assert!(is_done);
            prop_assert_eq!(payload, chunks.concat());
        }

        #[test]
        fn a_cut_body_is_not_taken_for_an_ended_one(chunks in chunks(), cut in any::<prop::sample::Index>()) {
            let encoded = encode(&chunks);
            let mut decoder = BodyDecoder::new(Framing::Chunked);
            let mut piece = encoded[..cut.index(encoded.len())].to_vec();
            decoder.decode(&mut piece).expect("the beginning of a body");
            prop_assert!(!decoder.may_end());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_all(Framing::Chunked, &bytes, &[]);
        }

        #[test]
        fn every_chunk_start_is_found(chunks in chunks(), size in 1_usize..20) {
            let encoded = encode(&chunks);
            let (mut decoder, mut starts) = (BodyDecoder::new(Framing::Chunked), 0);
            for piece in encoded.chunks(size) {
                let mut at = 0;
                while at < piece.len() {
                    at += decoder.skip_to_chunk_start(&piece[at..]).expect("a body");
                    if decoder.is_at_chunk_start() && at < piece.len() {
                        starts += 1;
                        at += decoder.scan(&piece[at..=at], |_| {}).expect("a body");
                    }
                }
            }
            prop_assert_eq!(starts, chunks.len() + 1);
        }
    }

    #[test]
    fn extensions_and_trailers_are_skipped() {
        let encoded = b"5;name=value\r\nhello\r\n1A \r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Trailer: 1\r\n\r\n";
        assert_eq!(
            decode_all(Framing::Chunked, encoded, &[]),
            Ok((b"helloabcdefghijklmnopqrstuvwxyz".to_vec(), true))
        );
    }

    #[test]
    fn bytes_behind_the_body_do_not_belong_to_it() {
        for framing in [Framing::Chunked, Framing::Length(13)] {
            let mut decoder = BodyDecoder::new(framing);
            assert_eq!(
                decoder.scan(b"3\r\nabc\r\n0\r\n\r\nNEXT", |_| {}),
                Ok(13),
                "{framing:?}"
            );
            assert!(decoder.is_done());
        }
    }

    #[test]
    fn a_body_of_known_length_ends_at_its_length() {
        assert_eq!(
            decode_all(Framing::Length(3), b"abcdef", &[2]),
            Ok((b"abc".to_vec(), true))
        );
        assert_eq!(decode_all(Framing::Length(3), b"ab", &[]), Ok((b"ab".to_vec(), false)));
        assert!(BodyDecoder::new(Framing::Length(0)).is_done());
    }

    #[test]
    fn a_body_until_close_is_all_payload_and_may_end_anywhere() {
        let mut decoder = BodyDecoder::new(Framing::UntilClose);
        assert_eq!(decoder.decode(&mut b"5\r\nab".to_vec()), Ok(5));
        assert!(decoder.may_end() && !decoder.is_done());
    }

    #[test]
    fn broken_framing_is_an_error() {
        for encoded in ["2\r\nabc\r\n", "zz\r\n", "\r\n", "ffffffffffffffff\r\n"] {
            assert!(
                decode_all(Framing::Chunked, encoded.as_bytes(), &[]).is_err(),
                "{encoded:?}"
            );
        }
        let long = format!("1;{}", "x".repeat(300));
        assert!(decode_all(Framing::Chunked, long.as_bytes(), &[]).is_err());
    }
}
