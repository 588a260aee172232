//! One container, followed: the task that owns its position and whatever streams it has open.
//!
//! It goes through turns. A turn has a slot and a stream, which is replaced at each rotation and whenever it was silent too
//! long; the successor is opened beside it and joined exactly before the old one is closed (see [`turn`]). Between turns
//! it has neither: while it waits for a slot, backs off, or is paused by its circuit breaker.

#[cfg(test)]
mod lifecycle;
mod turn;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::chunk::Identity;
use crate::config::Config;
use crate::frame::Form;
use crate::jitter::Backoff;
use crate::metrics::{ContainerLabels, Metrics};
use crate::pool::Pool;
use crate::queue::Queue;
use crate::seam::{Approach, Position};
use crate::stream::StreamError;
use crate::task::{Doing, Entry};
use crate::timestamp::Timestamp;
use crate::wire::WireError;
use crate::wire::request::Client;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// After an engine's restart everything is followed again within about this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A turn that lasted this long was no failure, however it ended.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// With adaptive rotation, a quiet container is rotated this much less often (FASE reports: 15 min instead of 5).
pub(crate) const QUIET_FACTOR: u32 = 3;

/// What all followers share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) queue: Queue,
    pub(crate) pool: Pool,
    /// Bounds the successors that are open beside their predecessors.
    pub(crate) rotations: Arc<Semaphore>,
    /// Changes whenever the engine is found to be back.
    pub(crate) engine_back: watch::Sender<u64>,
    pub(crate) ready: AtomicBool,
    /// The wall clock, to compare with the engine's timestamps.
    pub(crate) clock: fn() -> Timestamp,
}

/// How following a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stopped, and its log was read to the end.
    Stopped,
    /// The engine does not know it any more.
    Gone,
    /// Its logging driver cannot be read.
    Unreadable,
    /// We were told to stop.
    Cancelled,
}

/// The last word of a follower.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) outcome: Outcome,
}

/// Follows one container.
pub(crate) struct Follower {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Arc<Identity>,
    /// Behind the last line taken from a stream.
    position: Position,
    /// Behind the last line that the queue took.
    sent: Position,
    pub(crate) entry: Arc<Entry>,
    pub(crate) cancel: CancellationToken,
    labels: ContainerLabels,
    /// What the next stream must do without, after the last one did not fit.
    escalated: Option<Approach>,
    form: Form,
    started_at: String,
    /// The run (by its `started_at`) that was over before the present stream was opened, if one was: then the stream's end
    /// is the log's end.
    ended_run: Option<String>,
    backoff: Backoff,
    failures: u32,
    /// When the next rotation is due.
    next_rotation: Instant,
    /// Lines delivered since the last rotation, for the adaptive interval.
    lines_since_rotation: u64,
}

/// How a turn ended.
#[derive(Debug)]
enum TurnEnd {
    /// The stream came to its proper end.
    Ended,
    /// Others wait for the slot.
    Yielded,
    Failed(StreamError),
    /// Nothing can be delivered any more.
    SinkGone,
}

/// What to do after a turn.
enum Next {
    Again,
    Pause(Duration, Doing),
    Finish(Outcome),
}

impl Follower {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Arc<Identity>,
        position: Position,
        entry: Arc<Entry>,
        cancel: CancellationToken,
        first_rotation: Duration,
    ) -> Self {
        Self {
            labels: ContainerLabels::of(&identity),
            shared,
            identity,
            position,
            sent: position,
            entry,
            cancel,
            escalated: None,
            form: Form::Multiplexed,
            started_at: String::new(),
            ended_run: None,
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            failures: 0,
            next_rotation: Instant::now() + first_rotation,
            lines_since_rotation: 0,
        }
    }

    /// Follows until the container has stopped or is gone, then reports to `finished`.
    pub(crate) async fn run(mut self, finished: mpsc::Sender<Finished>) {
        self.shared.metrics.container_followed(&self.labels);
        let cancel = self.cancel.clone();
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Outcome::Cancelled,
            outcome = self.follow() => outcome,
        };
        self.entry.set(Doing::Ending);
        self.entry.stream_closed();
        self.shared.metrics.container_left(&self.labels);
        let last_word = Finished {
            id: self.identity.id.clone(),
            name: self.identity.name.clone(),
            position: self.sent,
            outcome,
        };
        // Discovery receives until all followers have ended; if it is gone, so is the need to know.
        let _ = finished.send(last_word).await;
    }

    async fn follow(&mut self) -> Outcome {
        loop {
            self.entry.set(Doing::WaitingForSlot);
            let shared = Arc::clone(&self.shared);
            let slot = shared.pool.acquire().await;
            let began = Instant::now();
            let end = self.turn().await;
            // What was taken from the stream and not queued goes with it.
            self.position = self.sent;
            self.entry.stream_closed();
            let next = self.after_turn(end, began.elapsed()).await;
            drop(slot);
            match next {
                Next::Again => {}
                Next::Finish(outcome) => return outcome,
                Next::Pause(pause, doing) => self.pause(pause, doing).await,
            }
        }
    }

    async fn pause(&mut self, pause: Duration, doing: Doing) {
        self.entry.set(doing);
        let mut engine_back = self.shared.engine_back.subscribe();
        tokio::select! {
            () = sleep(pause) => {}
            // The sender is in `shared`, which we hold. A breaker's pause is served in full.
            _ = engine_back.changed(), if doing == Doing::BackingOff => {}
        }
    }

    async fn after_turn(&mut self, end: TurnEnd, lasted: Duration) -> Next {
        if lasted >= HEALTHY_AFTER {
            self.failures = 0;
            self.backoff.reset();
        }
        match end {
            TurnEnd::SinkGone => Next::Finish(Outcome::Cancelled),
            TurnEnd::Yielded => Next::Again,
            TurnEnd::Ended => self.after_end().await,
            TurnEnd::Failed(StreamError::Mismatch { approach, lost }) => {
                self.escalate(approach, lost);
                Next::Again
            }
            TurnEnd::Failed(error) => self.after_failure(&error),
        }
    }

    /// The log ended properly: that is right if the container stopped, and only then.
    async fn after_end(&mut self) -> Next {
        self.entry.set(Doing::Inspecting);
        match self.shared.client.inspect(&self.identity.id).await {
            Ok(now) if !now.state.is_live() => self.after_stop(now.state.started_at),
            Ok(now) if now.state.started_at != self.started_at => {
                // It was stopped and started meanwhile.
                self.started_at = now.state.started_at;
                self.ended_run = None;
                Next::Again
            }
            Ok(_) => {
                self.shared.metrics.error("unexpected_end");
                self.next_after_failure()
            }
            Err(error) => self.after_failure(&error.into()),
        }
    }

    /// The container has stopped. A stream that was open when it did may have ended before the last lines (the engine's
    /// follower gives up when the log's writer closes, whatever it has yet to read), so the log is looked at once more.
    fn after_stop(&mut self, run: String) -> Next {
        if self.ended_run.as_ref() == Some(&run) {
            return Next::Finish(Outcome::Stopped);
        }
        self.ended_run = Some(run);
        self.escalated = self.escalated.or(Some(Approach::Tail));
        Next::Again
    }

    /// The log does not contain what the last request counted on: the next one counts on less.
    fn escalate(&mut self, failed: Approach, lost: bool) {
        match failed {
            Approach::Tail => self.escalated = Some(Approach::Since),
            Approach::Since | Approach::Watermark => {
                self.escalated = Some(Approach::Watermark);
                self.position.distrust_marks();
                self.shared.metrics.error("seam_mismatch");
                if lost {
                    self.shared.metrics.gaps.inc();
                    tracing::warn!(
                        container = %self.identity.name,
                        "engine dropped log lines before they were read (log rotation: max-size, max-file)"
                    );
                }
            }
        }
    }

    fn after_failure(&mut self, error: &StreamError) -> Next {
        self.shared.metrics.error(error.kind());
        match error {
            StreamError::Wire(error) if is_gone(error) => return Next::Finish(Outcome::Gone),
            StreamError::Wire(error) if is_unreadable(error) => {
                self.shared.metrics.error("unreadable");
                tracing::warn!(container = %self.identity.name, %error, "log cannot be read; container is skipped");
                return Next::Finish(Outcome::Unreadable);
            }
            StreamError::Wire(error) if error.is_engine_away() => {
                // Not this container's fault: every one of them fails now.
                return Next::Pause(self.backoff.pause(), Doing::BackingOff);
            }
            _ => tracing::debug!(container = %self.identity.name, %error, "log stream failed"),
        }
        self.next_after_failure()
    }

    fn next_after_failure(&mut self) -> Next {
        self.failures += 1;
        if self.failures <= self.shared.config.breaker_failures {
            return Next::Pause(self.backoff.pause(), Doing::BackingOff);
        }
        self.failures = 0;
        self.backoff.reset();
        self.shared.metrics.breaker_trips.inc();
        let pause = self.shared.config.breaker_pause;
        tracing::warn!(container = %self.identity.name, ?pause, "too many failures in a row; paused");
        Next::Pause(pause, Doing::Paused)
    }
}

fn is_gone(error: &WireError) -> bool {
    // 409: dead or marked for removal.
    matches!(error.status(), Some(404 | 409))
}

fn is_unreadable(error: &WireError) -> bool {
    match error {
        WireError::Status { status: 501, .. } => true,
        WireError::Status { message, .. } => message.contains("does not support reading"),
        _ => false,
    }
}
