//! The client's socket, which can be reset as well as closed.
//!
//! A Unix socket has no reset of its own. Its peer's next read fails with `ECONNRESET` only if something that the peer
//! sent is still unread when the socket is closed (Linux, `unix_release_sock`). So if a script has resets, the last byte
//! of each read stays in the socket. Every other way to end the connection reads that byte first.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Longest read from a client.
const READ_SIZE: usize = 32 << 10;

/// The socket of a client.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    may_be_reset: bool,
    /// The last byte that was read is still in the socket.
    holds_byte: bool,
}

impl Client {
    pub(super) fn new(stream: UnixStream, may_be_reset: bool) -> Self {
        Self {
            stream,
            may_be_reset,
            holds_byte: false,
        }
    }

    /// Returns the bytes that have arrived: none at the end, `None` if there is nothing yet. The function is not async,
    /// so that its buffer is not part of the task.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; READ_SIZE];
        let (flags, known) = match self.may_be_reset {
            true => (RecvFlags::PEEK, usize::from(self.holds_byte)),
            false => (RecvFlags::empty(), 0),
        };
        let stream = &self.stream;
        let received = stream.try_io(Interest::READABLE, || {
            let (_, count) = recv(stream, &mut buffer, flags)?;
            if count == known && known > 0 && !has_ended(stream)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        match received {
            Ok(count) => {
                if self.may_be_reset && count > 1 {
                    // All but the last byte; they are there, so this does not wait.
                    recv(stream, &mut [0; READ_SIZE][..count - 1], RecvFlags::DONTWAIT)?;
                }
                self.holds_byte = self.may_be_reset && count > 0;
                Ok(Some(buffer[known..count].to_vec()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Resets the connection.
    pub(super) fn reset(mut self) {
        self.holds_byte = false;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.holds_byte {
            // The connection may have failed already.
            let _ = recv(&self.stream, &mut [0; 1], RecvFlags::DONTWAIT);
        }
    }
}

/// Reports whether the client has closed the connection or its writing half.
fn has_ended(stream: &UnixStream) -> io::Result<bool> {
    let mut polled = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP))
}
