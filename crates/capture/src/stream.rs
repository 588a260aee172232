//! One followed log stream: a connection, a decoder, an assembler, and the join that it may still be on.
//!
//! Everything that belongs to the stream and dies with it is here; what belongs to the container (its position) is not.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::assemble::Assembler;
use crate::buffer::Buffers;
use crate::frame::{Decoder, Form, Frame, FrameError};
use crate::order::{Doubted, Order};
use crate::seam::{Approach, Ask, Join, Seen};
use crate::wire::WireError;
use crate::wire::request::{Body, Client};

/// Why a stream is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("log does not contain what was delivered")]
    Mismatch {
        /// What the request had counted on.
        approach: Approach,
        /// Lines that were not delivered are gone too.
        lost: bool,
    },
    #[error("log stream brought a line again")]
    Repeated(Doubted),
}

impl StreamError {
    /// The `kind` label of `log_capturer_stream_errors_total`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.kind(),
            Self::Frame(FrameError::Truncated(_)) => "truncated",
            Self::Frame(FrameError::Engine(_)) => "engine",
            Self::Frame(_) => "protocol",
            Self::Mismatch { .. } => "seam_mismatch",
            Self::Repeated(_) => "repeated",
        }
    }
}

/// What is in the log already comes this soon after a stream was opened; what comes later may be sent again once more.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Bytes of a stream that were read and not yet worked on.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    at: usize,
}

impl Batch {
    /// Bytes not yet worked on.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A place to come [`Self::back_to`].
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    pub(crate) fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }
}

/// A log stream that is being followed.
pub(crate) struct LogStream {
    body: Body,
    decoder: Decoder,
    /// The beginning of a frame whose end has not come yet.
    carry: Vec<u8>,
    pub(crate) assembler: Assembler,
    order: Order,
    /// What the stream before this one was left for: if this one, which counted what the log holds, brings it first of all
    /// that is new, and at once, it is no repetition. Boxed, because hardly any stream has one.
    doubted: Option<Box<(Doubted, Instant)>>,
    /// Boxed, because a stream needs it for its first moments only.
    pub(crate) join: Option<Box<Join>>,
    /// When bytes last came.
    pub(crate) last_read: Instant,
}

impl LogStream {
    /// Opens the log of container `id` as `ask` says. The lines may only be used after [`Self::join_by`].
    ///
    /// # Errors
    /// [`StreamError`] if the engine does not answer, or not with a log.
    pub(crate) async fn open(client: &Client, id: &str, form: Form, cap: usize, ask: Ask) -> Result<Self, StreamError> {
        let body = client.logs(id, ask).await?;
        let now = Instant::now();
        Ok(Self {
            body,
            decoder: Decoder::new(form),
            carry: Vec::new(),
            assembler: Assembler::new(cap),
            order: Order::default(),
            doubted: None,
            join: None,
            last_read: now,
        })
    }

    /// Skips what `join` says is delivered.
    pub(crate) fn join_by(&mut self, join: Join) {
        self.order.comes_after(join.delivered_until());
        self.join = (!join.is_done()).then(|| Box::new(join));
    }

    /// This stream takes the place of one that was left because it brought this frame.
    pub(crate) fn after(&mut self, doubted: Option<Doubted>) {
        self.doubted = doubted.map(|doubted| Box::new((doubted, Instant::now() + AT_ONCE)));
    }

    /// Waits for bytes; `None` at the proper end. Cancel-safe; holds no buffer while it waits.
    ///
    /// # Errors
    /// [`StreamError`] if the connection breaks.
    pub(crate) async fn read(&mut self, buffers: &Buffers) -> Result<Option<Batch>, StreamError> {
        let batch = self.body.read(buffers, &self.carry).await?;
        self.last_read = Instant::now();
        Ok(batch.map(|bytes| {
            self.carry = Vec::new();
            Batch { bytes, at: 0 }
        }))
    }

    /// True if bytes have come that nobody has read; they are thrown away, so that the stream is of no more use. One poll,
    /// no wait.
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

    /// The next frame of `batch`; `None` once what is left of it is no whole frame.
    ///
    /// # Errors
    /// [`StreamError`] if the bytes are no frame.
    pub(crate) fn next<'a>(&mut self, batch: &'a mut Batch) -> Result<Option<Frame<'a>>, StreamError> {
        let Some((frame, used)) = self.decoder.next(&batch.bytes[batch.at..])? else {
            return Ok(None);
        };
        batch.at += used;
        Ok(Some(frame))
    }

    /// Keeps what is left of `batch` for the next read, and gives its buffer back.
    pub(crate) fn done_with(&mut self, batch: Batch, buffers: &Buffers) {
        let left = &batch.bytes[batch.at..];
        if !left.is_empty() {
            self.carry = left.to_vec();
        }
        buffers.put(batch.bytes);
    }

    /// At the proper end of the stream: the bytes that were left. [`Self::last`] says what they are.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.carry)
    }

    /// The frame that the last bytes of an ended stream are: a terminal's last words need no newline.
    ///
    /// # Errors
    /// [`StreamError`] if they are the beginning of a frame that was cut.
    pub(crate) fn last<'a>(&mut self, rest: &'a [u8]) -> Result<Option<Frame<'a>>, StreamError> {
        Ok(self.decoder.last(rest)?)
    }

    /// True unless the frame was delivered already, as the join tells if this stream is still on one. A frame that was
    /// judged new may be judged again.
    ///
    /// # Errors
    /// [`StreamError::Mismatch`] if the log is not the one that the join knows.
    pub(crate) fn is_new(&mut self, frame: &Frame<'_>) -> Result<bool, StreamError> {
        let Some(join) = &mut self.join else {
            return Ok(true);
        };
        let new = match join.see(frame.stream, frame.time) {
            Seen::Known => {
                // It may be sent again on this very stream.
                self.order.see(frame);
                false
            }
            Seen::New => true,
            Seen::Mismatch { lost } => {
                return Err(StreamError::Mismatch {
                    approach: join.approach(),
                    lost,
                });
            }
        };
        // What the stream before this one delivered meanwhile is in the join.
        self.order.comes_after(join.delivered_until());
        if join.is_done() {
            self.join = None;
        }
        Ok(new)
    }

    /// Takes note of a frame that is about to be used.
    ///
    /// # Errors
    /// [`StreamError::Repeated`] if this stream may have brought it before.
    pub(crate) fn in_order(&mut self, frame: &Frame<'_>) -> Result<(), StreamError> {
        let doubted = self.doubted.take();
        if self.order.see(frame)
            || doubted.is_some_and(|doubted| doubted.0 == Doubted::of(frame) && Instant::now() < doubted.1)
        {
            Ok(())
        } else {
            Err(StreamError::Repeated(Doubted::of(frame)))
        }
    }
}
