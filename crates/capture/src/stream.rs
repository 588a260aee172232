//! A followed log stream: a connection, a decoder, an assembler, and a join if that is not finished.
//!
//! State that ends with the stream is kept here; the position belongs to the container.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::assemble::Assembler;
use crate::buffer::Buffers;
use crate::frame::{Decoder, Form, Frame, FrameError};
use crate::http::HttpError;
use crate::http::client::{Body, Client};
use crate::monotonicity::{MonotonicityCheck, RegressedFrame};
use crate::resume::{FrameStatus, Join, LogRequest, ResumeStrategy};

/// The reason for which a stream cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("log does not contain the delivered lines")]
    Mismatch {
        /// The strategy of the request.
        strategy: ResumeStrategy,
        /// Undelivered lines are gone too.
        lost: bool,
    },
    #[error("log stream went back in time")]
    Regressed(RegressedFrame),
}

impl StreamError {
    /// The `kind` label of `log_capturer_stream_errors_total`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.kind(),
            Self::Frame(FrameError::Truncated(_)) => "truncated",
            Self::Frame(FrameError::Engine(_)) => "engine",
            Self::Frame(_) => "protocol",
            Self::Mismatch { .. } => "seam_mismatch",
            Self::Regressed(_) => "repeated",
        }
    }
}

/// The time after opening in which a stream sends what is in the log already. Later frames may be new repetitions.
const BACKLOG_TIME: Duration = Duration::from_millis(500);

/// Bytes of a stream that were read and are being processed.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    offset: usize,
}

impl Batch {
    /// Returns the number of bytes that are not processed yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.offset
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Goes back to an earlier offset.
    pub(crate) fn rewind(&mut self, offset: usize) {
        self.offset = offset;
    }
}

/// A log stream that is being followed.
pub(crate) struct LogStream {
    body: Body,
    decoder: Decoder,
    /// The beginning of a frame whose end has not come yet.
    carry: Vec<u8>,
    pub(crate) assembler: Assembler,
    monotonicity: MonotonicityCheck,
    /// The frame for which the stream before this one was replaced, and a time. If it comes first of all new frames and
    /// before that time, it is no repetition. Boxed, because few streams have one.
    expected_regression: Option<Box<(RegressedFrame, Instant)>>,
    /// Boxed, because a stream needs it only at first.
    pub(crate) join: Option<Box<Join>>,
    /// The time of the last read.
    pub(crate) last_read: Instant,
}

impl LogStream {
    /// Opens the log of container `id`. Frames may be used only after [`Self::start_join`].
    ///
    /// # Errors
    /// [`StreamError`] if the engine does not answer with a log.
    pub(crate) async fn open(
        client: &Client,
        id: &str,
        form: Form,
        max_line_bytes: usize,
        request: LogRequest,
    ) -> Result<Self, StreamError> {
        let body = client.logs(id, request).await?;
        let now = Instant::now();
        Ok(Self {
            body,
            decoder: Decoder::new(form),
            carry: Vec::new(),
            assembler: Assembler::new(max_line_bytes),
            monotonicity: MonotonicityCheck::default(),
            expected_regression: None,
            join: None,
            last_read: now,
        })
    }

    /// Starts to skip the frames that `join` knows as delivered.
    pub(crate) fn start_join(&mut self, join: Join) {
        self.monotonicity.set_delivered(join.delivered_until());
        self.join = (!join.is_done()).then(|| Box::new(join));
    }

    /// Sets the frame for which the stream before this one was replaced.
    pub(crate) fn expect_regressed(&mut self, frame: Option<RegressedFrame>) {
        self.expected_regression = frame.map(|frame| Box::new((frame, Instant::now() + BACKLOG_TIME)));
    }

    /// Waits for bytes; `None` at the proper end. Cancel-safe. It holds no buffer while it waits.
    ///
    /// # Errors
    /// [`StreamError`] if the connection breaks.
    pub(crate) async fn read(&mut self, buffers: &Buffers) -> Result<Option<Batch>, StreamError> {
        let batch = self.body.read(buffers, &self.carry).await?;
        self.last_read = Instant::now();
        Ok(batch.map(|bytes| {
            self.carry = Vec::new();
            Batch { bytes, offset: 0 }
        }))
    }

    /// Returns `true` if there are unread bytes, without waiting. It drops them, so the stream cannot be used afterwards.
    pub(crate) fn has_bytes(&mut self, buffers: &Buffers) -> bool {
        let read = pin!(self.body.read(buffers, &[]));
        match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(bytes))) => {
                buffers.put(bytes);
                true
            }
            _ => false,
        }
    }

    /// Returns the next frame of `batch`; `None` if the rest is not a complete frame.
    ///
    /// # Errors
    /// [`StreamError`] if the bytes are not a frame.
    pub(crate) fn next<'a>(&mut self, batch: &'a mut Batch) -> Result<Option<Frame<'a>>, StreamError> {
        let Some((frame, used)) = self.decoder.next(&batch.bytes[batch.offset..])? else {
            return Ok(None);
        };
        batch.offset += used;
        Ok(Some(frame))
    }

    /// Keeps the rest of `batch` for the next read, and returns its buffer.
    pub(crate) fn done_with(&mut self, batch: Batch, buffers: &Buffers) {
        let rest = &batch.bytes[batch.offset..];
        if !rest.is_empty() {
            self.carry = rest.to_vec();
        }
        buffers.put(batch.bytes);
    }

    /// Returns the bytes left at the proper end of the stream, for [`Self::last`].
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.carry)
    }

    /// Returns the frame in the last bytes of an ended stream; the output of a terminal may end without a newline.
    ///
    /// # Errors
    /// [`StreamError`] if they are an incomplete frame.
    pub(crate) fn last<'a>(&mut self, rest: &'a [u8]) -> Result<Option<Frame<'a>>, StreamError> {
        Ok(self.decoder.last(rest)?)
    }

    /// Returns `true` unless the frame was delivered already, according to the join. A new frame may be checked again.
    ///
    /// # Errors
    /// [`StreamError::Mismatch`] if the log does not match the join.
    pub(crate) fn is_new(&mut self, frame: &Frame<'_>) -> Result<bool, StreamError> {
        let Some(join) = &mut self.join else {
            return Ok(true);
        };
        let new = match join.check(frame.stream, frame.time) {
            FrameStatus::Known => {
                // The engine may repeat it on this stream.
                self.monotonicity.check(frame);
                false
            }
            FrameStatus::New => true,
            FrameStatus::Mismatch { lost } => {
                return Err(StreamError::Mismatch {
                    strategy: join.strategy(),
                    lost,
                });
            }
        };
        // The join includes what the stream before this one has delivered since.
        self.monotonicity.set_delivered(join.delivered_until());
        if join.is_done() {
            self.join = None;
        }
        Ok(new)
    }

    /// Records a frame that is about to be used.
    ///
    /// # Errors
    /// [`StreamError::Regressed`] if this stream may have sent it before.
    pub(crate) fn check_monotonic(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        let expected = self.expected_regression.take();
        if self.monotonicity.check(frame)
            || expected.is_some_and(|expected| expected.0 == RegressedFrame::of(frame) && Instant::now() < expected.1)
        {
            Ok(())
        } else {
            Err(StreamError::Regressed(RegressedFrame::of(frame)))
        }
    }
}
