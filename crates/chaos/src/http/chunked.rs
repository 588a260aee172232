//! The position in a chunked body: only sizes are read, nothing is searched.

/// A position in a chunked body, advanced over its bytes.
#[derive(Debug, Default)]
pub(crate) struct ChunkScanner {
    position: Position,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    /// Before a chunk.
    #[default]
    Boundary,
    /// Within the digits of a chunk's size.
    Size(u64),
    /// After those digits: in an extension or the line end.
    SizeLine(u64),
    /// Within a chunk's data, with so many bytes left.
    Data(u64),
    /// In the line end after the data, with so many bytes left.
    DataEnd(u8),
    /// After the last chunk; true while the line is empty.
    Trailer(bool),
    Done,
}

impl ChunkScanner {
    /// Reports whether the body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.position == Position::Done
    }

    /// Reports whether the position is between two chunks.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.position == Position::Boundary
    }

    /// Advances over all of `bytes` that belong to the body, and returns their number.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> usize {
        self.scan(bytes, false, |_| {})
    }

    /// Advances over `bytes`, or to the next boundary if `to_boundary`, and returns the number of bytes. Passes the
    /// chunks' data to `data`.
    pub(crate) fn scan(&mut self, bytes: &[u8], to_boundary: bool, mut data: impl FnMut(&[u8])) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.position != Position::Done {
            if to_boundary && self.position == Position::Boundary {
                break;
            }
            if let Position::Data(left) = self.position {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                data(&bytes[at..at + count]);
                at += count;
                let left = left - count as u64;
                self.position = if left == 0 {
                    Position::DataEnd(2)
                } else {
                    Position::Data(left)
                };
                continue;
            }
            self.position = self.position.after(bytes[at]);
            at += 1;
        }
        at
    }
}

impl Position {
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
            (position @ (Self::Data(_) | Self::Done), _) => position,
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
            let (mut scanner, mut data, mut passed) = (ChunkScanner::default(), Vec::new(), 0);
            for piece in body.chunks(size) {
                passed += scanner.scan(piece, false, |bytes| data.extend_from_slice(bytes));
            }
            assert_eq!(data, b"helloabcdefghijklmnopqrstuvwxyz", "in pieces of {size}");
            assert_eq!(
                (passed, scanner.is_done()),
                (body.len() - 4, true),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_scan_stops_at_the_boundary_if_asked() {
        let mut scanner = ChunkScanner::default();
        let body = b"5\r\nhello\r\n5\r\nworld\r\n";
        assert_eq!(scanner.scan(&body[..4], false, |_| {}), 4);
        assert_eq!(scanner.scan(&body[4..], true, |_| {}), 6);
        assert!(scanner.is_at_boundary());
    }
}
