//! The open streams of a turn: the current one and its successor.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::buffer::Buffers;
use crate::resume::Join;
use crate::stream::{Batch, LogStream, StreamError};
use crate::timestamp::Timestamp;

/// The longest time for which a successor keeps its permit, so that one that hangs does not delay all other rotations.
pub(super) const PERMIT_TIME_MAX: Duration = Duration::from_secs(2);

/// The streams that a turn has open.
pub(super) struct Streams {
    pub(super) current: LogStream,
    pub(super) successor: Option<Successor>,
}

/// An event in a turn.
pub(super) enum TurnEvent {
    Permitted(Option<OwnedSemaphorePermit>),
    Opened(Result<LogStream, StreamError>),
    SuccessorRead(Result<Option<Batch>, StreamError>),
    Read(Result<Option<Batch>, StreamError>),
    Timer,
}

/// The reason for replacing a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rotation,
    Silence,
}

pub(super) type Opening = Pin<Box<dyn Future<Output = Result<LogStream, StreamError>> + Send>>;
type Permission = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// A stream that will replace the current one.
pub(super) struct Successor {
    pub(super) reason: Reason,
    pub(super) requested_at: Timestamp,
    pub(super) deadline: Instant,
    /// The permit to be open beside the current stream, and the time at which it is returned.
    pub(super) permit: Option<(OwnedSemaphorePermit, Instant)>,
    pub(super) phase: Phase,
}

pub(super) enum Phase {
    /// Other successors hold all permits.
    AwaitingPermit(Permission, Box<Join>),
    Opening(Opening, Box<Join>),
    Joining(Box<LogStream>),
}

impl Successor {
    /// Resolves with the next event of the successor; never, if there is none.
    pub(super) async fn next_event(this: &mut Option<Self>, buffers: &Buffers) -> TurnEvent {
        match this.as_mut().map(|successor| &mut successor.phase) {
            None => std::future::pending().await,
            Some(Phase::AwaitingPermit(permission, _)) => TurnEvent::Permitted(permission.await),
            Some(Phase::Opening(opening, _)) => TurnEvent::Opened(opening.await),
            Some(Phase::Joining(stream)) => TurnEvent::SuccessorRead(stream.read(buffers).await),
        }
    }

    /// Returns the time at which it must be looked at if no event occurs.
    pub(super) fn next_due(&self) -> Instant {
        let permit_end = self.permit.as_ref().map(|(_, until)| *until);
        permit_end.map_or(self.deadline, |until| until.min(self.deadline))
    }

    /// Returns its permit if it has had it for [`PERMIT_TIME_MAX`].
    pub(super) fn return_overdue_permit(&mut self, now: Instant) {
        self.permit.take_if(|(_, until)| now >= *until);
    }

    pub(super) fn join(&mut self) -> Option<&mut Join> {
        match &mut self.phase {
            Phase::AwaitingPermit(_, join) | Phase::Opening(_, join) => Some(join),
            Phase::Joining(stream) => stream.join.as_deref_mut(),
        }
    }
}
