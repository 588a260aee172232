//! Slots: the bound on containers that are followed at one time.
//!
//! Slots are granted in the order of requests. With fewer slots than containers, a follower returns its slot at the end of its
//! turn and requests another; lines written in the meantime wait in the engine's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// File descriptors reserved for everything but streams: standard streams, runtime, status server, sink, events, list.
const RESERVE: u64 = 64;
/// The largest number of successors that are open beside the streams that they replace.
pub(crate) const ROTATIONS_AT_ONCE: usize = 16;
/// The largest number of slots, whatever the limits allow.
const SLOTS_MAX: u64 = 1 << 20;

/// A bounded number of slots.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Arc<Semaphore>,
    capacity: usize,
    waiting: AtomicUsize,
}

/// The permission to follow one container; returned when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    /// The follower had to wait for it.
    pub(crate) waited: bool,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a slot. Cancel-safe, but a cancelled request loses its place in the order.
    pub(crate) async fn acquire(&self) -> Slot {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Slot {
                _permit: Some(permit),
                waited: false,
            };
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        // The semaphore is never closed.
        Slot {
            _permit: Arc::clone(&self.slots).acquire_owned().await.ok(),
            waited: true,
        }
    }

    /// Returns the number of requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn in_use(&self) -> usize {
        self.capacity - self.slots.available_permits()
    }
}

/// Returns the number of streams that the limit of open files allows, less a reserve and the successors.
pub(crate) fn slots_that_fit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(SLOTS_MAX);
    let slots = limit.saturating_sub(RESERVE + ROTATIONS_AT_ONCE as u64);
    usize::try_from(slots.clamp(1, SLOTS_MAX)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_are_granted_in_the_order_of_requests() {
        let pool = Arc::new(Pool::new(1));
        let held = pool.acquire().await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..3 {
            let (turn_pool, order) = (Arc::clone(&pool), Arc::clone(&order));
            tasks.spawn(async move {
                let _slot = turn_pool.acquire().await;
                order.lock().unwrap().push(number);
            });
            while pool.waiting() <= number {
                tokio::task::yield_now().await;
            }
        }
        drop(held);
        while tasks.join_next().await.is_some() {}
        assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
        assert_eq!((pool.waiting(), pool.in_use()), (0, 0));
    }

    #[tokio::test]
    async fn a_cancelled_request_is_no_longer_counted_as_waiting() {
        let pool = Pool::new(1);
        let _held = pool.acquire().await;
        {
            let waiting = pool.acquire();
            tokio::pin!(waiting);
            assert!(poll_once(&mut waiting).await.is_none());
            assert_eq!(pool.waiting(), 1);
        }
        assert_eq!(pool.waiting(), 0);
    }

    /// Polls a future once.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
