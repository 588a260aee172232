//! Rotation: a successor is opened beside the current stream and joined to it exactly.
//!
//! Make before break: the successor skips the delivered frames and takes over with its first other frame, or at once if both
//! stand at the same place. Until then the current stream is read, and if the successor fails it remains.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::successor::{Opening, PERMIT_TIME_MAX, Phase, Reason, Streams, Successor};
use crate::buffer::Buffers;
use crate::chunk::Chunk;
use crate::follower::{Follower, TurnEnd};
use crate::resume::{Join, ResumeStrategy};
use crate::stream::{Batch, LogStream, StreamError};
use crate::timestamp::Timestamp;

/// The time in which a successor must have caught up with the current stream.
const JOIN_DEADLINE: Duration = Duration::from_secs(10);
/// The longest wait for a permit: with 2 s per permit, 16 of them serve 480 hanging successors in this time.
const PERMIT_DEADLINE: Duration = Duration::from_secs(60);
/// A stream that read something this recently and is [`BACKLOG_NANOS`] behind has a backlog: its place in the log is far
/// from the end, and a short tail would not reach it.
const RECENT: Duration = Duration::from_millis(200);
const BACKLOG_NANOS: i64 = 2_000_000_000;
/// A line that the replaced stream should have brought this long ago proves that it was dead.
const OVERDUE: Duration = Duration::from_secs(1);

impl Follower {
    /// Starts to open a successor of `current`.
    pub(super) fn open_successor(&mut self, reason: Reason, current: &LogStream) -> Successor {
        let requested_at = (self.shared.clock)();
        let has_backlog =
            current.last_read.elapsed() < RECENT && self.position.newest().behind(requested_at) > BACKLOG_NANOS;
        let default = if has_backlog {
            ResumeStrategy::Since
        } else {
            ResumeStrategy::Tail
        };
        let join = self.position.join(self.next_strategy.take().unwrap_or(default));
        let join = Box::new(join);
        let (permit, phase) = match Arc::clone(&self.shared.rotations).try_acquire_owned() {
            Ok(permit) => (
                Some((permit, Instant::now() + PERMIT_TIME_MAX)),
                Phase::Opening(self.opening(&join), join),
            ),
            Err(_) => {
                let rotations = Arc::clone(&self.shared.rotations);
                // The semaphore is never closed.
                let permission = Box::pin(async move { rotations.acquire_owned().await.ok() });
                (None, Phase::AwaitingPermit(permission, join))
            }
        };
        let within = match phase {
            Phase::AwaitingPermit(..) => PERMIT_DEADLINE,
            _ => self.shared.config.connect_timeout + JOIN_DEADLINE,
        };
        Successor {
            reason,
            requested_at,
            deadline: Instant::now() + within,
            permit,
            phase,
        }
    }

    fn opening(&self, join: &Join) -> Opening {
        let (shared, identity, form, request) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.identity),
            self.form,
            join.request(),
        );
        Box::pin(async move {
            let max_line_bytes = shared.config.max_line_bytes;
            LogStream::open(&shared.client, &identity.id, form, max_line_bytes, request).await
        })
    }

    /// Opens the stream of a successor that has received its permit. Its deadline begins here.
    pub(super) fn on_permitted(&mut self, permit: Option<OwnedSemaphorePermit>, streams: &mut Streams) {
        let Some(mut successor) = streams.successor.take() else {
            return;
        };
        if let Phase::AwaitingPermit(_, join) = successor.phase {
            let now = Instant::now();
            successor.permit = permit.map(|permit| (permit, now + PERMIT_TIME_MAX));
            successor.deadline = now + self.shared.config.connect_timeout + JOIN_DEADLINE;
            successor.requested_at = (self.shared.clock)();
            // The join includes the lines that were delivered during the wait.
            successor.phase = Phase::Opening(self.opening(&join), join);
        }
        streams.successor = Some(successor);
    }

    pub(super) fn on_opened(&mut self, mut stream: LogStream, streams: &mut Streams, buffers: &Buffers) {
        let Some(mut successor) = streams.successor.take() else {
            return;
        };
        let Phase::Opening(_, join) = successor.phase else {
            return;
        };
        let can_take_over = join.can_take_over();
        stream.start_join(*join);
        if can_take_over {
            self.take_over(successor.reason, successor.requested_at, stream, streams, buffers);
        } else {
            successor.phase = Phase::Joining(Box::new(stream));
            streams.successor = Some(successor);
        }
    }

    /// Makes the successor the current stream, which closes the old one.
    fn take_over(
        &mut self,
        reason: Reason,
        requested_at: Timestamp,
        stream: LogStream,
        streams: &mut Streams,
        buffers: &Buffers,
    ) {
        let was_silent = streams.current.last_read.elapsed() > OVERDUE;
        // Unread bytes show that the old stream was alive and this daemon was late (a stalled sink, a suspended machine).
        self.suspected_dead = (was_silent && !streams.current.has_bytes(buffers)).then_some(requested_at);
        streams.current = stream;
        streams.successor = None;
        self.failures = 0;
        self.has_mismatched = false;
        self.backoff.reset();
        self.stream_opened();
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

    /// Processes bytes of the successor: skips delivered frames, and takes over with the first other frame.
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
        let Phase::Joining(mut stream) = successor.phase else {
            return Ok(());
        };
        match Self::skip_delivered(&mut stream, &mut batch) {
            Ok(true) => {}
            Ok(false) => {
                stream.done_with(batch, buffers);
                successor.phase = Phase::Joining(stream);
                streams.successor = Some(successor);
                return Ok(());
            }
            Err(error) => {
                successor.phase = Phase::Joining(stream);
                streams.successor = Some(successor);
                self.abandon_successor(&error, streams);
                return Ok(());
            }
        }
        self.take_over(successor.reason, successor.requested_at, *stream, streams, buffers);
        let processed = self.process(&mut streams.current, &mut batch, None, chunk);
        streams.current.done_with(batch, buffers);
        processed.map_err(TurnEnd::Failed)
    }

    /// Skips the delivered frames. Returns `true` once the stream stands at the end of what was delivered.
    fn skip_delivered(stream: &mut LogStream, batch: &mut Batch) -> Result<bool, StreamError> {
        loop {
            let before = batch.offset();
            let Some(frame) = stream.next(batch)? else {
                return Ok(false);
            };
            if stream.is_new(&frame)? {
                batch.rewind(before);
                return Ok(true);
            }
            if stream.join.is_none() {
                return Ok(true);
            }
        }
    }

    /// Handles a container that stopped while its successor was joining: the successor has not shown everything delivered.
    pub(super) fn on_successor_end(&mut self, streams: &mut Streams) {
        let Some(Successor {
            phase: Phase::Joining(stream),
            ..
        }) = &streams.successor
        else {
            return;
        };
        let strategy = stream
            .join
            .as_ref()
            .map_or(ResumeStrategy::Since, |join| join.strategy());
        self.abandon_successor(&StreamError::Mismatch { strategy, lost: false }, streams);
    }

    /// Drops the successor and stays with the current stream. After a mismatch another successor is opened at once.
    pub(super) fn abandon_successor(&mut self, error: &StreamError, streams: &mut Streams) {
        let Some(successor) = streams.successor.take() else {
            return;
        };
        if let StreamError::Mismatch { strategy, lost } = *error {
            self.escalate(strategy, lost);
            streams.successor = Some(self.open_successor(successor.reason, &streams.current));
            return;
        }
        self.shared.metrics.error(error.kind());
        tracing::debug!(container = %self.identity.name, %error, "successor failed; the current stream remains");
        // The next check for silence is due after another read timeout.
        streams.current.last_read = Instant::now();
    }

    /// Reports a dead stream if the successor's first line is one that the replaced stream should have brought.
    pub(super) fn report_if_overdue(&self, line: Timestamp, requested_at: Timestamp) {
        if Duration::from_nanos(line.behind(requested_at).unsigned_abs()) > OVERDUE {
            self.shared.metrics.error("reader_timeout");
            tracing::warn!(container = %self.identity.name, "log stream had stopped without ending; replaced");
        }
    }
}
