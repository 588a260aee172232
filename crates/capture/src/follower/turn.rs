//! One turn of a follower: a stream is read until it ends, and replaced without a gap whenever that is due.
//!
//! One task polls the current stream and its [`successor`], so there is no race between them.

mod rotation;
mod successor;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Follower, QUIET_FACTOR, TurnEnd};
use crate::assemble::Line;
use crate::buffer::Buffers;
use crate::chunk::Chunk;
use crate::frame::Form;
use crate::resume::{Join, ResumeStrategy};
use crate::stream::{Batch, LogStream, StreamError};
use crate::task::TaskState;
use successor::{Reason, Streams, Successor, TurnEvent};

/// The time after which an unfinished line is delivered as a part, so that it does not hold back the position.
const UNFINISHED_LINE_MAX_AGE: Duration = Duration::from_secs(30);
/// The rate below which adaptive rotation treats a container as quiet (from the FASE case study).
const QUIET_LINES_PER_MINUTE: f64 = 10.0;

impl Follower {
    /// Reads the container's log until it ends or fails, or until another container waits for the slot.
    pub(super) async fn turn(&mut self) -> TurnEnd {
        match self.open().await {
            Ok(current) => {
                self.read(Streams {
                    current,
                    successor: None,
                })
                .await
            }
            Err(error) => TurnEnd::Failed(error),
        }
    }

    async fn open(&mut self) -> Result<LogStream, StreamError> {
        if self.started_at.is_empty() {
            self.entry.set(TaskState::Inspecting);
            let container = self.shared.client.inspect(&self.identity.id).await?;
            self.form = if container.config.tty {
                Form::Raw
            } else {
                Form::Multiplexed
            };
            if !container.state.is_live() {
                self.ended_run = Some(container.state.started_at.clone());
            }
            self.started_at = container.state.started_at;
        }
        self.entry.set(TaskState::Connecting);
        let join = self
            .position
            .join(self.next_strategy.take().unwrap_or(ResumeStrategy::Since));
        let max_line_bytes = self.shared.config.max_line_bytes;
        let (client, id) = (&self.shared.client, &self.identity.id);
        let mut stream = LogStream::open(client, id, self.form, max_line_bytes, join.request()).await?;
        stream.start_join(join);
        stream.expect_regressed(self.regressed.take());
        self.stream_opened();
        // A follower that waited long for its slot must not count as stuck.
        self.entry.rotated();
        Ok(stream)
    }

    fn stream_opened(&self) {
        self.shared.metrics.streams_opened.inc();
        self.entry.stream_opened();
    }

    async fn read(&mut self, mut streams: Streams) -> TurnEnd {
        let shared = Arc::clone(&self.shared);
        let buffers = shared.client.buffers();
        let mut timer = pin!(sleep_until(self.next_due(&streams)));
        self.entry.set(TaskState::Reading);
        loop {
            // The timer comes first: a socket that always has bytes, as behind a slow sink, would starve it.
            let event = tokio::select! {
                biased;
                () = &mut timer => TurnEvent::Timer,
                event = Successor::next_event(&mut streams.successor, buffers) => event,
                read = streams.current.read(buffers) => TurnEvent::Read(read),
            };
            let mut chunk = Chunk::new(Arc::clone(&self.identity), self.position);
            let is_read = matches!(event, TurnEvent::Read(_));
            let handled = self.handle(event, &mut streams, buffers, &mut chunk);
            // Lines that were read before a failure are delivered.
            if let Err(end) = self.deliver(chunk).await.and(handled) {
                return end;
            }
            // A read only postpones the deadline; the timer notices that when it fires.
            if !is_read {
                timer.as_mut().reset(self.next_due(&streams));
            }
            self.entry.set(if streams.successor.is_some() {
                TaskState::Rotating
            } else {
                TaskState::Reading
            });
        }
    }

    fn handle(
        &mut self,
        event: TurnEvent,
        streams: &mut Streams,
        buffers: &Buffers,
        chunk: &mut Chunk,
    ) -> Result<(), TurnEnd> {
        match event {
            TurnEvent::Read(Ok(Some(mut batch))) => {
                let other = streams.successor.as_mut().and_then(Successor::join);
                let processed = self.process(&mut streams.current, &mut batch, other, chunk);
                streams.current.done_with(batch, buffers);
                processed.map_err(TurnEnd::Failed)
            }
            TurnEvent::Read(Ok(None)) => Err(self.on_end(&mut streams.current, chunk)),
            TurnEvent::Read(Err(error)) => Err(TurnEnd::Failed(error)),
            TurnEvent::Permitted(permit) => {
                self.on_permitted(permit, streams);
                Ok(())
            }
            TurnEvent::Opened(Ok(stream)) => {
                self.on_opened(stream, streams, buffers);
                Ok(())
            }
            TurnEvent::SuccessorRead(Ok(Some(batch))) => self.on_successor_read(batch, streams, buffers, chunk),
            TurnEvent::SuccessorRead(Ok(None)) => {
                self.on_successor_end(streams);
                Ok(())
            }
            TurnEvent::Opened(Err(error)) | TurnEvent::SuccessorRead(Err(error)) => {
                self.abandon_successor(&error, streams);
                Ok(())
            }
            TurnEvent::Timer => self.on_timer(streams, chunk),
        }
    }

    /// Queues the lines of `chunk`, and waits while the queue is full.
    async fn deliver(&mut self, mut chunk: Chunk) -> Result<(), TurnEnd> {
        if chunk.is_empty() {
            return Ok(());
        }
        chunk.after = self.position;
        self.lines_since_rotation += chunk.line_count() as u64;
        self.entry.lines_read(self.position.newest());
        self.entry.set(TaskState::Queueing);
        self.shared.queue.send(chunk).await.map_err(|_| TurnEnd::SinkGone)?;
        self.sent = self.position;
        Ok(())
    }

    /// Records a line in the position and adds it to the chunk. `other` is the join of a successor, which must skip it.
    fn add_line(&mut self, line: &Line<'_>, quiet: bool, other: Option<&mut Join>, chunk: &mut Chunk) {
        if let Some(requested_at) = self.suspected_dead.take() {
            self.report_if_overdue(line.time, requested_at);
        }
        self.position.record(line.stream, line.time, line.pieces, quiet);
        if let Some(join) = other {
            join.delivered(line.stream, line.time, line.pieces, &self.position);
        }
        chunk.push(line);
    }

    /// Processes all complete frames in a batch of the current stream.
    fn process(
        &mut self,
        stream: &mut LogStream,
        batch: &mut Batch,
        mut other: Option<&mut Join>,
        chunk: &mut Chunk,
    ) -> Result<(), StreamError> {
        chunk.reserve(batch.len());
        while let Some(frame) = stream.next(batch)? {
            if stream.is_new(&frame)? {
                stream.check_monotonic(&frame)?;
                stream.assembler.push(&frame, |line, quiet| {
                    self.add_line(&line, quiet, other.as_deref_mut(), chunk)
                });
            }
        }
        Ok(())
    }

    /// Handles the end of the current stream. If the container had stopped before the stream was opened, unfinished lines are
    /// delivered as they are. Otherwise the next stream reads them again.
    fn on_end(&mut self, current: &mut LogStream, chunk: &mut Chunk) -> TurnEnd {
        let rest = current.take_rest();
        match current.last(&rest) {
            Err(error) => return TurnEnd::Failed(error),
            Ok(_) if self.ended_run.is_none() => return TurnEnd::Ended,
            Ok(None) => {}
            Ok(Some(frame)) => match current.is_new(&frame) {
                Ok(false) => {}
                Ok(true) => current
                    .assembler
                    .push(&frame, |line, quiet| self.add_line(&line, quiet, None, chunk)),
                Err(error) => return TurnEnd::Failed(error),
            },
        }
        current
            .assembler
            .finish(|line, quiet| self.add_line(&line, quiet, None, chunk));
        match &current.join {
            Some(join) if !join.can_take_over() => TurnEnd::EndedEarly,
            _ => TurnEnd::Ended,
        }
    }

    fn on_timer(&mut self, streams: &mut Streams, chunk: &mut Chunk) -> Result<(), TurnEnd> {
        let now = Instant::now();
        let other = &mut streams.successor;
        streams
            .current
            .assembler
            .flush_older_than(UNFINISHED_LINE_MAX_AGE, |line, quiet| {
                self.add_line(&line, quiet, other.as_mut().and_then(Successor::join), chunk);
            });
        if let Some(successor) = &mut streams.successor {
            successor.return_overdue_permit(now);
            if now >= successor.deadline {
                self.shared.metrics.error("join_timeout");
                streams.successor = None;
            }
            return Ok(());
        }
        if now >= self.next_rotation {
            self.next_rotation = self.rotation_after(self.next_rotation, now);
            if self.shared.pool.waiting() > 0 {
                return Err(TurnEnd::Yielded);
            }
            streams.successor = Some(self.open_successor(Reason::Rotation, &streams.current));
        } else if now >= streams.current.last_read + self.shared.config.read_timeout {
            streams.successor = Some(self.open_successor(Reason::Silence, &streams.current));
        }
        Ok(())
    }

    /// Returns the time of the rotation after the one that was due at `due`. It is on the same grid, so that the duration of
    /// rotations does not add up.
    fn rotation_after(&mut self, due: Instant, now: Instant) -> Instant {
        let config = &self.shared.config;
        let minutes = now.duration_since(self.rotated_at).as_secs_f64() / 60.0;
        let is_lively = self.lines_since_rotation as f64 >= QUIET_LINES_PER_MINUTE * minutes;
        let interval = if config.adaptive_rotation && !is_lively {
            config.rotate_every * QUIET_FACTOR
        } else {
            config.rotate_every
        };
        self.lines_since_rotation = 0;
        self.rotated_at = now;
        let mut next = due + interval;
        while next <= now {
            next += interval;
        }
        next
    }

    fn next_due(&self, streams: &Streams) -> Instant {
        let mut due = match &streams.successor {
            Some(successor) => successor.next_due(),
            None => self
                .next_rotation
                .min(streams.current.last_read + self.shared.config.read_timeout),
        };
        if !streams.current.assembler.is_empty() {
            due = due.min(Instant::now() + UNFINISHED_LINE_MAX_AGE);
        }
        due
    }
}
