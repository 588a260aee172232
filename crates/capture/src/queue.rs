//! The dispatcher's queue: from all streams to the one sink, bounded in lines and in bytes.
//!
//! When it is full, the streams wait, their sockets fill, and the engine waits: backpressure ends in the engine's log
//! files, never in our memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::chunk::{Chunk, Undelivered};

/// Chunks that may wait, whatever their size.
const CHUNKS: usize = 4096;

/// What the sink receives.
#[derive(Debug)]
pub(crate) enum Item {
    /// Lines to deliver.
    Lines(Box<Chunk>, Room),
    /// This container exists no more; its position need not be kept.
    Forget(String),
    /// Nothing comes after this.
    End,
}

/// The room that a chunk takes in the queue; dropped when its lines are delivered.
#[derive(Debug)]
pub(crate) struct Room {
    _lines: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    _undelivered: Option<Undelivered>,
}

/// The sink is gone: nothing can be delivered any more.
#[derive(Debug, thiserror::Error)]
#[error("sink is gone")]
pub(crate) struct SinkGone;

/// The sending side.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Item>,
    lines: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_lines: u32,
    max_bytes: u32,
}

impl Queue {
    pub(crate) fn new(max_lines: u32, max_bytes: u32) -> (Self, mpsc::Receiver<Item>) {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let lines = Arc::new(Semaphore::new(max_lines as usize));
        let bytes = Arc::new(Semaphore::new(max_bytes as usize));
        (
            Self {
                sender,
                lines,
                bytes,
                max_lines,
                max_bytes,
            },
            receiver,
        )
    }

    /// Queues a chunk, waiting for room. A chunk larger than the whole queue waits until it has it for itself.
    ///
    /// # Errors
    /// [`SinkGone`] if nobody receives any more.
    pub(crate) async fn send(&self, chunk: Chunk) -> Result<(), SinkGone> {
        let undelivered = chunk.taken();
        let lines = u32::try_from(chunk.line_count())
            .unwrap_or(u32::MAX)
            .min(self.max_lines);
        let bytes = u32::try_from(chunk.bytes()).unwrap_or(u32::MAX).min(self.max_bytes);
        let lines = Arc::clone(&self.lines)
            .acquire_many_owned(lines)
            .await
            .map_err(|_| SinkGone)?;
        let bytes = Arc::clone(&self.bytes)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| SinkGone)?;
        let room = Room {
            _lines: lines,
            _bytes: bytes,
            _undelivered: undelivered,
        };
        self.sender
            .send(Item::Lines(Box::new(chunk), room))
            .await
            .map_err(|_| SinkGone)
    }

    /// Tells the sink that a container is gone for good; false if the queue is full, to be tried again.
    pub(crate) fn forget(&self, id: String) -> bool {
        // Without a sink there is no position to forget.
        !matches!(
            self.sender.try_send(Item::Forget(id)),
            Err(mpsc::error::TrySendError::Full(_))
        )
    }

    /// Tells the sink that nothing more will come.
    pub(crate) async fn end(&self) {
        // A sink that is gone has ended.
        let _ = self.sender.send(Item::End).await;
    }

    /// True if the next chunk would have to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.available_permits() == 0 || self.bytes.available_permits() == 0 || self.sender.capacity() == 0
    }

    /// Lines waiting or being written.
    pub(crate) fn length(&self) -> usize {
        self.max_lines as usize - self.lines.available_permits()
    }
}
