//! The queue of turns: which container has something to do, and at what time. An idle container has no entry.

use std::cmp::{self, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::Notify;

use crate::container::Container;

/// A container with its next turn. `turn` is the number of its start or unpause; an entry of an earlier one is dropped.
pub(crate) struct Due {
    at: Instant,
    pub(crate) turn: u32,
    pub(crate) container: Weak<Container>,
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

/// The queue. A running container has at most one entry in it, and an entry outlives its container until
/// its time at most.
#[derive(Default)]
pub(crate) struct Schedule {
    queue: Mutex<BinaryHeap<Reverse<Due>>>,
    pub(crate) changed: Notify,
}

impl Schedule {
    /// Adds a turn.
    pub(crate) fn at(&self, at: Instant, container: Weak<Container>, turn: u32) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = queue.peek().is_none_or(|Reverse(first)| at < first.at);
        queue.push(Reverse(Due { at, turn, container }));
        if is_next {
            self.changed.notify_one();
        }
    }

    /// Returns the time of the next turn.
    pub(crate) fn next(&self) -> Option<Instant> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.peek().map(|Reverse(due)| due.at)
    }

    /// Removes and returns the turns that are due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Due> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while queue.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(queue.pop().map(|Reverse(first)| first));
        }
        due
    }
}
