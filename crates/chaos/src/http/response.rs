//! The position in a response: in its head, between two chunks, or within one.

use super::chunked::ChunkScanner;

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Longest head of a response that is parsed.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 64;

/// A position in a response, advanced over its bytes.
#[derive(Debug)]
pub(crate) enum ResponseScanner {
    /// In the head, with the bytes of it so far.
    Head(Vec<u8>),
    Chunked(ChunkScanner),
    /// In a body that is not chunked or could not be parsed; its end is unknown.
    Plain,
}

impl Default for ResponseScanner {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl ResponseScanner {
    /// Reports whether the head is still incomplete.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self, Self::Head(_))
    }

    /// Reports whether the body is chunked.
    pub(crate) fn is_chunked(&self) -> bool {
        matches!(self, Self::Chunked(_))
    }

    /// Reports whether the position is between two chunks, where a last chunk may follow.
    pub(crate) fn is_at_boundary(&self) -> bool {
        matches!(self, Self::Chunked(chunks) if chunks.is_at_boundary())
    }

    /// Reports whether the response is complete; false for bodies that are not chunked.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Chunked(chunks) if chunks.is_done())
    }

    /// Advances over the head and returns the number of bytes that belong to it. Interim responses (`100 Continue`)
    /// count as part of the head.
    pub(crate) fn scan_head(&mut self, bytes: &[u8]) -> usize {
        let mut scanned = 0;
        while self.is_in_head() && scanned < bytes.len() {
            scanned += self.scan_one_head(&bytes[scanned..]);
        }
        scanned
    }

    fn scan_one_head(&mut self, bytes: &[u8]) -> usize {
        let Self::Head(seen) = self else { return 0 };
        let before = seen.len();
        seen.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(seen) {
            Ok(httparse::Status::Complete(length)) => {
                let is_interim = response
                    .code
                    .is_some_and(|code| (100..200).contains(&code) && code != 101);
                let is_chunked = response.headers.iter().any(|header| {
                    header.name.eq_ignore_ascii_case("transfer-encoding")
                        && header.value.eq_ignore_ascii_case(b"chunked")
                });
                *self = if is_interim {
                    Self::default()
                } else if is_chunked {
                    Self::Chunked(ChunkScanner::default())
                } else {
                    Self::Plain
                };
                length - before
            }
            Ok(httparse::Status::Partial) if seen.len() < MAX_HEAD => bytes.len(),
            _ => {
                *self = Self::Plain;
                bytes.len()
            }
        }
    }

    /// Advances over bytes behind the head, or to the next boundary if `to_boundary`, and returns their number. Passes
    /// the body's data to `data`.
    pub(crate) fn scan_body(&mut self, bytes: &[u8], to_boundary: bool, mut data: impl FnMut(&[u8])) -> usize {
        match self {
            Self::Chunked(chunks) => chunks.scan(bytes, to_boundary, data),
            Self::Head(_) | Self::Plain => {
                data(bytes);
                bytes.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_decides_whether_the_body_is_chunked() {
        for (head, chunked) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n", false),
        ] {
            let mut scanner = ResponseScanner::default();
            let whole = [head.as_bytes(), b"5\r\n"].concat();
            let passed: usize = whole.chunks(7).map(|piece| scanner.scan_head(piece)).sum();
            assert_eq!((passed, scanner.is_chunked()), (head.len(), chunked));
        }
    }
    #[test]
    fn an_interim_response_is_part_of_the_head() {
        let head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = [&head[..], b"5\r\n"].concat();
        for size in [1, 30, 1000] {
            let mut scanner = ResponseScanner::default();
            let scanned: usize = whole.chunks(size).map(|piece| scanner.scan_head(piece)).sum();
            assert_eq!(
                (scanned, scanner.is_chunked()),
                (head.len(), true),
                "in pieces of {size}"
            );
        }
    }
}
