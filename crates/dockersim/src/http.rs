//! HTTP/1.1 on one connection: requests in, answers out, keep-alive between them.
//!
//! It holds no buffer while it waits: what was read is kept only until it is parsed.

mod body;
mod head;
mod reply;

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

pub(crate) use body::Framing;
pub(crate) use head::Head;
pub(crate) use reply::{Content, JSON, Reply};

/// How long a client may take between the first and the last byte of a request; Docker sets no limit, but a half
/// request must not keep a task for ever.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes that are read at a time: on the stack, and only while they are read.
const READ_SIZE: usize = 8 << 10;

/// Bytes that a client may send ahead while an answer is still being written.
const READ_AHEAD: usize = 64 << 10;

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The socket failed or the client went away.
    #[error("failed to talk to the client")]
    Io(#[from] io::Error),
    /// The client's bytes are no HTTP/1.
    #[error("no HTTP request: {0}")]
    Malformed(&'static str),
    /// The connection is HTTP no more and has served its purpose.
    #[error("an attached client is done")]
    Detached,
    /// The client began a request and did not finish it in time.
    #[error("the request was not finished in time")]
    Deadline,
}

/// A client's connection.
pub(crate) struct Connection {
    stream: UnixStream,
    /// Read and not used yet.
    ahead: Vec<u8>,
    /// The client does not know chunks: what is streamed comes as it is.
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

    /// The next request's head; `None` if the client has closed.
    pub(crate) async fn next_head(&mut self) -> Result<Option<Head>, WireError> {
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
                    return Err(WireError::Malformed("it ends within its head"));
                }
            }
        })
        .await
        .unwrap_or(Err(WireError::Deadline))
    }

    /// Reads what there is, waiting for at least one byte; 0 at the end.
    async fn read_some(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            match self.try_read() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Not async, so that the buffer on the stack is no part of any task.
    fn try_read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; READ_SIZE];
        let count = self.stream.try_read(&mut buffer)?;
        self.ahead.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Returns when the client has closed; what it sends meanwhile is kept for the next request.
    pub(crate) async fn closed(&mut self) {
        while self.ahead.len() < READ_AHEAD {
            match self.read_some().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // It talks so much ahead that its end can no longer be seen; the next write will tell.
        std::future::pending().await
    }

    /// Whether the client has closed for good, not only said its last.
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
        reply::push_chunk(&mut chunk, bytes.len(), |out| out.extend_from_slice(bytes));
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

pub(crate) use reply::push_chunk;
