//! The client's end of a connection, which can be broken as well as closed.
//!
//! A Unix socket has no reset of its own. Its peer's next read fails with `ECONNRESET` if something that the peer sent is
//! still unread when it is closed (Linux, `unix_release_sock`); otherwise the peer sees an end. So where a plan has
//! resets, the last byte of what has been heard is left in the socket, and whatever else ends the connection takes it first.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::AT_A_TIME;

/// A client.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    may_be_reset: bool,
    /// The last byte that was heard is still in the socket.
    left: bool,
}

impl Client {
    pub(super) fn new(stream: UnixStream, may_be_reset: bool) -> Self {
        Self {
            stream,
            may_be_reset,
            left: false,
        }
    }

    /// What it has said since: nothing at its end, `None` if there is nothing yet. Not async, so that the buffer on the
    /// stack is no part of the task.
    pub(super) fn hear(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; AT_A_TIME];
        let (flags, known) = match self.may_be_reset {
            true => (RecvFlags::PEEK, usize::from(self.left)),
            false => (RecvFlags::empty(), 0),
        };
        let stream = &self.stream;
        let heard = stream.try_io(Interest::READABLE, || {
            let (_, count) = recv(stream, &mut buffer, flags)?;
            if count == known && known > 0 && !has_ended(stream)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        match heard {
            Ok(count) => {
                if self.may_be_reset && count > 1 {
                    // All but the last: they are there, this does not wait.
                    recv(stream, &mut [0; AT_A_TIME][..count - 1], RecvFlags::DONTWAIT)?;
                }
                self.left = self.may_be_reset && count > 0;
                Ok(Some(buffer[known..count].to_vec()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Breaks the connection.
    pub(super) fn reset(mut self) {
        self.left = false;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.left {
            // It may be broken already.
            let _ = recv(&self.stream, &mut [0; 1], RecvFlags::DONTWAIT);
        }
    }
}

/// Whether the client has closed, or has said its last.
fn has_ended(stream: &UnixStream) -> io::Result<bool> {
    let mut asked = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(asked[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP))
}
