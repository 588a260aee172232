//! Read buffers shared by all streams: a stream holds one only while it processes bytes.

use std::sync::{Mutex, PoisonError};

/// The number of buffers that are kept; more are freed. No more streams are read at one time than there are worker threads.
const KEPT: usize = 8;
/// The largest buffer that is kept. A long frame makes a buffer grow.
const KEPT_CAPACITY: usize = 256 * 1024;

/// A bounded pool of buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    stock: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// The size of one read. A Unix socket holds about 200 kB; one chunk of a log line is some hundred bytes.
    pub(crate) const READ: usize = 64 * 1024;

    /// Returns an empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        let kept = self.stock.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(Self::READ))
    }

    /// Returns a buffer to the pool.
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
