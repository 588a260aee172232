//! The events of containers, networks and images, as `/events` reports them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::clock::{self, Nanos};

/// Number of events kept for `since` (moby, `daemon/events/events.go`: `eventsLimit`).
const MAX_KEPT: usize = 256;

/// Number of buffered events per subscriber; a slower one loses events (moby buffers 1024 and then waits 100 ms).
const SUBSCRIBER_BUFFER: usize = 4096;

/// An event in Docker's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(rename = "Type")]
    pub(crate) kind: &'static str,
    #[serde(rename = "Action")]
    pub(crate) action: String,
    #[serde(rename = "Actor")]
    pub(crate) actor: Actor,
    scope: &'static str,
    time: i64,
    #[serde(rename = "timeNano")]
    pub(crate) time_nano: Nanos,
}

/// The subject of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Actor {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(rename = "Attributes")]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// The event bus.
pub(crate) struct Bus {
    kept: Mutex<VecDeque<Arc<Event>>>,
    sender: broadcast::Sender<Arc<Event>>,
}

/// A subscription: requested past events, then live ones.
pub(crate) struct Subscription {
    pub(crate) past: Vec<Arc<Event>>,
    pub(crate) live: broadcast::Receiver<Arc<Event>>,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            sender: broadcast::channel(SUBSCRIBER_BUFFER).0,
        }
    }
}

impl Bus {
    /// Announces an event; its time is later than that of the one before.
    pub(crate) fn announce(&self, kind: &'static str, action: &str, id: &str, attributes: BTreeMap<String, String>) {
        // Except for networks, Docker repeats some fields under their names in API 1.21.
        let old_names = kind != "network";
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = clock::now().max(kept.back().map_or(0, |last| last.time_nano + 1));
        let event = Arc::new(Event {
            status: if old_names { action.to_owned() } else { String::new() },
            id: if old_names { id.to_owned() } else { String::new() },
            from: if kind == "container" {
                attributes.get("image").cloned().unwrap_or_default()
            } else {
                String::new()
            },
            kind,
            action: action.to_owned(),
            actor: Actor {
                id: id.to_owned(),
                attributes,
            },
            scope: "local",
            time: at / 1_000_000_000,
            time_nano: at,
        });
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&event));
        // An error means that there are no subscribers.
        let _ = self.sender.send(event);
    }

    /// Subscribes to live events, and returns kept events from `since` on (inclusive).
    pub(crate) fn subscribe(&self, since: Option<Nanos>) -> Subscription {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |event: &&Arc<Event>| since.is_some_and(|since| event.time_nano >= since);
        Subscription {
            past: kept.iter().filter(wanted).cloned().collect(),
            live: self.sender.subscribe(),
        }
    }

    /// Returns the number of subscribers.
    pub(crate) fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }
}
