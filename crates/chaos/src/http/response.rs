//! The position in a response: in its head, between two chunks, or within one.

use leakcheck_http1::{BodyDecoder, Framing, ResponseHead};

/// A position in a response, advanced over its bytes.
#[derive(Debug)]
pub(crate) enum ResponseScanner {
    /// In the head, with the bytes of it so far.
    Head(Vec<u8>),
    /// In or behind the body.
    Body { decoder: BodyDecoder, is_chunked: bool },
    /// Not HTTP, or malformed.
    Opaque,
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
        matches!(self, Self::Body { is_chunked: true, .. })
    }

    /// Reports whether the position is between two chunks, where a last chunk may follow.
    pub(crate) fn is_at_boundary(&self) -> bool {
        matches!(self, Self::Body { decoder, .. } if decoder.is_at_chunk_start())
    }

    /// Reports whether the response is complete; false for bodies that last until the connection closes.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Body { decoder, .. } if decoder.is_done())
    }

    /// Advances over the head and returns the number of bytes that belong to it. Interim responses (`100 Continue`)
    /// count as part of the head.
    pub(crate) fn scan_head(&mut self, bytes: &[u8]) -> usize {
        let mut scanned = 0;
        while scanned < bytes.len()
            && let Self::Head(seen) = self
        {
            let before = seen.len();
            seen.extend_from_slice(&bytes[scanned..]);
            match ResponseHead::parse(seen) {
                Ok(Some((head, length))) => {
                    scanned += length - before;
                    *self = if head.is_interim() {
                        Self::default()
                    } else {
                        Self::Body {
                            decoder: BodyDecoder::new(head.framing),
                            is_chunked: head.framing == Framing::Chunked,
                        }
                    };
                }
                Ok(None) => scanned = bytes.len(),
                Err(_) => *self = Self::Opaque,
            }
        }
        scanned
    }

    /// Advances over bytes behind the head and passes the body's data to `on_data`.
    pub(crate) fn scan_body(&mut self, bytes: &[u8], on_data: impl FnMut(&[u8])) {
        if let Self::Body { decoder, .. } = self
            && decoder.scan(bytes, on_data).is_err()
        {
            *self = Self::Opaque;
        }
    }

    /// Advances over bytes behind the head up to the next boundary, and returns their number.
    pub(crate) fn skip_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let Self::Body { decoder, .. } = self else {
            return bytes.len();
        };
        decoder.skip_to_chunk_start(bytes).unwrap_or_else(|_| {
            *self = Self::Opaque;
            bytes.len()
        })
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
