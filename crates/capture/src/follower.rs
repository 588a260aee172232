//! One container, followed: the task that owns its position and whatever streams it has open.
//!
//! It goes through turns. A turn has a slot and a stream, which is replaced at each rotation and whenever it was silent too
//! long; the successor is opened beside it and joined exactly before the old one is closed (see [`turn`]). Between turns
//! it has neither: while it waits for a slot, backs off, or is paused by its circuit breaker.

#[cfg(test)]
mod any_schedule;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod lifecycle;
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
use crate::jitter::Backoff;
use crate::metrics::{ContainerLabels, Metrics};
use crate::order::Doubted;
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
/// A stream that was open for this long was no failure, however it ended.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A stream that brings a line again this soon after the one before it did is left alone for a while.
const REPEATED_AT_MOST: Duration = Duration::from_secs(1);

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
    /// Changes whenever the engine is found to be back, having been away.
    pub(crate) engine_back: watch::Sender<u64>,
    /// Its events are cut off.
    pub(crate) engine_away: AtomicBool,
    pub(crate) ready: AtomicBool,
    /// The wall clock, to compare with the engine's timestamps.
    pub(crate) clock: fn() -> Timestamp,
}

impl Shared {
    /// The engine takes a subscription: whoever waits for it may try again.
    pub(crate) fn engine_answers(&self) {
        self.metrics.component_is("engine", "events", true);
        if self.engine_away.swap(false, Ordering::Relaxed) {
            // Its value does not matter, only that it changes.
            self.engine_back.send_modify(|times| *times = times.wrapping_add(1));
        }
    }

    /// Its events are cut off.
    pub(crate) fn engine_is_away(&self) {
        self.metrics.component_is("engine", "events", false);
        self.engine_away.store(true, Ordering::Relaxed);
    }

    /// True if `error` says nothing about one container, because the engine as a whole does not answer now.
    async fn is_engines_fault(&self, error: &StreamError) -> bool {
        if self.engine_away.load(Ordering::Relaxed) {
            return true;
        }
        match error {
            StreamError::Wire(error) if error.is_engine_away() => true,
            // A process that was stopped takes connections and says nothing, to nobody.
            StreamError::Wire(WireError::NoAnswer { .. }) => self.client.is_engine_silent().await,
            _ => false,
        }
    }
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
    /// How often the engine had been found to be back at the last failure: those before its return are forgiven.
    failed_at: u64,
    /// When the next rotation is due.
    next_rotation: Instant,
    /// Lines delivered since the last rotation, and when that was, for the adaptive interval.
    lines_since_rotation: u64,
    rotated_at: Instant,
    /// The stream that was replaced had been silent, and its successor was asked for at this time: if the first line that
    /// it brings is much older, the silence was not the container's.
    suspicion: Option<Timestamp>,
    /// The last stream was left because it brought this.
    repeated: Option<Doubted>,
    /// The log was read once and did not hold what was delivered.
    doubted: bool,
}

/// How a turn ended.
#[derive(Debug)]
enum TurnEnd {
    /// The stream came to its proper end.
    Ended,
    /// The same, but of a log that is over, and before it had shown all that was delivered of it.
    EndedEarly,
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
            failed_at: 0,
            next_rotation: Instant::now() + first_rotation,
            lines_since_rotation: 0,
            rotated_at: Instant::now(),
            suspicion: None,
            repeated: None,
            doubted: false,
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
            if slot.waited {
                // A turn is an interval long, however long it had to be waited for.
                self.next_rotation = Instant::now() + shared.config.rotate_every;
            }
            let end = self.turn().await;
            // What was taken from the stream and not queued goes with it.
            self.position = self.sent;
            // A request that took long to fail is no stream that lasted.
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

    async fn pause(&mut self, pause: Duration, doing: Doing) {
        self.entry.set(doing);
        let mut engine_back = self.shared.engine_back.subscribe();
        tokio::select! {
            () = sleep(pause) => {}
            // The sender is in `shared`, which we hold. An engine that was away is another one: it ends a breaker's pause too.
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
            TurnEnd::Failed(StreamError::Mismatch { approach, lost }) => {
                self.escalate(approach, lost);
                Next::Again
            }
            TurnEnd::Failed(ref error @ StreamError::Repeated(frame)) => {
                // The engine's fault and no failure: the next stream is joined where this one was right. An engine that does
                // nothing else is not asked in a circle.
                self.shared.metrics.error(error.kind());
                self.escalated = self.escalated.or(Some(Approach::Tail));
                self.repeated = Some(frame);
                if lasted >= REPEATED_AT_MOST {
                    Next::Again
                } else {
                    Next::Pause(self.backoff.pause(), Doing::BackingOff)
                }
            }
            TurnEnd::Failed(error) => self.after_failure(&error).await,
        }
    }

    /// The log ended properly: that is right if the container stopped, and only then.
    async fn after_end(&mut self, if_stopped: impl FnOnce(&mut Self, String) -> Next) -> Next {
        self.entry.set(Doing::Inspecting);
        match self.shared.client.inspect(&self.identity.id).await {
            Ok(now) if !now.state.is_live() => if_stopped(self, now.state.started_at),
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
            Err(error) => self.after_failure(&error.into()).await,
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

    /// The container has stopped, but a log that lacks what was delivered of it may lack what was not as well: it is asked for
    /// until the breaker trips, and then believed.
    fn after_early_end(&mut self, run: String) -> Next {
        self.ended_run = Some(run);
        self.shared.metrics.error("unexpected_end");
        let next = self.next_after_failure();
        if matches!(next, Next::Pause(_, Doing::Paused)) {
            self.escalated = Some(Approach::Watermark);
        }
        next
    }

    /// The log does not contain what the last request counted on: the next one counts on less.
    fn escalate(&mut self, failed: Approach, lost: bool) {
        match failed {
            Approach::Tail => self.escalated = Some(Approach::Since),
            Approach::Since if !self.doubted => {
                // A log that is read at the moment at which the engine rotates its files may have a hole that is none.
                self.doubted = true;
                self.escalated = Some(Approach::Since);
            }
            Approach::Since | Approach::Watermark => {
                self.doubted = false;
                self.escalated = Some(Approach::Watermark);
                self.position.distrust_marks();
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
            StreamError::Wire(error) if error.status() == Some(404) => return Next::Finish(Outcome::Gone),
            StreamError::Wire(error) if error.status() == Some(409) => return self.after_conflict().await,
            StreamError::Wire(error) if is_unreadable(error) => {
                self.shared.metrics.error("unreadable");
                tracing::warn!(container = %self.identity.name, %error, "log cannot be read; container is skipped");
                return Next::Finish(Outcome::Unreadable);
            }
            _ => tracing::debug!(container = %self.identity.name, %error, "log stream failed"),
        }
        if self.shared.is_engines_fault(error).await {
            // Not this container's: every one of them fails now.
            return Next::Pause(self.backoff.pause(), Doing::BackingOff);
        }
        self.next_after_failure()
    }

    /// The log was refused as that of a container that is dead or marked for removal. One that is not would, given up, be found
    /// again by a list and delivered from its beginning.
    async fn after_conflict(&mut self) -> Next {
        match self.shared.client.inspect(&self.identity.id).await {
            Ok(now) if now.state.is_going() => Next::Finish(Outcome::Gone),
            Err(error) if error.status() == Some(404) => Next::Finish(Outcome::Gone),
            _ => self.next_after_failure(),
        }
    }

    fn next_after_failure(&mut self) -> Next {
        let back = *self.shared.engine_back.borrow();
        if std::mem::replace(&mut self.failed_at, back) != back {
            self.failures = 0;
        }
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

fn is_unreadable(error: &WireError) -> bool {
    match error {
        WireError::Status { status: 501, .. } => true,
        WireError::Status { message, .. } => message.contains("does not support reading"),
        _ => false,
    }
}
