//! Who has something to do, and when: one queue and one task for all containers, so that an idle one costs nothing. Turns
//! that one thread cannot give in time are given by all.

use std::cmp::{self, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
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
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
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
    pub(crate) async fn run_schedule(self: Arc<Self>, shutdown: CancellationToken) {
        let threads = Handle::current().metrics().num_workers();
        let mut is_late = false;
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
            let began = Instant::now();
            let due = self.schedule.take_due(began);
            if is_late {
                self.take_turns_on(threads, due).await;
            } else {
                due.iter().for_each(|due| self.take_turn_of(due));
            }
            is_late = began.elapsed() > TURN;
            tokio::time::sleep_until((began + TURN).into()).await;
        }
    }

    /// Turns that take one thread too long, on several.
    async fn take_turns_on(self: &Arc<Self>, threads: usize, due: Vec<Due>) {
        let (due, next) = (Arc::new(due), Arc::new(AtomicUsize::new(0)));
        let mut takers = JoinSet::new();
        for _ in 0..threads {
            let (engine, due, next) = (Arc::clone(self), Arc::clone(&due), Arc::clone(&next));
            takers.spawn(async move {
                while let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                    engine.take_turn_of(due);
                    // No thread is left over: those who read have their turns between.
                    tokio::task::yield_now().await;
                }
            });
        }
        while takers.join_next().await.is_some() {}
    }

    fn take_turn_of(&self, due: &Due) {
        if let Some(container) = due.container.upgrade() {
            self.take_turn(&container, due.turn);
        }
    }
}
