//! Bytes that wait until their socket is writable.

use std::io;

use tokio::net::UnixStream;

/// Bytes that could not be written yet. An empty buffer holds no memory.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    bytes: Vec<u8>,
    written: usize,
}

impl WriteBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the vector to which bytes can be appended.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes as many of the waiting bytes as the socket takes.
    pub(super) fn flush(&mut self, to: &UnixStream) -> io::Result<()> {
        self.written += try_write(to, &self.bytes[self.written..])?;
        if self.written == self.bytes.len() {
            *self = Self::default();
        }
        Ok(())
    }

    /// Writes `bytes` after those that wait, and keeps what the socket does not take.
    pub(super) fn write(&mut self, to: &UnixStream, bytes: &[u8]) -> io::Result<()> {
        let written = if self.is_empty() { try_write(to, bytes)? } else { 0 };
        self.bytes.extend_from_slice(&bytes[written..]);
        Ok(())
    }
}

fn try_write(to: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match to.try_write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
