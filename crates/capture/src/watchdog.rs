//! The watchdog: notices rotations that stopped and a queue that stays full, and says who is stuck where.
//!
//! In the record's test 6C every container's loop had died after its first rotation, and eighteen minutes passed before
//! any curve showed it. A rotation that is a minute overdue shows it here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::follower::{QUIET_FACTOR, Shared};
use crate::task::{Doing, Entry, Tasks};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From the FASE reports: interval + 1 min.
const OVERDUE: Duration = Duration::from_secs(60);

/// Looks at all followers now and then, until `cancel`.
pub(crate) async fn watch(shared: Arc<Shared>, tasks: Tasks, cancel: CancellationToken, entry: Arc<Entry>) {
    entry.set(Doing::Waiting);
    let config = &shared.config;
    let interval = if config.adaptive_rotation {
        config.rotate_every * QUIET_FACTOR
    } else {
        config.rotate_every
    };
    let mut stuck: HashSet<u64> = HashSet::new();
    shared.metrics.component_is("watchdog", "rotations", true);
    shared.metrics.component_is("dispatcher", "queue", true);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
        let alive = tasks.alive();
        let overdue: Vec<&Arc<Entry>> = alive
            .iter()
            .filter(|entry| entry.stream_age().is_some() && entry.since_rotation() > interval + OVERDUE)
            .collect();
        for entry in &overdue {
            if stuck.insert(entry.number()) {
                shared.metrics.error("rotation_stuck");
                tracing::error!(task = ?entry.describe(), "rotation is overdue");
            }
        }
        stuck.retain(|number| overdue.iter().any(|entry| entry.number() == *number));
        shared.metrics.component_is("watchdog", "rotations", stuck.is_empty());
        shared
            .metrics
            .component_is("dispatcher", "queue", !shared.queue.is_full());
    }
}
