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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::frame::Stream::Stdout;
    use crate::seam::Position;
    use crate::testbed::{Mood, Rig};

    const ROTATIONS: &str = r#"log_capturer_component_health{component_type="watchdog",component_name="rotations"}"#;
    const QUEUE: &str = r#"log_capturer_component_health{component_type="dispatcher",component_name="queue"}"#;

    fn rig() -> Rig {
        let rig = Rig::new(Config {
            rotate_every: Duration::from_secs(30),
            queue_lines: 1,
            ..Config::default()
        });
        rig.watch();
        for id in ["a", "b"] {
            rig.engine.start(id);
        }
        rig
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_is_stuck_once_it_is_a_minute_overdue_and_is_counted_once() {
        let rig = rig();
        let _finished = ["a", "b"].map(|id| rig.follow(id, Position::default()));
        rig.until("both streams", |rig| {
            rig.metric("log_capturer_container_streams_active") == 2.0
        })
        .await;
        rig.engine.set(Mood::Stopped);
        sleep(Duration::from_secs(30 + 55)).await;
        assert_eq!((rig.errors("rotation_stuck"), rig.metric(ROTATIONS)), (0.0, 1.0));
        sleep(Duration::from_secs(15)).await;
        assert_eq!((rig.errors("rotation_stuck"), rig.metric(ROTATIONS)), (2.0, 0.0));
        sleep(Duration::from_secs(600)).await;
        assert_eq!(rig.errors("rotation_stuck"), 2.0);

        rig.engine.set(Mood::Well);
        rig.until("healthy again", |rig| rig.metric(ROTATIONS) == 1.0).await;
        rig.engine.set(Mood::Stopped);
        sleep(Duration::from_secs(200)).await;
        assert_eq!(rig.errors("rotation_stuck"), 4.0, "each new time counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_takes_nothing_shows_as_a_full_queue_and_then_as_rotations_that_are_stuck() {
        let rig = rig();
        let stalled = rig.stall_sink().await;
        let _finished = ["a", "b"].map(|id| rig.follow(id, Position::default()));
        for id in ["a", "a", "b"] {
            // Each in a read of its own: the sink has the first in hand, and both followers hold one more.
            rig.engine.write(id, Stdout, "line");
            sleep(Duration::from_secs(1)).await;
        }
        sleep(LOOK_EVERY * 2).await;
        assert_eq!((rig.metric(QUEUE), rig.metric(ROTATIONS)), (0.0, 1.0));
        sleep(Duration::from_secs(30) + OVERDUE).await;
        assert_eq!((rig.errors("rotation_stuck"), rig.metric(ROTATIONS)), (2.0, 0.0));
        drop(stalled);
        rig.until("all is well", |rig| rig.metric(QUEUE) + rig.metric(ROTATIONS) == 2.0)
            .await;
        assert_eq!((rig.lines("a").len(), rig.lines("b").len()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_slot_is_not_being_stuck() {
        let rig = Rig::new(Config {
            rotate_every: Duration::from_secs(30),
            streams: Some(1),
            ..Config::default()
        });
        rig.watch();
        let ids: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
        for id in &ids {
            rig.engine.start(id);
        }
        let _finished: Vec<_> = ids.iter().map(|id| rig.follow(id, Position::default())).collect();
        sleep(Duration::from_secs(1800)).await;
        assert_eq!((rig.errors("rotation_stuck"), rig.metric(ROTATIONS)), (0.0, 1.0));
    }
}
