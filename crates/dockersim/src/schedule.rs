//! Who has something to do, and when: one queue and one task for all containers, so that an idle one costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::container::Container;
use crate::engine::Engine;

/// The shortest time between two turns: lines that are due within it are written together.
const TURN: Duration = Duration::from_millis(5);

/// A container that has something to do at a time. `turn` says which start or unpause of it is meant:
/// an entry of an earlier one is dropped when its time comes.
struct Due {
    at: Instant,
    turn: u32,
    container: Weak<Container>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// The queue. A running container has at most one entry in it, and an entry outlives its container by no more than its
/// own time.
#[derive(Default)]
pub(crate) struct Schedule {
    queue: Mutex<BinaryHeap<Reverse<Due>>>,
    changed: Notify,
}

impl Schedule {
    /// Lets a container have its turn at that time.
    pub(crate) fn at(&self, at: Instant, container: Weak<Container>, turn: u32) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = queue.peek().is_none_or(|Reverse(first)| at < first.at);
        queue.push(Reverse(Due { at, turn, container }));
        if is_next {
            self.changed.notify_one();
        }
    }

    fn next(&self) -> Option<Instant> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.peek().map(|Reverse(due)| due.at)
    }

    fn take_due(&self, now: Instant) -> Vec<Due> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while queue.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(queue.pop().map(|Reverse(first)| first));
        }
        due
    }
}

impl Engine {
    /// Gives every container its turns until the engine ends.
    pub(crate) async fn run_schedule(&self, shutdown: CancellationToken) {
        loop {
            let changed = self.schedule.changed.notified();
            match self.schedule.next() {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = changed => continue,
                    () = shutdown.cancelled() => return,
                },
                None => tokio::select! {
                    () = changed => continue,
                    () = shutdown.cancelled() => return,
                },
            }
            for due in self.schedule.take_due(Instant::now()) {
                if let Some(container) = due.container.upgrade() {
                    self.take_turn(&container, due.turn);
                }
            }
            tokio::time::sleep(TURN).await;
        }
    }
}
