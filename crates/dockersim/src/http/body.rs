//! The body of a request: of known length, in chunks, or none.

use tokio::time::timeout;

use super::connection::{Connection, READ_SIZE, REQUEST_DEADLINE};
use super::error::ConnectionError;
use super::framing::Framing;

/// Longest line before a chunk (size and extensions).
const LONGEST_CHUNK_LINE: usize = 1 << 10;

impl Connection {
    /// Reads a whole body, keeps its first `limit` bytes, and returns its length.
    pub(crate) async fn read_body(
        &mut self,
        framing: Framing,
        kept: &mut Vec<u8>,
        limit: usize,
    ) -> Result<u64, ConnectionError> {
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
                    return Err(ConnectionError::Malformed("a chunk is longer than it says"));
                }
            },
        }
        Ok(total)
    }

    async fn chunk_size(&mut self) -> Result<u64, ConnectionError> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| ConnectionError::Malformed("a chunk has no size"))
    }

    async fn line(&mut self) -> Result<String, ConnectionError> {
        loop {
            if let Some(end) = self.unparsed.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.unparsed[..end]).into_owned();
                self.unparsed.drain(..end + 2);
                return Ok(line);
            }
            if self.unparsed.len() > LONGEST_CHUNK_LINE.max(READ_SIZE) {
                return Err(ConnectionError::Malformed("a chunk's size is too long"));
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: u64, kept: &mut Vec<u8>, limit: usize) -> Result<(), ConnectionError> {
        let mut left = length;
        while left > 0 {
            if self.unparsed.is_empty() {
                self.more().await?;
            }
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(self.unparsed.len());
            let wanted = piece.min(limit.saturating_sub(kept.len()));
            kept.extend_from_slice(&self.unparsed[..wanted]);
            self.unparsed.drain(..piece);
            left -= piece as u64;
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), ConnectionError> {
        match timeout(REQUEST_DEADLINE, self.read_some()).await {
            Ok(Ok(0)) => Err(ConnectionError::Malformed("the connection ended within the body")),
            Ok(result) => Ok(result.map(|_| ())?),
            Err(_) => Err(ConnectionError::Deadline),
        }
    }
}
