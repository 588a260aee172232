//! The engine's events: one JSON object a line, for as long as the connection lasts.

use crate::buffer::Buffers;
use crate::engine::Event;
use crate::timestamp::Timestamp;
use crate::wire::WireError;
use crate::wire::request::{Body, Client};

/// Longest event; one carries a container's labels, which may be long.
const EVENT_MAX: usize = 1024 * 1024;

/// A subscription.
pub(crate) struct EventStream {
    body: Body,
    carry: Vec<u8>,
}

impl EventStream {
    /// Subscribes, from `since` on if it is known: the engine repeats some of what was missed.
    ///
    /// # Errors
    /// [`WireError`] if the engine does not answer.
    pub(crate) async fn open(client: &Client, labels: &[String], since: Option<Timestamp>) -> Result<Self, WireError> {
        Ok(Self {
            body: client.events(labels, since).await?,
            carry: Vec::new(),
        })
    }

    /// Waits for events. Cancel-safe.
    ///
    /// # Errors
    /// [`WireError`] if the stream breaks or ends, which it never should.
    pub(crate) async fn read(&mut self, buffers: &Buffers) -> Result<Vec<Event>, WireError> {
        let Some(bytes) = self.body.read(buffers, &self.carry).await? else {
            return Err(WireError::Cut);
        };
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        let events = bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .filter_map(|line| {
                // An event that we do not understand is no reason to miss the next; the list will tell.
                serde_json::from_slice(line)
                    .inspect_err(|error| tracing::debug!(%error, "event is not understood"))
                    .ok()
            });
        let events = events.collect();
        self.carry = bytes[whole..].to_vec();
        buffers.put(bytes);
        if self.carry.len() > EVENT_MAX {
            return Err(WireError::TooLarge(EVENT_MAX));
        }
        Ok(events)
    }
}
