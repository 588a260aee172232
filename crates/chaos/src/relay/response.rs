//! The engine's current response, by the faults that can affect it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use leakcheck_http1::LAST_CHUNK;
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::delayed_events::DelayedEvents;
use super::flow::Flow;
use super::log_stream::LogStream;
use super::write_buffer::WriteBuffer;
use crate::fault_schedule::ActiveFaults;
use crate::http::Request;
use crate::identity::Identity;

/// Pause after each read of a busy log. dockerd writes every line separately, and a proxy that wakes for each takes the
/// processor from writer and reader. A socket holds some 280 lines, which take dockerd a millisecond and more.
const BUSY_PAUSE: Duration = Duration::from_micros(50);

/// The engine's current response.
pub(super) enum Response {
    /// No fault affects it.
    Other,
    Log(Box<LogStream>),
    Events(Box<DelayedEvents>),
}

impl Response {
    /// Creates the response to a request.
    pub(super) fn new(request: Request, has_delays: bool) -> Self {
        match request {
            Request::Log { key } => Self::Log(Box::new(LogStream::new(key, Instant::now()))),
            Request::Events if has_delays => Self::Events(Box::default()),
            Request::Events | Request::Other => Self::Other,
        }
    }

    pub(super) fn is_affected_by_faults(&self) -> bool {
        !matches!(self, Self::Other)
    }

    /// Returns how the engine's bytes flow now, and when that changes by itself.
    pub(super) fn flow(&mut self, now: Instant) -> (Flow, Option<Instant>) {
        match self {
            Self::Other => (Flow::Open, None),
            Self::Log(stream) => stream.flow(now),
            Self::Events(events) => (Flow::Open, events.next_release()),
        }
    }

    /// Selects the faults that affect the response. Returns the id or name of its container if they depend on that
    /// container's identity, which is missing.
    pub(super) fn refresh_faults(&mut self, active_faults: &ActiveFaults) -> Option<&str> {
        match self {
            Self::Other => None,
            Self::Log(stream) => stream.refresh_faults(active_faults).then(|| stream.container()),
            Self::Events(events) => {
                events.refresh_faults(active_faults);
                None
            }
        }
    }

    /// Sets the identity of the log's container.
    pub(super) fn set_identity(&mut self, identity: Arc<Identity>, active_faults: &ActiveFaults) {
        if let Self::Log(stream) = self {
            stream.set_identity(identity);
            stream.refresh_faults(active_faults);
        }
    }

    /// Returns the status code with which a fault refuses the request, and counts the hit.
    pub(super) fn refusal_status(&mut self) -> Option<u16> {
        match self {
            Self::Log(stream) => stream.refusal_status(),
            _ => None,
        }
    }

    /// Reports whether a fault held bytes back, which come before those that are still in the engine's socket.
    pub(super) fn has_held(&self) -> bool {
        matches!(self, Self::Log(stream) if stream.has_held())
    }

    pub(super) fn take_held(&mut self) -> Vec<u8> {
        match self {
            Self::Log(stream) => stream.take_held(),
            _ => Vec::new(),
        }
    }

    /// Forwards bytes of the engine to the client; returns true if the connection closes behind them.
    pub(super) fn forward(
        &mut self,
        bytes: &[u8],
        flow: Flow,
        client: &UnixStream,
        to_client: &mut WriteBuffer,
    ) -> io::Result<bool> {
        match self {
            Self::Other => to_client.write(client, bytes).map(|()| false),
            Self::Events(events) => {
                events.receive(bytes, Instant::now(), to_client.bytes_mut());
                to_client.flush(client).map(|()| false)
            }
            Self::Log(stream) => {
                let forward = stream.forward(bytes, flow, Instant::now());
                to_client.write(client, &bytes[..forward.unchanged])?;
                to_client.write(client, &forward.appended)?;
                if stream.is_busy() {
                    // The thread sleeps, not the task: the runtime would wake the task for each line that arrives.
                    std::thread::sleep(BUSY_PAUSE);
                }
                if stream.is_done() {
                    *self = Self::Other;
                }
                Ok(forward.closes)
            }
        }
    }

    /// Appends the delayed events that are due to `out`.
    pub(super) fn release_events(&mut self, out: &mut Vec<u8>) {
        if let Self::Events(events) = self {
            events.release(Instant::now(), out);
        }
    }

    /// Appends the last chunk to `out` if the log can end here; returns true if it does.
    pub(super) fn end_at_boundary(&self, out: &mut Vec<u8>) -> bool {
        let ends = matches!(self, Self::Log(stream) if stream.is_at_boundary());
        if ends {
            out.extend_from_slice(LAST_CHUNK);
        }
        ends
    }
}
