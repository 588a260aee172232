//! The follower of one container: a task that owns its position and its open streams.
//!
//! It works in turns. A turn has a slot and a stream, which is replaced at each rotation and after each long silence. The
//! successor is opened beside the old stream and joined to it exactly before that is closed (see [`turn`]). Between turns the
//! follower has neither: while it waits for a slot, backs off, or is paused by its circuit breaker.

#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::chunk::Identity;
use crate::config::Config;
use crate::frame::Form;
use crate::http::HttpError;
use crate::http::client::Client;
use crate::jitter::Backoff;
use crate::metrics::{ContainerLabels, Metrics};
use crate::monotonicity::RegressedFrame;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::resume::{Position, ResumeStrategy};
use crate::stream::StreamError;
use crate::task::{Entry, TaskState};
use crate::timestamp::Timestamp;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The time in which containers are followed again after a restart of the engine, roughly.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The age at which a stream counts as healthy, however it ended.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// The shortest time between two streams that were replaced for a regressed frame; before that the follower backs off.
const REGRESSION_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The factor by which adaptive rotation prolongs the interval of quiet containers (FASE case study: 15 min instead of 5).
pub(crate) const QUIET_FACTOR: u32 = 3;

/// The state that all followers share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) config: Config,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) queue: Queue,
    pub(crate) pool: Pool,
    /// Permits for successors that are open beside their predecessors.
    pub(crate) rotations: Arc<Semaphore>,
    /// Changes whenever the engine has become available again.
    pub(crate) engine_back: watch::Sender<u64>,
    /// The event stream is interrupted.
    pub(crate) engine_away: AtomicBool,
    /// The containers have been listed at least once.
    pub(crate) ready: AtomicBool,
    /// The wall clock, for comparison with the engine's timestamps.
    pub(crate) clock: fn() -> Timestamp,
}

impl Shared {
    /// Records that the engine accepts subscriptions, and wakes followers that wait for it.
    pub(crate) fn engine_is_available(&self) {
        self.metrics.component_is("engine", "events", true);
        if self.engine_away.swap(false, Ordering::Relaxed) {
            self.engine_back.send_modify(|times| *times = times.wrapping_add(1));
        }
    }

    /// Records that the event stream is interrupted.
    pub(crate) fn engine_is_away(&self) {
        self.metrics.component_is("engine", "events", false);
        self.engine_away.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if `error` concerns the engine as a whole and not one container.
    async fn is_engine_failure(&self, error: &StreamError) -> bool {
        if self.engine_away.load(Ordering::Relaxed) {
            return true;
        }
        match error {
            StreamError::Http(error) if error.is_engine_unavailable() => true,
            // A stopped process accepts connections and answers none.
            StreamError::Http(HttpError::NoAnswer { .. }) => self.client.is_engine_unresponsive().await,
            _ => false,
        }
    }
}

/// The reason for which a follower ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The container stopped, and its log was read to the end.
    Stopped,
    /// The engine no longer knows the container.
    Gone,
    /// The logging driver of the container cannot be read.
    Unreadable,
    /// The follower was cancelled, or the sink ended.
    Cancelled,
}

/// The final report of a follower.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) outcome: Outcome,
}

/// The follower of one container.
pub(crate) struct Follower {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Arc<Identity>,
    /// The position behind the last line read from a stream.
    position: Position,
    /// The position behind the last line in the queue.
    sent: Position,
    pub(crate) entry: Arc<Entry>,
    pub(crate) cancel: CancellationToken,
    labels: ContainerLabels,
    /// The strategy of the next stream, after the last one did not match the position.
    next_strategy: Option<ResumeStrategy>,
    form: Form,
    started_at: String,
    /// The `started_at` of the run that had ended before the current stream was opened, if any. The end of such a stream is
    /// the end of the log.
    ended_run: Option<String>,
    backoff: Backoff,
    failures: u32,
    /// The value of [`Shared::engine_back`] at the last failure. Failures before the engine's return do not count.
    engine_back_at_failure: u64,
    next_rotation: Instant,
    /// Lines delivered since the last rotation, for adaptive rotation.
    lines_since_rotation: u64,
    rotated_at: Instant,
    /// The time at which the successor of a silent stream was requested. If its first line is much older, the silent stream
    /// was dead.
    suspected_dead: Option<Timestamp>,
    /// The frame for which the last stream was replaced.
    regressed: Option<RegressedFrame>,
    /// A full read of the log has not matched the position once.
    has_mismatched: bool,
}

/// The end of a turn.
#[derive(Debug)]
enum TurnEnd {
    /// The stream ended properly.
    Ended,
    /// The stream of a finished log ended before it had shown everything that was delivered of it.
    EndedEarly,
    /// Another container waits for the slot.
    Yielded,
    Failed(StreamError),
    /// The sink has ended.
    SinkGone,
}

/// The step after a turn.
enum Next {
    Again,
    Pause(Duration, TaskState),
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
            next_strategy: None,
            form: Form::Multiplexed,
            started_at: String::new(),
            ended_run: None,
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            failures: 0,
            engine_back_at_failure: 0,
            next_rotation: Instant::now() + first_rotation,
            lines_since_rotation: 0,
            rotated_at: Instant::now(),
            suspected_dead: None,
            regressed: None,
            has_mismatched: false,
        }
    }

    /// Follows the container until it has stopped or is gone, then reports to `finished`.
    pub(crate) async fn run(mut self, finished: mpsc::Sender<Finished>) {
        self.shared.metrics.container_followed(&self.labels);
        let cancel = self.cancel.clone();
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Outcome::Cancelled,
            outcome = self.follow() => outcome,
        };
        self.entry.set(TaskState::Ending);
        self.entry.stream_closed();
        self.shared.metrics.container_left(&self.labels);
        let report = Finished {
            id: self.identity.id.clone(),
            name: self.identity.name.clone(),
            position: self.sent,
            outcome,
        };
        // Discovery receives until all followers have ended, unless it has panicked.
        let _ = finished.send(report).await;
    }

    async fn follow(&mut self) -> Outcome {
        loop {
            self.entry.set(TaskState::WaitingForSlot);
            let shared = Arc::clone(&self.shared);
            let slot = shared.pool.acquire().await;
            if slot.waited {
                // A turn lasts one interval, however long the wait was.
                self.next_rotation = Instant::now() + shared.config.rotate_every;
            }
            let end = self.turn().await;
            // Lines that were read and not queued will be read again.
            self.position = self.sent;
            // A request that took long to fail does not count as an open stream.
            let lasted = self.entry.stream_age().unwrap_or_default();
            self.entry.stream_closed();
            let next = self.after_turn(end, lasted).await;
            drop(slot);
            match next {
                Next::Again => {}
                Next::Finish(outcome) => return outcome,
                Next::Pause(pause, doing) => self.pause(pause, doing).await,
            }
        }
    }

    async fn pause(&mut self, pause: Duration, doing: TaskState) {
        self.entry.set(doing);
        let mut engine_back = self.shared.engine_back.subscribe();
        tokio::select! {
            () = sleep(pause) => {}
            // The sender lives as long as `shared`. A restarted engine also ends the pause of a circuit breaker.
            _ = engine_back.changed() => {}
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
            TurnEnd::Ended => self.after_end(Self::after_stop).await,
            TurnEnd::EndedEarly => self.after_end(Self::after_early_end).await,
            TurnEnd::Failed(StreamError::Mismatch { strategy, lost }) => {
                self.escalate(strategy, lost);
                Next::Again
            }
            TurnEnd::Failed(ref error @ StreamError::Regressed(frame)) => {
                // The engine repeated itself; this is not a failure of the log. Backing off bounds the requests if it does that
                // all the time.
                self.shared.metrics.error(error.kind());
                self.next_strategy = self.next_strategy.or(Some(ResumeStrategy::Tail));
                self.regressed = Some(frame);
                if lasted >= REGRESSION_INTERVAL_MIN {
                    Next::Again
                } else {
                    Next::Pause(self.backoff.pause(), TaskState::BackingOff)
                }
            }
            TurnEnd::Failed(error) => self.after_failure(&error).await,
        }
    }

    /// Handles a log that ended properly, which is right only if the container has stopped.
    async fn after_end(&mut self, if_stopped: impl FnOnce(&mut Self, String) -> Next) -> Next {
        self.entry.set(TaskState::Inspecting);
        match self.shared.client.inspect(&self.identity.id).await {
            Ok(now) if !now.state.is_live() => if_stopped(self, now.state.started_at),
            Ok(now) if now.state.started_at != self.started_at => {
                // The container was restarted.
                self.started_at = now.state.started_at;
                self.ended_run = None;
                Next::Again
            }
            Ok(_) => {
                self.shared.metrics.error("unexpected_end");
                self.next_after_failure()
            }
            Err(error) => self.after_failure(&error.into()).await,
        }
    }

    /// Handles a container that has stopped. A stream that was open at that moment may have ended before the last lines,
    /// because the engine stops following when the log's writer closes. So the log is read once more.
    fn after_stop(&mut self, run: String) -> Next {
        if self.ended_run.as_ref() == Some(&run) {
            return Next::Finish(Outcome::Stopped);
        }
        self.ended_run = Some(run);
        self.next_strategy = self.next_strategy.or(Some(ResumeStrategy::Tail));
        Next::Again
    }

    /// Handles a stopped container whose log lacks delivered lines: it may lack others as well. The log is read again until
    /// the circuit breaker trips, and then accepted.
    fn after_early_end(&mut self, run: String) -> Next {
        self.ended_run = Some(run);
        self.shared.metrics.error("unexpected_end");
        let next = self.next_after_failure();
        if matches!(next, Next::Pause(_, TaskState::Paused)) {
            self.next_strategy = Some(ResumeStrategy::Watermark);
        }
        next
    }

    /// Chooses the next strategy after the log did not match the position.
    fn escalate(&mut self, failed: ResumeStrategy, lost: bool) {
        match failed {
            ResumeStrategy::Tail => self.next_strategy = Some(ResumeStrategy::Since),
            ResumeStrategy::Since if !self.has_mismatched => {
                // A log that is read while the engine rotates its files may lack lines for a moment.
                self.has_mismatched = true;
                self.next_strategy = Some(ResumeStrategy::Since);
            }
            ResumeStrategy::Since | ResumeStrategy::Watermark => {
                self.has_mismatched = false;
                self.next_strategy = Some(ResumeStrategy::Watermark);
                self.position.invalidate_anchors();
                self.shared.metrics.error("seam_mismatch");
                if lost {
                    self.shared.metrics.gaps.inc();
                    tracing::warn!(
                        container = %self.identity.name,
                        "engine dropped log lines before they were read (log rotation: max-size, max-file)"
                    );
                } else {
                    self.shared.metrics.dropped.inc();
                }
            }
        }
    }

    async fn after_failure(&mut self, error: &StreamError) -> Next {
        self.shared.metrics.error(error.kind());
        match error {
            StreamError::Http(error) if error.status() == Some(404) => return Next::Finish(Outcome::Gone),
            StreamError::Http(error) if error.status() == Some(409) => return self.after_conflict().await,
            StreamError::Http(error) if is_unreadable(error) => {
                self.shared.metrics.error("unreadable");
                tracing::warn!(container = %self.identity.name, %error, "log cannot be read; container is skipped");
                return Next::Finish(Outcome::Unreadable);
            }
            _ => tracing::debug!(container = %self.identity.name, %error, "log stream failed"),
        }
        if self.shared.is_engine_failure(error).await {
            return Next::Pause(self.backoff.pause(), TaskState::BackingOff);
        }
        self.next_after_failure()
    }

    /// Handles a log that was refused because its container is dead or marked for removal. A container that still exists must
    /// not be given up, because a list would find it again and deliver it from its beginning.
    async fn after_conflict(&mut self) -> Next {
        match self.shared.client.inspect(&self.identity.id).await {
            Ok(now) if now.state.is_being_removed() => Next::Finish(Outcome::Gone),
            Err(error) if error.status() == Some(404) => Next::Finish(Outcome::Gone),
            _ => self.next_after_failure(),
        }
    }

    fn next_after_failure(&mut self) -> Next {
        let back = *self.shared.engine_back.borrow();
        if std::mem::replace(&mut self.engine_back_at_failure, back) != back {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures <= self.shared.config.breaker_failures {
            return Next::Pause(self.backoff.pause(), TaskState::BackingOff);
        }
        self.failures = 0;
        self.backoff.reset();
        self.shared.metrics.breaker_trips.inc();
        let pause = self.shared.config.breaker_pause;
        tracing::warn!(container = %self.identity.name, ?pause, "too many failures in a row; paused");
        Next::Pause(pause, TaskState::Paused)
    }
}

fn is_unreadable(error: &HttpError) -> bool {
    match error {
        HttpError::Status { status: 501, .. } => true,
        HttpError::Status { message, .. } => message.contains("does not support reading"),
        _ => false,
    }
}
