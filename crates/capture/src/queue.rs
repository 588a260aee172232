//! The queue from all streams to the sink, bounded in lines and in bytes.
//!
//! If it is full, the streams wait, their sockets fill, and the engine waits. Backpressure ends in the engine's log files and
//! not in the memory of the daemon.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::chunk::{Chunk, UndeliveredGuard};

/// The largest number of queued chunks.
const CHUNKS: usize = 4096;

/// An item for the sink.
#[derive(Debug)]
pub(crate) enum Item {
    /// Lines to deliver.
    Lines(Box<Chunk>, QueuePermit),
    /// The container of this id was removed; its position is not needed any more.
    Forget(String),
    /// The last item.
    End,
}

/// The share of the queue that a chunk occupies until its lines are delivered.
#[derive(Debug)]
pub(crate) struct QueuePermit {
    _lines: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    _undelivered: Option<UndeliveredGuard>,
}

/// The sink has ended, so nothing can be delivered any more.
#[derive(Debug, thiserror::Error)]
#[error("sink is gone")]
pub(crate) struct SinkGone;

/// The sending side of the queue.
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

    /// Queues a chunk, and waits while the queue is full. A chunk larger than the queue waits until that is empty.
    ///
    /// # Errors
    /// [`SinkGone`] if the sink has ended.
    pub(crate) async fn send(&self, chunk: Chunk) -> Result<(), SinkGone> {
        let undelivered = chunk.track_delivery();
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
        let permit = QueuePermit {
            _lines: lines,
            _bytes: bytes,
            _undelivered: undelivered,
        };
        self.sender
            .send(Item::Lines(Box::new(chunk), permit))
            .await
            .map_err(|_| SinkGone)
    }

    /// Queues the removal of a container's position. Returns `false` if the queue is full and the call must be repeated.
    pub(crate) fn forget(&self, id: String) -> bool {
        // A sink that has ended keeps no positions.
        !matches!(
            self.sender.try_send(Item::Forget(id)),
            Err(mpsc::error::TrySendError::Full(_))
        )
    }

    /// Queues the last item.
    pub(crate) async fn end(&self) {
        // The sink may have ended already.
        let _ = self.sender.send(Item::End).await;
    }

    /// Returns `true` if the next chunk has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.available_permits() == 0 || self.bytes.available_permits() == 0 || self.sender.capacity() == 0
    }

    /// Returns the number of lines that are queued or being written.
    pub(crate) fn length(&self) -> usize {
        self.max_lines as usize - self.lines.available_permits()
    }
}
