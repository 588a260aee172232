//! The watchdog: it reports overdue rotations, with the state of the task, and a full queue.
//!
//! In test 6C of the FASE case study each container's loop died after its first rotation, and it took eighteen minutes until
//! a metric showed that. The watchdog reports a rotation that is one minute overdue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::follower::{QUIET_FACTOR, Shared};
use crate::task::{Entry, TaskState, Tasks};

const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The delay after which a rotation is overdue (FASE case study: interval + 1 min).
const OVERDUE: Duration = Duration::from_secs(60);

/// Checks all followers periodically, until `cancel`.
pub(crate) async fn watch(shared: Arc<Shared>, tasks: Tasks, cancel: CancellationToken, entry: Arc<Entry>) {
    entry.set(TaskState::Waiting);
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
            () = sleep(CHECK_INTERVAL) => {}
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
    use crate::resume::Position;
    use crate::test_support::{EngineBehavior, Harness};

    const ROTATIONS: &str = r#"log_capturer_component_health{component_type="watchdog",component_name="rotations"}"#;
    const QUEUE: &str = r#"log_capturer_component_health{component_type="dispatcher",component_name="queue"}"#;

    fn harness() -> Harness {
        let harness = Harness::new(Config {
            rotate_every: Duration::from_secs(30),
            queue_lines: 1,
            ..Config::default()
        });
        harness.watch();
        for id in ["a", "b"] {
            harness.engine.start(id);
        }
        harness
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_that_is_a_minute_overdue_is_counted_once() {
        let harness = harness();
        let _finished = ["a", "b"].map(|id| harness.follow(id, Position::default()));
        harness
            .until("both streams", |harness| {
                harness.metric("log_capturer_container_streams_active") == 2.0
            })
            .await;
        harness.engine.set(EngineBehavior::Hanging);
        sleep(Duration::from_secs(30 + 55)).await;
        assert_eq!(
            (harness.errors("rotation_stuck"), harness.metric(ROTATIONS)),
            (0.0, 1.0)
        );
        sleep(Duration::from_secs(15)).await;
        assert_eq!(
            (harness.errors("rotation_stuck"), harness.metric(ROTATIONS)),
            (2.0, 0.0)
        );
        sleep(Duration::from_secs(600)).await;
        assert_eq!(harness.errors("rotation_stuck"), 2.0);

        harness.engine.set(EngineBehavior::Normal);
        harness
            .until("healthy again", |harness| harness.metric(ROTATIONS) == 1.0)
            .await;
        harness.engine.set(EngineBehavior::Hanging);
        sleep(Duration::from_secs(200)).await;
        assert_eq!(harness.errors("rotation_stuck"), 4.0, "each occurrence counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_sink_is_reported_as_a_full_queue_and_then_as_overdue_rotations() {
        let harness = harness();
        let stalled = harness.stall_sink().await;
        let _finished = ["a", "b"].map(|id| harness.follow(id, Position::default()));
        for id in ["a", "a", "b"] {
            // One read per line: the sink holds the first, and each follower one more.
            harness.engine.write(id, Stdout, "line");
            sleep(Duration::from_secs(1)).await;
        }
        sleep(CHECK_INTERVAL * 2).await;
        assert_eq!((harness.metric(QUEUE), harness.metric(ROTATIONS)), (0.0, 1.0));
        sleep(Duration::from_secs(30) + OVERDUE).await;
        assert_eq!(
            (harness.errors("rotation_stuck"), harness.metric(ROTATIONS)),
            (2.0, 0.0)
        );
        drop(stalled);
        harness
            .until("all is well", |harness| {
                harness.metric(QUEUE) + harness.metric(ROTATIONS) == 2.0
            })
            .await;
        assert_eq!((harness.lines("a").len(), harness.lines("b").len()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_slot_is_not_overdue() {
        let harness = Harness::new(Config {
            rotate_every: Duration::from_secs(30),
            streams: Some(1),
            ..Config::default()
        });
        harness.watch();
        let ids: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
        for id in &ids {
            harness.engine.start(id);
        }
        let _finished: Vec<_> = ids.iter().map(|id| harness.follow(id, Position::default())).collect();
        sleep(Duration::from_secs(1800)).await;
        assert_eq!(
            (harness.errors("rotation_stuck"), harness.metric(ROTATIONS)),
            (0.0, 1.0)
        );
    }
}
