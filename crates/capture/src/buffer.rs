//! Read buffers, shared by all streams: a stream holds one only while it has bytes to work on.

use std::sync::{Mutex, PoisonError};

/// Buffers kept for the next reader; more are freed. There are never more readers at work than worker threads, so a
/// handful serves any number of streams.
const KEPT: usize = 8;
/// A buffer that grew beyond this (a long frame) is freed rather than kept.
const KEPT_CAPACITY: usize = 256 * 1024;

/// A bounded stock of buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    stock: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Room for one read. A Unix socket holds about 200 kB; one chunk of a log line is some hundred bytes.
    pub(crate) const READ: usize = 64 * 1024;

    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        let kept = self.stock.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(Self::READ))
    }

    /// Gives a buffer back.
    pub(crate) fn put(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() > KEPT_CAPACITY {
            return;
        }
        buffer.clear();
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.len() < KEPT {
            stock.push(buffer);
        }
    }
}
