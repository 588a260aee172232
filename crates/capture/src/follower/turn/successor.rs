//! The successor: a stream opened beside the one that it will replace, and joined to it exactly.
//!
//! Make before break: it skips what is delivered and takes over with its first frame that is not, or at once when both stand
//! at the same place. Until then the present stream reads on, and if the successor fails it goes on as before.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Follower, Happened, Streams, TurnEnd};
use crate::buffer::Buffers;
use crate::chunk::Chunk;
use crate::seam::{Approach, Join};
use crate::stream::{Batch, LogStream, StreamError};
use crate::timestamp::Timestamp;

/// A successor that has not caught up by then is given up; the old stream reads on.
const JOIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long it may keep others from being opened, if it does not get on.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may wait for its turn to be opened: with a permit for 2 s at most, 16 of them serve 480 hung ones by then.
const WAIT_DEADLINE: Duration = Duration::from_secs(60);
/// A stream that read something this recently and is this far behind is busy with a backlog: its place in the log is far
/// from the end, so a short tail would not reach it.
const BUSY: Duration = Duration::from_millis(200);
const BACKLOG_NANOS: i64 = 2_000_000_000;
/// A line that the old stream should have brought this long ago shows that it was dead.
const OVERDUE: Duration = Duration::from_secs(1);

/// Why a stream is being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rotation,
    Silence,
}

type Opening = Pin<Box<dyn Future<Output = Result<LogStream, StreamError>> + Send>>;
type Permission = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// A stream that is to replace the present one.
pub(super) struct Successor {
    reason: Reason,
    asked: Timestamp,
    pub(super) deadline: Instant,
    /// The right to be open beside the present stream, and until when it is kept.
    permit: Option<(OwnedSemaphorePermit, Instant)>,
    stage: Stage,
}

enum Stage {
    /// Others are being opened.
    Waiting(Permission, Box<Join>),
    Opening(Opening, Box<Join>),
    Joining(Box<LogStream>),
}

impl Successor {
    /// Resolves with the successor's next step; never, if there is none.
    pub(super) async fn step(this: &mut Option<Self>, buffers: &Buffers) -> Happened {
        match this.as_mut().map(|successor| &mut successor.stage) {
            None => std::future::pending().await,
            Some(Stage::Waiting(permission, _)) => Happened::Permitted(permission.await),
            Some(Stage::Opening(opening, _)) => Happened::Opened(opening.await),
            Some(Stage::Joining(stream)) => Happened::SuccessorRead(stream.read(buffers).await),
        }
    }

    /// When something about it must be looked at, if nothing happens.
    pub(super) fn next_due(&self) -> Instant {
        let patience = self.permit.as_ref().map(|(_, until)| *until);
        patience.map_or(self.deadline, |until| until.min(self.deadline))
    }

    /// Gives its permit back if it has had it long enough: one that hangs must not hold up everyone's rotation.
    pub(super) fn lose_patience(&mut self, now: Instant) {
        self.permit.take_if(|(_, until)| now >= *until);
    }

    pub(super) fn join(&mut self) -> Option<&mut Join> {
        match &mut self.stage {
            Stage::Waiting(_, join) | Stage::Opening(_, join) => Some(join),
            Stage::Joining(stream) => stream.join.as_deref_mut(),
        }
    }
}

impl Follower {
    /// Begins to open a successor of `current`.
    pub(super) fn succeed(&mut self, reason: Reason, current: &LogStream) -> Successor {
        let asked = (self.shared.clock)();
        let busy = current.last_read.elapsed() < BUSY && self.position.newest().behind(asked) > BACKLOG_NANOS;
        let usual = if busy { Approach::Since } else { Approach::Tail };
        let join = self.position.join(self.escalated.take().unwrap_or(usual));
        let join = Box::new(join);
        let (permit, stage) = match Arc::clone(&self.shared.rotations).try_acquire_owned() {
            Ok(permit) => (
                Some((permit, Instant::now() + PATIENCE)),
                Stage::Opening(self.opening(&join), join),
            ),
            // The semaphore is never closed.
            Err(_) => {
                let rotations = Arc::clone(&self.shared.rotations);
                let permission = Box::pin(async move { rotations.acquire_owned().await.ok() });
                (None, Stage::Waiting(permission, join))
            }
        };
        let within = match stage {
            Stage::Waiting(..) => WAIT_DEADLINE,
            _ => self.shared.config.connect_timeout + JOIN_DEADLINE,
        };
        Successor {
            reason,
            asked,
            deadline: Instant::now() + within,
            permit,
            stage,
        }
    }

    fn opening(&self, join: &Join) -> Opening {
        let (shared, identity, form, ask) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.identity),
            self.form,
            join.ask(),
        );
        Box::pin(async move {
            let cap = shared.config.max_line_bytes;
            LogStream::open(&shared.client, &identity.id, form, cap, ask).await
        })
    }

    /// It may open its stream now; its time begins here, however long it waited for the others.
    pub(super) fn on_permitted(&mut self, permit: Option<OwnedSemaphorePermit>, streams: &mut Streams) {
        let Some(mut successor) = streams.successor.take() else {
            return;
        };
        if let Stage::Waiting(_, join) = successor.stage {
            let now = Instant::now();
            successor.permit = permit.map(|permit| (permit, now + PATIENCE));
            successor.deadline = now + self.shared.config.connect_timeout + JOIN_DEADLINE;
            successor.asked = (self.shared.clock)();
            // What was delivered while it waited is in the join already.
            successor.stage = Stage::Opening(self.opening(&join), join);
        }
        streams.successor = Some(successor);
    }

    pub(super) fn on_opened(&mut self, mut stream: LogStream, streams: &mut Streams, buffers: &Buffers) {
        let Some(mut successor) = streams.successor.take() else {
            return;
        };
        let Stage::Opening(_, join) = successor.stage else {
            return;
        };
        let ready = join.can_take_over();
        stream.join_by(*join);
        if ready {
            self.take_over(successor.reason, successor.asked, stream, streams, buffers);
        } else {
            successor.stage = Stage::Joining(Box::new(stream));
            streams.successor = Some(successor);
        }
    }

    /// The successor becomes the present stream, which closes the old one.
    fn take_over(
        &mut self,
        reason: Reason,
        asked: Timestamp,
        stream: LogStream,
        streams: &mut Streams,
        buffers: &Buffers,
    ) {
        let silent = streams.current.last_read.elapsed() > OVERDUE;
        // Bytes that it has brought and we have not read yet (a sink that stalled, a machine that slept) acquit it.
        self.suspicion = (silent && !streams.current.has_bytes(buffers)).then_some(asked);
        streams.current = stream;
        streams.successor = None;
        self.failures = 0;
        self.doubted = false;
        self.backoff.reset();
        self.opened();
        match reason {
            Reason::Rotation => {
                self.entry.rotated();
                self.shared.metrics.rotated(&self.labels);
            }
            Reason::Silence => {
                self.shared.metrics.idle_reopens.inc();
            }
        }
    }

    /// Works on what the successor read: skips what is delivered, and takes over with the first frame that is not.
    pub(super) fn on_successor_read(
        &mut self,
        mut batch: Batch,
        streams: &mut Streams,
        buffers: &Buffers,
        chunk: &mut Chunk,
    ) -> Result<(), TurnEnd> {
        let Some(mut successor) = streams.successor.take() else {
            return Ok(());
        };
        let Stage::Joining(mut stream) = successor.stage else {
            return Ok(());
        };
        match Self::skip_delivered(&mut stream, &mut batch) {
            Ok(true) => {}
            Ok(false) => {
                stream.done_with(batch, buffers);
                successor.stage = Stage::Joining(stream);
                streams.successor = Some(successor);
                return Ok(());
            }
            Err(error) => {
                successor.stage = Stage::Joining(stream);
                streams.successor = Some(successor);
                self.give_up_successor(&error, streams);
                return Ok(());
            }
        }
        self.take_over(successor.reason, successor.asked, *stream, streams, buffers);
        let worked = self.work(&mut streams.current, &mut batch, None, chunk);
        streams.current.done_with(batch, buffers);
        worked.map_err(TurnEnd::Failed)
    }

    /// Skips the frames that are delivered already; true once it stands where delivery does.
    fn skip_delivered(stream: &mut LogStream, batch: &mut Batch) -> Result<bool, StreamError> {
        loop {
            let before = batch.mark();
            let Some(frame) = stream.next(batch)? else {
                return Ok(false);
            };
            if stream.is_new(&frame)? {
                batch.back_to(before);
                return Ok(true);
            }
            if stream.join.is_none() {
                return Ok(true);
            }
        }
    }

    /// The container stopped while the successor was joining. Had it shown all that was delivered, it would have taken over.
    pub(super) fn on_successor_end(&mut self, streams: &mut Streams) {
        let Some(Successor {
            stage: Stage::Joining(stream),
            ..
        }) = &streams.successor
        else {
            return;
        };
        let approach = stream.join.as_ref().map_or(Approach::Since, |join| join.approach());
        self.give_up_successor(&StreamError::Mismatch { approach, lost: false }, streams);
    }

    /// The present stream reads on. If the successor only counted on too much, another one is opened at once.
    pub(super) fn give_up_successor(&mut self, error: &StreamError, streams: &mut Streams) {
        let Some(successor) = streams.successor.take() else {
            return;
        };
        if let StreamError::Mismatch { approach, lost } = *error {
            self.escalate(approach, lost);
            streams.successor = Some(self.succeed(successor.reason, &streams.current));
            return;
        }
        self.shared.metrics.error(error.kind());
        tracing::debug!(container = %self.identity.name, %error, "successor failed; the present stream reads on");
        // The silence was looked into as far as it could be; the next look is due after another deadline.
        streams.current.last_read = Instant::now();
    }

    /// A line that the successor brought first, though it is old, is one that the silent stream should have brought.
    pub(super) fn notice_if_overdue(&self, line: Timestamp, asked: Timestamp) {
        if Duration::from_nanos(line.behind(asked).unsigned_abs()) > OVERDUE {
            self.shared.metrics.error("reader_timeout");
            tracing::warn!(container = %self.identity.name, "log stream had stopped without ending; replaced");
        }
    }
}
