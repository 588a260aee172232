//! One turn of a follower: a stream, read until it ends, and replaced without a seam as often as is due.
//!
//! The present stream and its [`successor`] are polled by this one task, so each line is judged in one place.

mod successor;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::{Follower, QUIET_FACTOR, TurnEnd};
use crate::assemble::Line;
use crate::buffer::Buffers;
use crate::chunk::Chunk;
use crate::frame::Form;
use crate::seam::{Approach, Join};
use crate::stream::{Batch, LogStream, StreamError};
use crate::task::Doing;
use successor::{Reason, Successor};

/// A line that began but did not end is delivered as a part after this time, so that it does not hold back positions.
const UNFINISHED_PATIENCE: Duration = Duration::from_secs(30);
/// With adaptive rotation, a container that writes fewer lines is a quiet one (from the FASE reports).
const LIVELY_LINES_PER_MINUTE: f64 = 10.0;

/// What happened next.
enum Happened {
    Permitted(Option<OwnedSemaphorePermit>),
    Opened(Result<LogStream, StreamError>),
    SuccessorRead(Result<Option<Batch>, StreamError>),
    Read(Result<Option<Batch>, StreamError>),
    Timer,
}

/// The streams that a turn has open.
struct Streams {
    current: LogStream,
    successor: Option<Successor>,
}

impl Follower {
    /// Reads the container's log until it ends or fails, or until others wait for the slot.
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
            self.entry.set(Doing::Inspecting);
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
        self.entry.set(Doing::Connecting);
        let join = self.position.join(self.escalated.take().unwrap_or(Approach::Since));
        let cap = self.shared.config.max_line_bytes;
        let mut stream = LogStream::open(&self.shared.client, &self.identity.id, self.form, cap, join.ask()).await?;
        stream.join_by(join);
        stream.after(self.repeated.take());
        self.opened();
        // The rotation clock starts anew with a stream; else one that waited long for its slot would look stuck.
        self.entry.rotated();
        Ok(stream)
    }

    fn opened(&self) {
        self.shared.metrics.streams_opened.inc();
        self.entry.stream_opened();
    }

    async fn read(&mut self, mut streams: Streams) -> TurnEnd {
        let shared = Arc::clone(&self.shared);
        let buffers = shared.client.buffers();
        let mut timer = pin!(sleep_until(self.next_due(&streams)));
        self.entry.set(Doing::Reading);
        loop {
            // The timer first: a socket that always has more, as behind a slow sink, would keep it waiting for ever.
            let happened = tokio::select! {
                biased;
                () = &mut timer => Happened::Timer,
                step = Successor::step(&mut streams.successor, buffers) => step,
                read = streams.current.read(buffers) => Happened::Read(read),
            };
            let mut chunk = Chunk::new(Arc::clone(&self.identity), self.position);
            let plain_read = matches!(happened, Happened::Read(_));
            let worked = self.on(happened, &mut streams, buffers, &mut chunk);
            // What was read before something failed is delivered all the same.
            if let Err(end) = self.deliver(chunk).await.and(worked) {
                return end;
            }
            // Reads alone only ever move the deadline further away: the timer finds that out when it fires.
            if !plain_read {
                timer.as_mut().reset(self.next_due(&streams));
            }
            self.entry.set(if streams.successor.is_some() {
                Doing::Rotating
            } else {
                Doing::Reading
            });
        }
    }

    fn on(
        &mut self,
        happened: Happened,
        streams: &mut Streams,
        buffers: &Buffers,
        chunk: &mut Chunk,
    ) -> Result<(), TurnEnd> {
        match happened {
            Happened::Read(Ok(Some(mut batch))) => {
                let other = streams.successor.as_mut().and_then(Successor::join);
                let worked = self.work(&mut streams.current, &mut batch, other, chunk);
                streams.current.done_with(batch, buffers);
                worked.map_err(TurnEnd::Failed)
            }
            Happened::Read(Ok(None)) => Err(self.on_end(&mut streams.current, chunk)),
            Happened::Read(Err(error)) => Err(TurnEnd::Failed(error)),
            Happened::Permitted(permit) => {
                self.on_permitted(permit, streams);
                Ok(())
            }
            Happened::Opened(Ok(stream)) => {
                self.on_opened(stream, streams, buffers);
                Ok(())
            }
            Happened::SuccessorRead(Ok(Some(batch))) => self.on_successor_read(batch, streams, buffers, chunk),
            Happened::SuccessorRead(Ok(None)) => {
                self.on_successor_end(streams);
                Ok(())
            }
            Happened::Opened(Err(error)) | Happened::SuccessorRead(Err(error)) => {
                self.give_up_successor(&error, streams);
                Ok(())
            }
            Happened::Timer => self.on_timer(streams, chunk),
        }
    }

    /// Queues what was read, waiting for room.
    async fn deliver(&mut self, mut chunk: Chunk) -> Result<(), TurnEnd> {
        if chunk.is_empty() {
            return Ok(());
        }
        chunk.after = self.position;
        self.lines_since_rotation += chunk.line_count() as u64;
        self.entry.took(self.position.newest());
        self.entry.set(Doing::Queueing);
        self.shared.queue.send(chunk).await.map_err(|_| TurnEnd::SinkGone)?;
        self.sent = self.position;
        Ok(())
    }

    /// Takes note of a line and puts it into the chunk. `other`: the join of a successor that must skip it.
    fn take(&mut self, line: &Line<'_>, quiet: bool, other: Option<&mut Join>, chunk: &mut Chunk) {
        if let Some(asked) = self.suspicion.take() {
            self.notice_if_overdue(line.time, asked);
        }
        self.position.record(line.stream, line.time, line.pieces, quiet);
        if let Some(join) = other {
            join.delivered(line.stream, line.time, line.pieces, &self.position);
        }
        chunk.push(line);
    }

    /// Takes all whole frames of a batch of the present stream.
    fn work(
        &mut self,
        stream: &mut LogStream,
        batch: &mut Batch,
        mut other: Option<&mut Join>,
        chunk: &mut Chunk,
    ) -> Result<(), StreamError> {
        chunk.expect(batch.len());
        while let Some(frame) = stream.next(batch)? {
            if stream.is_new(&frame)? {
                stream.in_order(&frame)?;
                stream.assembler.push(&frame, |line, quiet| {
                    self.take(&line, quiet, other.as_deref_mut(), chunk)
                });
            }
        }
        Ok(())
    }

    /// The present stream came to its end. If its container was over before it began, what is unfinished is all there
    /// will be; otherwise the rest may come yet, and the next stream reads all of it.
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
                    .push(&frame, |line, quiet| self.take(&line, quiet, None, chunk)),
                Err(error) => return TurnEnd::Failed(error),
            },
        }
        current
            .assembler
            .finish(|line, quiet| self.take(&line, quiet, None, chunk));
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
            .flush_older_than(UNFINISHED_PATIENCE, |line, quiet| {
                self.take(&line, quiet, other.as_mut().and_then(Successor::join), chunk);
            });
        if let Some(successor) = &mut streams.successor {
            successor.lose_patience(now);
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
            streams.successor = Some(self.succeed(Reason::Rotation, &streams.current));
        } else if now >= streams.current.last_read + self.shared.config.read_timeout {
            streams.successor = Some(self.succeed(Reason::Silence, &streams.current));
        }
        Ok(())
    }

    /// When the rotation after the one that was due at `due` is due: on the same grid, so that none is skipped for the
    /// time that rotating takes.
    fn rotation_after(&mut self, due: Instant, now: Instant) -> Instant {
        let config = &self.shared.config;
        let minutes = now.duration_since(self.rotated_at).as_secs_f64() / 60.0;
        let lively = self.lines_since_rotation as f64 >= LIVELY_LINES_PER_MINUTE * minutes;
        let quiet = config.adaptive_rotation && !lively;
        let interval = if quiet {
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
            due = due.min(Instant::now() + UNFINISHED_PATIENCE);
        }
        due
    }
}
