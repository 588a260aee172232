//! The queue of wakeups by time. An idle container has no entry.

use std::cmp::{self, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::Notify;

use crate::container::Container;

/// The next wakeup of a container. It is ignored if the container has a newer generation.
pub(crate) struct Wakeup {
    at: Instant,
    pub(crate) generation: u32,
    pub(crate) container: Weak<Container>,
}

impl PartialEq for Wakeup {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Wakeup {}

impl PartialOrd for Wakeup {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wakeup {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// The queue. A running container has at most one valid entry. Entries of removed containers stay until their time.
#[derive(Default)]
pub(crate) struct Schedule {
    queue: Mutex<BinaryHeap<Reverse<Wakeup>>>,
    pub(crate) changed: Notify,
}

impl Schedule {
    /// Adds a wakeup.
    pub(crate) fn at(&self, at: Instant, container: Weak<Container>, generation: u32) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = queue.peek().is_none_or(|Reverse(first)| at < first.at);
        queue.push(Reverse(Wakeup {
            at,
            generation,
            container,
        }));
        if is_next {
            self.changed.notify_one();
        }
    }

    /// Returns the time of the next wakeup.
    pub(crate) fn next(&self) -> Option<Instant> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.peek().map(|Reverse(due)| due.at)
    }

    /// Removes and returns the wakeups that are due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Wakeup> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while queue.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(queue.pop().map(|Reverse(first)| first));
        }
        due
    }
}
