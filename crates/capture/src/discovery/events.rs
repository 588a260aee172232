//! The engine's event stream: one JSON object per line.

use crate::buffer::Buffers;
use crate::engine::Event;
use crate::http::HttpError;
use crate::http::client::{Body, Client};
use crate::timestamp::Timestamp;

/// The longest event. Events carry the container's labels.
const EVENT_MAX: usize = 1024 * 1024;

/// A subscription to events.
pub(crate) struct EventStream {
    body: Body,
    carry: Vec<u8>,
}

impl EventStream {
    /// Subscribes, from `since` on if that is known; the engine repeats some of the missed events.
    ///
    /// # Errors
    /// [`HttpError`] if the engine does not answer.
    pub(crate) async fn open(client: &Client, labels: &[String], since: Option<Timestamp>) -> Result<Self, HttpError> {
        Ok(Self {
            body: client.events(labels, since).await?,
            carry: Vec::new(),
        })
    }

    /// Waits for events. Cancel-safe.
    ///
    /// # Errors
    /// [`HttpError`] if the stream breaks or ends.
    pub(crate) async fn read(&mut self, buffers: &Buffers) -> Result<Vec<Event>, HttpError> {
        let Some(bytes) = self.body.read(buffers, &self.carry).await? else {
            return Err(HttpError::Truncated);
        };
        let complete = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        let events = bytes[..complete]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .filter_map(|line| {
                // An unknown event must not end the stream; the next list shows its effect.
                serde_json::from_slice(line)
                    .inspect_err(|error| tracing::debug!(%error, "failed to parse an event"))
                    .ok()
            });
        let events = events.collect();
        self.carry = bytes[complete..].to_vec();
        buffers.put(bytes);
        if self.carry.len() > EVENT_MAX {
            return Err(HttpError::TooLarge(EVENT_MAX));
        }
        Ok(events)
    }
}
