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
/// A stream that read something this recently and is this far behind is busy with a backlog: its place in the log is far
/// from the end, so a short tail would not reach it.
const BUSY: Duration = Duration::from_millis(200);
const BACKLOG_NANOS: i64 = 2_000_000_000;
/// A line that the old stream should have brought this long ago shows that it was dead.
const OVERDUE_NANOS: i64 = 1_000_000_000;

/// Why a stream is being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rotation,
    Silence,
}

type Opening = Pin<Box<dyn Future<Output = Result<(LogStream, Option<OwnedSemaphorePermit>), StreamError>> + Send>>;

/// A stream that is to replace the present one.
pub(super) struct Successor {
    reason: Reason,
    asked: Timestamp,
    pub(super) deadline: Instant,
    stage: Stage,
}

enum Stage {
    Opening(Opening, Box<Join>),
    Joining(LogStream, Option<OwnedSemaphorePermit>),
}

impl Successor {
    /// Resolves with the successor's next step; never, if there is none.
    pub(super) async fn step(this: &mut Option<Self>, buffers: &Buffers) -> Happened {
        match this.as_mut().map(|successor| &mut successor.stage) {
            None => std::future::pending().await,
            Some(Stage::Opening(opening, _)) => Happened::Opened(opening.await),
            Some(Stage::Joining(stream, _)) => Happened::SuccessorRead(stream.read(buffers).await),
        }
    }

    pub(super) fn join(&mut self) -> Option<&mut Join> {
        match &mut self.stage {
            Stage::Opening(_, join) => Some(join),
            Stage::Joining(stream, _) => stream.join.as_deref_mut(),
        }
    }
}

/// How far a successor has come.
enum Caught {
    NotYet,
    /// It stands where delivery does; `beyond` is the time of its first line that is not delivered, if it has one.
    Up {
        beyond: Option<Timestamp>,
    },
}

impl Follower {
    /// Begins to open a successor of `current`.
    pub(super) fn succeed(&mut self, reason: Reason, current: &LogStream) -> Successor {
        let asked = (self.shared.clock)();
        let busy = current.last_read.elapsed() < BUSY && self.position.newest().behind(asked) > BACKLOG_NANOS;
        let usual = if busy { Approach::Since } else { Approach::Tail };
        let join = self.position.join(self.escalated.take().unwrap_or(usual));
        let (shared, identity, form, ask) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.identity),
            self.form,
            join.ask(),
        );
        let opening = Box::pin(async move {
            let permit = Arc::clone(&shared.rotations).acquire_owned().await.ok();
            let cap = shared.config.max_line_bytes;
            let stream = LogStream::open(&shared.client, &identity.id, form, cap, ask).await?;
            Ok((stream, permit))
        });
        let deadline = Instant::now() + self.shared.config.connect_timeout + JOIN_DEADLINE;
        Successor {
            reason,
            asked,
            deadline,
            stage: Stage::Opening(opening, Box::new(join)),
        }
    }

    pub(super) fn on_opened(
        &mut self,
        mut stream: LogStream,
        permit: Option<OwnedSemaphorePermit>,
        streams: &mut Streams,
    ) {
        let Some(mut successor) = streams.successor.take() else {
            return;
        };
        let Stage::Opening(_, join) = successor.stage else {
            return;
        };
        let ready = join.can_take_over();
        stream.join_by(*join);
        if ready {
            self.take_over(successor.reason, stream, streams);
        } else {
            successor.stage = Stage::Joining(stream, permit);
            streams.successor = Some(successor);
        }
    }

    /// The successor becomes the present stream, which closes the old one.
    fn take_over(&mut self, reason: Reason, stream: LogStream, streams: &mut Streams) {
        streams.current = stream;
        streams.successor = None;
        self.failures = 0;
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
        let Some(Successor {
            reason,
            asked,
            deadline,
            stage: Stage::Joining(mut stream, permit),
        }) = streams.successor.take()
        else {
            return Ok(());
        };
        match Self::skip_delivered(&mut stream, &mut batch) {
            Ok(Caught::NotYet) => {
                stream.done_with(batch, buffers);
                let stage = Stage::Joining(stream, permit);
                streams.successor = Some(Successor {
                    reason,
                    asked,
                    deadline,
                    stage,
                });
                return Ok(());
            }
            Ok(Caught::Up { beyond }) => {
                if let Some(line) = beyond {
                    self.notice_if_overdue(line, asked, &streams.current);
                }
            }
            Err(error) => {
                let stage = Stage::Joining(stream, permit);
                streams.successor = Some(Successor {
                    reason,
                    asked,
                    deadline,
                    stage,
                });
                self.give_up_successor(&error, streams);
                return Ok(());
            }
        }
        self.take_over(reason, stream, streams);
        let worked = self.work(&mut streams.current, &mut batch, None, chunk);
        streams.current.done_with(batch, buffers);
        worked.map_err(TurnEnd::Failed)
    }

    /// Skips the frames that are delivered already.
    fn skip_delivered(stream: &mut LogStream, batch: &mut Batch) -> Result<Caught, StreamError> {
        loop {
            let before = batch.mark();
            let Some(frame) = stream.next(batch)? else {
                return Ok(Caught::NotYet);
            };
            let time = frame.time;
            if stream.is_new(&frame)? {
                batch.back_to(before);
                return Ok(Caught::Up { beyond: Some(time) });
            }
            if stream.join.is_none() {
                return Ok(Caught::Up { beyond: None });
            }
        }
    }

    /// The container stopped while the successor was joining. Had it shown all that was delivered, it would have taken over.
    pub(super) fn on_successor_end(&mut self, streams: &mut Streams) {
        let Some(Successor {
            stage: Stage::Joining(stream, _),
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
        // The silence was looked into; the next look is due after another deadline.
        streams.current.last_read = Instant::now();
    }

    /// A line that the successor brought first, though it is old, is one that the present stream should have brought.
    fn notice_if_overdue(&self, line: Timestamp, asked: Timestamp, current: &LogStream) {
        if line.behind(asked) > OVERDUE_NANOS
            && current.last_read.elapsed() > Duration::from_nanos(OVERDUE_NANOS as u64)
        {
            self.shared.metrics.error("reader_timeout");
            tracing::warn!(container = %self.identity.name, "log stream had stopped without ending; replaced");
        }
    }
}
