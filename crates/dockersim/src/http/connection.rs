//! A client's connection: requests in, responses out, keep-alive between them.
//!
//! It holds no buffer while it waits: bytes are kept only until they are parsed.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::error::ConnectionError;
use super::head::Head;
use super::reply::push_chunk;

/// Longest time between the first and the last byte of a request. Docker has no limit, but half a request must not keep a
/// task for ever.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes per read, on the stack.
pub(super) const READ_SIZE: usize = 8 << 10;

/// Bytes that a client may send ahead while a response is written.
const READ_AHEAD: usize = 64 << 10;

/// A client's connection.
pub(crate) struct Connection {
    stream: UnixStream,
    /// Bytes that were read and not used yet.
    pub(super) ahead: Vec<u8>,
    /// True for HTTP/1.0, which has no chunks.
    is_old: bool,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            is_old: false,
        }
    }

    /// Reads the head of the next request; `None` if the client has closed.
    pub(crate) async fn next_head(&mut self) -> Result<Option<Head>, ConnectionError> {
        if self.ahead.is_empty() {
            // Between requests there is no deadline: an idle connection is the client's to close.
            self.ahead = Vec::new();
            if self.read_some().await? == 0 {
                return Ok(None);
            }
        }
        timeout(REQUEST_DEADLINE, async {
            loop {
                if let Some((head, length)) = Head::parse(&self.ahead)? {
                    self.ahead.drain(..length);
                    self.is_old = head.is_old;
                    return Ok(Some(head));
                }
                if self.read_some().await? == 0 {
                    return Err(ConnectionError::Malformed("it ends within its head"));
                }
            }
        })
        .await
        .unwrap_or(Err(ConnectionError::Deadline))
    }

    /// Reads at least one byte; returns 0 at the end.
    pub(super) async fn read_some(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            match self.try_read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Reads without waiting. It is not async, so that its buffer is not part of a task.
    fn try_read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; READ_SIZE];
        let count = self.stream.try_read(&mut buffer)?;
        self.ahead.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Waits until the client has closed. Bytes that it sends meanwhile are kept for the next request.
    pub(crate) async fn closed(&mut self) {
        while self.ahead.len() < READ_AHEAD {
            match self.read_some().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // The client sent so much ahead that its end cannot be seen; the next write fails instead.
        std::future::pending().await
    }

    /// Returns true if the client has closed both directions.
    pub(crate) async fn is_abandoned(&self) -> bool {
        let ready = self.stream.ready(Interest::WRITABLE).await;
        ready.map_or(true, |ready| ready.is_write_closed())
    }

    /// Writes everything.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes one chunk of a chunked body.
    pub(crate) async fn write_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_old {
            return self.write(bytes).await;
        }
        let mut chunk = Vec::with_capacity(bytes.len() + 16);
        push_chunk(&mut chunk, bytes.len(), |out| out.extend_from_slice(bytes));
        self.write(&chunk).await
    }

    /// Ends a chunked body.
    pub(crate) async fn write_last_chunk(&mut self) -> io::Result<()> {
        if self.is_old {
            return Ok(());
        }
        self.write(b"0\r\n\r\n").await
    }
}
