//! Bytes that could not be written yet.

use std::io;

use tokio::net::UnixStream;

/// Bytes on their way. Empty, it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    written: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// More bytes are appended here.
    pub(super) fn as_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes as much as is taken now.
    pub(super) fn flush(&mut self, to: &UnixStream) -> io::Result<()> {
        self.written += write(to, &self.bytes[self.written..])?;
        if self.written == self.bytes.len() {
            *self = Self::default();
        }
        Ok(())
    }

    /// Writes as much as is taken now, after what is pending, and keeps the rest.
    pub(super) fn send(&mut self, to: &UnixStream, bytes: &[u8]) -> io::Result<()> {
        let written = if self.is_empty() { write(to, bytes)? } else { 0 };
        self.bytes.extend_from_slice(&bytes[written..]);
        Ok(())
    }
}

fn write(to: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
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
