//! A client's connection: requests in, responses out, keep-alive between them.
//!
//! An idle connection holds no buffer: bytes are kept only until they are parsed.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::error::ConnectionError;
use super::head::Head;
use super::reply::push_chunk;

/// Longest time between the first and the last byte of a request. Docker has no limit; this one
/// bounds the lifetime of an incomplete request.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes per read, on the stack.
pub(super) const READ_SIZE: usize = 8 << 10;

/// Bytes of pipelined requests that are buffered while a response is written.
const MAX_UNPARSED: usize = 64 << 10;

/// A client's connection.
pub(crate) struct Connection {
    stream: UnixStream,
    /// Bytes that were read and not yet parsed.
    pub(super) unparsed: Vec<u8>,
    /// True for HTTP/1.0, which has no chunks.
    is_http10: bool,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            unparsed: Vec::new(),
            is_http10: false,
        }
    }

    /// Reads the head of the next request; `None` if the client has closed.
    pub(crate) async fn next_head(&mut self) -> Result<Option<Head>, ConnectionError> {
        if self.unparsed.is_empty() {
            // Between requests there is no deadline: the client closes an idle connection.
            self.unparsed = Vec::new();
            if self.read_some().await? == 0 {
                return Ok(None);
            }
        }
        timeout(REQUEST_DEADLINE, async {
            loop {
                if let Some((head, length)) = Head::parse(&self.unparsed)? {
                    self.unparsed.drain(..length);
                    self.is_http10 = head.is_http10;
                    return Ok(Some(head));
                }
                if self.read_some().await? == 0 {
                    return Err(ConnectionError::Malformed("the connection ended within the head"));
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
        self.unparsed.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Waits until the client closes its side. Bytes that arrive meanwhile are kept for the next request.
    pub(crate) async fn closed(&mut self) {
        while self.unparsed.len() < MAX_UNPARSED {
            match self.read_some().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // The buffer is full, so the end cannot be read; the next write to a closed client fails.
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
        if self.is_http10 {
            return self.write(bytes).await;
        }
        let mut chunk = Vec::with_capacity(bytes.len() + 16);
        push_chunk(&mut chunk, bytes.len(), |out| out.extend_from_slice(bytes));
        self.write(&chunk).await
    }

    /// Ends a chunked body.
    pub(crate) async fn write_last_chunk(&mut self) -> io::Result<()> {
        if self.is_http10 {
            return Ok(());
        }
        self.write(b"0\r\n\r\n").await
    }
}
