//! What we ask of the engine's API: its containers, one container, its events, a container's log.
//!
//! Only the fields that we use are named. The paths carry no version: the engine then answers in its newest, and each
//! field here has been there since API 1.24.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::seam::Ask;
use crate::timestamp::Timestamp;
use crate::wire::WireError;
use crate::wire::request::{Body, Client};

/// A container as the list shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) names: Vec<String>,
    #[serde(default)]
    pub(crate) labels: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(crate) state: String,
}

impl Listed {
    /// The name without its slash; links make longer ones, which we skip.
    pub(crate) fn name(&self) -> &str {
        let own = self
            .names
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.contains('/'));
        own.unwrap_or(&self.id)
    }

    /// True if it may write: running, paused or about to run again.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }

    /// True if it never ran, so that there is no log.
    pub(crate) fn never_ran(&self) -> bool {
        self.state == "created"
    }
}

/// A container in detail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) state: State,
    pub(crate) config: Config,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    #[serde(default)]
    pub(crate) running: bool,
    #[serde(default)]
    pub(crate) started_at: String,
    /// It waits to be started again by its restart policy; `running` is true all the while.
    #[serde(default)]
    pub(crate) restarting: bool,
    /// In one word.
    #[serde(default)]
    pub(crate) status: String,
}

impl State {
    /// True if it is on its way out, after which nothing is left of it.
    pub(crate) fn is_going(&self) -> bool {
        matches!(self.status.as_str(), "removing" | "dead")
    }

    /// True while it may write.
    pub(crate) fn is_live(&self) -> bool {
        self.running && !self.restarting
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) tty: bool,
}

/// Something that happened to a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    #[serde(default)]
    pub(crate) action: String,
    pub(crate) actor: Actor,
    #[serde(default, rename = "timeNano")]
    pub(crate) time_nano: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Actor {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(default, rename = "Attributes")]
    pub(crate) attributes: HashMap<String, String>,
}

impl Client {
    /// All containers, stopped ones too, that carry every label of `labels` (`key` or `key=value`).
    pub(crate) async fn list(&self, labels: &[String]) -> Result<Vec<Listed>, WireError> {
        let filters = serde_json::json!({ "label": labels });
        self.json(&format!(
            "/containers/json?all=true&filters={}",
            percent(&filters.to_string())
        ))
        .await
    }

    pub(crate) async fn inspect(&self, id: &str) -> Result<Inspected, WireError> {
        self.json(&format!("/containers/{id}/json")).await
    }

    /// Subscribes to what happens to containers that carry every label of `labels`, from `since` on if that is known.
    pub(crate) async fn events(&self, labels: &[String], since: Option<Timestamp>) -> Result<Body, WireError> {
        let filters = serde_json::json!({
            "type": ["container"],
            "event": ["start", "restart", "unpause", "die", "destroy", "rename"],
            "label": labels,
        });
        let mut target = format!("/events?filters={}", percent(&filters.to_string()));
        if let Some(since) = since {
            // A String takes every write.
            let _ = write!(target, "&since={since}");
        }
        self.open_at_once(&target).await
    }

    /// Opens a container's log where `ask` says, and follows it.
    pub(crate) async fn logs(&self, id: &str, ask: Ask) -> Result<Body, WireError> {
        let mut target = format!("/containers/{id}/logs?follow=true&stdout=true&stderr=true&timestamps=true");
        if !ask.since.is_beginning() {
            let _ = write!(target, "&since={}", ask.since);
        }
        if let Some(tail) = ask.tail {
            let _ = write!(target, "&tail={tail}");
        }
        self.open(&target).await
    }
}

/// Percent-encodes a query value: all but unreserved characters (RFC 3986, section 2.3).
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_the_query_string() {
        assert_eq!(
            percent(r#"{"label":["a=b c"]}"#),
            "%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D"
        );
    }

    #[test]
    fn a_listed_container_is_named_without_slash_or_links() {
        let listed: Listed = serde_json::from_str(
            r#"{"Id":"abc","Names":["/other/alias","/web"],"Labels":{"a":"b"},"State":"running"}"#,
        )
        .unwrap();
        assert_eq!(listed.name(), "web");
        assert!(listed.is_live());
    }

    #[test]
    fn an_event_of_the_engine_is_understood() {
        let event: Event = serde_json::from_str(
            r#"{"status":"start","id":"abc","from":"i","Type":"container","Action":"start",
               "Actor":{"ID":"abc","Attributes":{"image":"i","name":"web","a":"b"}},
               "scope":"local","time":1,"timeNano":1000000001}"#,
        )
        .unwrap();
        assert_eq!((event.action.as_str(), event.actor.id.as_str()), ("start", "abc"));
        assert_eq!(event.actor.attributes["name"], "web");
        assert_eq!(event.time_nano, 1_000_000_001);
    }
}
