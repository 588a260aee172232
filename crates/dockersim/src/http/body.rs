//! The body of a request: of known length, in chunks, or none.

use tokio::time::timeout;

use super::{Connection, READ_SIZE, REQUEST_DEADLINE, WireError};

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// Longest line before a chunk (size and extensions).
const LONGEST_CHUNK_LINE: usize = 1 << 10;

impl Framing {
    pub(super) fn of(transfer_encoding: &str, content_length: &str) -> Result<Self, WireError> {
        match (transfer_encoding, content_length) {
            ("", "") => Ok(Self::Length(0)),
            ("", length) => length
                .parse()
                .map(Self::Length)
                .map_err(|_| WireError::Malformed("its length is no number")),
            (encoding, _) if encoding.eq_ignore_ascii_case("chunked") => Ok(Self::Chunked),
            (encoding, _) if encoding.eq_ignore_ascii_case("identity") => Self::of("", content_length),
            _ => Err(WireError::Malformed("its transfer encoding is unknown")),
        }
    }
}

impl Connection {
    /// Reads a whole body and keeps at most `limit` bytes of it; returns how long it was.
    pub(crate) async fn read_body(
        &mut self,
        framing: Framing,
        kept: &mut Vec<u8>,
        limit: usize,
    ) -> Result<u64, WireError> {
        let mut total = 0;
        match framing {
            Framing::Length(length) => {
                self.take(length, kept, limit).await?;
                total = length;
            }
            Framing::Chunked => loop {
                let size = self.chunk_size().await?;
                if size == 0 {
                    while !self.line().await?.is_empty() {}
                    break;
                }
                self.take(size, kept, limit).await?;
                total += size;
                if !self.line().await?.is_empty() {
                    return Err(WireError::Malformed("a chunk is longer than it says"));
                }
            },
        }
        Ok(total)
    }

    async fn chunk_size(&mut self) -> Result<u64, WireError> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| WireError::Malformed("a chunk has no size"))
    }

    async fn line(&mut self) -> Result<String, WireError> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 2);
                return Ok(line);
            }
            if self.ahead.len() > LONGEST_CHUNK_LINE.max(READ_SIZE) {
                return Err(WireError::Malformed("a chunk's size is too long"));
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: u64, kept: &mut Vec<u8>, limit: usize) -> Result<(), WireError> {
        let mut left = length;
        while left > 0 {
            if self.ahead.is_empty() {
                self.more().await?;
            }
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(self.ahead.len());
            let wanted = piece.min(limit.saturating_sub(kept.len()));
            kept.extend_from_slice(&self.ahead[..wanted]);
            self.ahead.drain(..piece);
            left -= piece as u64;
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), WireError> {
        match timeout(REQUEST_DEADLINE, self.read_some()).await {
            Ok(Ok(0)) => Err(WireError::Malformed("it ends within its body")),
            Ok(result) => Ok(result.map(|_| ())?),
            Err(_) => Err(WireError::Deadline),
        }
    }
}
