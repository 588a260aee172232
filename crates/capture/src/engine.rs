//! Requests of the Docker Engine API: the list of containers, one container, events, logs.
//!
//! Only the fields that are used are declared. The paths carry no version, so the engine answers in its newest. All fields
//! exist since API 1.24.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::http::HttpError;
use crate::http::client::{Body, Client};
use crate::resume::LogRequest;
use crate::timestamp::Timestamp;

/// A container in the list.
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
    /// Returns the name without its slash; longer names, which come from links, are skipped.
    pub(crate) fn name(&self) -> &str {
        let name = self
            .names
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.contains('/'));
        name.unwrap_or(&self.id)
    }

    /// Returns `true` if it may write: it runs, is paused, or restarts.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }

    /// Returns `true` if it never ran and has no log.
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
    /// It waits for its restart policy; `running` is true meanwhile.
    #[serde(default)]
    pub(crate) restarting: bool,
    #[serde(default)]
    pub(crate) status: String,
}

impl State {
    /// Returns `true` if it is being removed.
    pub(crate) fn is_being_removed(&self) -> bool {
        matches!(self.status.as_str(), "removing" | "dead")
    }

    /// Returns `true` if it may write.
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

/// A container event.
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
    /// Lists all containers, including stopped ones, that carry every label of `labels` (`key` or `key=value`).
    pub(crate) async fn list(&self, labels: &[String]) -> Result<Vec<Listed>, HttpError> {
        let filters = serde_json::json!({ "label": labels });
        self.json(&format!(
            "/containers/json?all=true&filters={}",
            percent_encode(&filters.to_string())
        ))
        .await
    }

    pub(crate) async fn inspect(&self, id: &str) -> Result<Inspected, HttpError> {
        self.json(&format!("/containers/{id}/json")).await
    }

    /// Subscribes to events of containers that carry every label of `labels`, from `since` on.
    pub(crate) async fn events(&self, labels: &[String], since: Option<Timestamp>) -> Result<Body, HttpError> {
        let filters = serde_json::json!({
            "type": ["container"],
            "event": ["start", "restart", "unpause", "die", "destroy", "rename"],
            "label": labels,
        });
        let mut target = format!("/events?filters={}", percent_encode(&filters.to_string()));
        if let Some(since) = since {
            // Writing to a String cannot fail.
            let _ = write!(target, "&since={since}");
        }
        self.open_without_permit(&target).await
    }

    /// Opens the requested part of a container's log and follows it.
    pub(crate) async fn logs(&self, id: &str, request: LogRequest) -> Result<Body, HttpError> {
        let mut target = format!("/containers/{id}/logs?follow=true&stdout=true&stderr=true&timestamps=true");
        if !request.since.is_beginning() {
            let _ = write!(target, "&since={}", request.since);
        }
        if let Some(tail) = request.tail {
            let _ = write!(target, "&tail={tail}");
        }
        self.open(&target).await
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
fn percent_encode(text: &str) -> String {
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
    fn a_filter_is_percent_encoded() {
        assert_eq!(
            percent_encode(r#"{"label":["a=b c"]}"#),
            "%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D"
        );
    }

    #[test]
    fn the_name_of_a_listed_container_has_no_slash_and_no_link() {
        let listed: Listed = serde_json::from_str(
            r#"{"Id":"abc","Names":["/other/alias","/web"],"Labels":{"a":"b"},"State":"running"}"#,
        )
        .unwrap();
        assert_eq!(listed.name(), "web");
        assert!(listed.is_live());
    }

    #[test]
    fn an_event_is_parsed() {
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
