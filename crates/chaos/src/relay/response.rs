//! Where in an answer a stream is: in its head, between two chunks, within one. Only sizes are read, nothing is searched.

/// Longest head of an answer that is looked at.
const LONGEST: usize = 64 << 10;
const MOST_HEADERS: usize = 64;

/// The place in a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Where a chunk begins.
    #[default]
    Boundary,
    /// Within its size.
    Size(u64),
    /// Behind its size: an extension, or the line's end.
    SizeLine(u64),
    Data(u64),
    /// Behind its data: so many bytes of line end are left.
    DataEnd(u8),
    /// Behind the last chunk; whether the line is empty so far.
    Trailer(bool),
    Done,
}

impl Chunks {
    pub(super) fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    pub(super) fn is_at_boundary(&self) -> bool {
        self.place == Place::Boundary
    }

    /// Passes over as many bytes as belong to the body; returns how many.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> usize {
        self.walk(bytes, false, |_| {})
    }

    /// Passes over bytes, to the next boundary only if asked; shows the data to `data`.
    pub(super) fn walk(&mut self, bytes: &[u8], to_boundary: bool, mut data: impl FnMut(&[u8])) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.place != Place::Done {
            if to_boundary && self.place == Place::Boundary {
                break;
            }
            if let Place::Data(left) = self.place {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                data(&bytes[at..at + count]);
                at += count;
                let left = left - count as u64;
                self.place = if left == 0 {
                    Place::DataEnd(2)
                } else {
                    Place::Data(left)
                };
                continue;
            }
            self.place = self.place.after(bytes[at]);
            at += 1;
        }
        at
    }
}

impl Place {
    fn after(self, byte: u8) -> Self {
        let digit = (byte as char).to_digit(16).map(u64::from);
        match (self, byte) {
            (Self::Boundary, _) => digit.map_or(Self::Done, Self::Size),
            (Self::Size(size), b'\n') | (Self::SizeLine(size), b'\n') => {
                if size == 0 {
                    Self::Trailer(true)
                } else {
                    Self::Data(size)
                }
            }
            (Self::Size(size), _) => digit.map_or(Self::SizeLine(size), |digit| {
                Self::Size(size.saturating_mul(16).saturating_add(digit))
            }),
            (Self::SizeLine(size), _) => Self::SizeLine(size),
            (Self::DataEnd(left), _) => {
                if left > 1 {
                    Self::DataEnd(left - 1)
                } else {
                    Self::Boundary
                }
            }
            (Self::Trailer(true), b'\n') => Self::Done,
            (Self::Trailer(_), b'\n') => Self::Trailer(true),
            (Self::Trailer(empty), b'\r') => Self::Trailer(empty),
            (Self::Trailer(_), _) => Self::Trailer(false),
            (place @ (Self::Data(_) | Self::Done), _) => place,
        }
    }
}

/// The place in an answer.
#[derive(Debug)]
pub(super) enum Response {
    /// In the head, of which so much has been seen.
    Head(Vec<u8>),
    Chunks(Chunks),
    /// An answer that is not in chunks: nothing is known of its body.
    Plain,
}

impl Default for Response {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Response {
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self, Self::Head(_))
    }

    /// Whether it could be ended here, as HTTP sees it.
    pub(super) fn is_at_boundary(&self) -> bool {
        matches!(self, Self::Chunks(chunks) if chunks.is_at_boundary())
    }

    /// Passes over the head; returns how many of the bytes belong to it.
    pub(super) fn pass_head(&mut self, bytes: &[u8]) -> usize {
        let Self::Head(seen) = self else { return 0 };
        let before = seen.len();
        seen.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(seen) {
            // `100 Continue` and its like are not the answer yet.
            Ok(httparse::Status::Complete(length))
                if response
                    .code
                    .is_some_and(|code| (100..200).contains(&code) && code != 101) =>
            {
                *self = Self::default();
                length - before
            }
            Ok(httparse::Status::Complete(length)) => {
                let is = |header: &httparse::Header<'_>| {
                    header.name.eq_ignore_ascii_case("transfer-encoding")
                        && header.value.eq_ignore_ascii_case(b"chunked")
                };
                *self = if response.headers.iter().any(is) {
                    Self::Chunks(Chunks::default())
                } else {
                    Self::Plain
                };
                length - before
            }
            Ok(httparse::Status::Partial) if seen.len() < LONGEST => bytes.len(),
            _ => {
                *self = Self::Plain;
                bytes.len()
            }
        }
    }

    /// Passes over bytes behind the head, to the next boundary only if asked; shows the body's data to `data`.
    pub(super) fn pass_body(&mut self, bytes: &[u8], to_boundary: bool, data: impl FnMut(&[u8])) -> usize {
        match self {
            Self::Chunks(chunks) => chunks.walk(bytes, to_boundary, data),
            Self::Head(_) | Self::Plain => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_chunks_is_found_however_the_bytes_come() {
        let body = b"5\r\nhello\r\n1a;x=1\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\nNEXT";
        for size in [1, 2, 3, 10, 100] {
            let (mut chunks, mut data, mut passed) = (Chunks::default(), Vec::new(), 0);
            for piece in body.chunks(size) {
                passed += chunks.walk(piece, false, |bytes| data.extend_from_slice(bytes));
            }
            assert_eq!(data, b"helloabcdefghijklmnopqrstuvwxyz", "in pieces of {size}");
            assert_eq!(
                (passed, chunks.is_done()),
                (body.len() - 4, true),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_walk_stops_at_the_boundary_if_asked() {
        let mut chunks = Chunks::default();
        let body = b"5\r\nhello\r\n5\r\nworld\r\n";
        assert_eq!(chunks.walk(&body[..4], false, |_| {}), 4);
        assert_eq!(chunks.walk(&body[4..], true, |_| {}), 6);
        assert!(chunks.is_at_boundary());
    }

    #[test]
    fn a_head_tells_whether_chunks_follow() {
        for (head, chunked) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n", false),
        ] {
            let mut response = Response::default();
            let whole = [head.as_bytes(), b"5\r\n"].concat();
            let passed: usize = whole.chunks(7).map(|piece| response.pass_head(piece)).sum();
            assert_eq!((passed, matches!(response, Response::Chunks(_))), (head.len(), chunked));
        }
    }
}
