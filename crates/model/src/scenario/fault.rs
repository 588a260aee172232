//! `[[fault]]`: faults on the connection between engine and target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// A fault with its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Start, counted from the beginning of the judged part.
    pub at: HumanDuration,
    /// Length.
    #[serde(rename = "for")]
    pub length: HumanDuration,
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Load group whose containers are affected. Default: all containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<String>,
    /// Share of the containers that is affected, 0 to 1, selected by `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Seed of the selection of containers and trigger points; the same seed gives the same faults.
    #[serde(default)]
    pub seed: u64,
    /// `cut-idle`: idle time before the cut. `delay`: length of the delay. `drip`: time between bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<HumanDuration>,
    /// `error-status`: status of the response to log requests, 400 to 599. Default: 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Fault {
    /// Finds a contradiction: the key, the message, and a suggestion. Used for scenarios and the scripts of
    /// `leakcheck chaos`.
    #[must_use]
    pub fn contradiction(&self) -> Option<(&'static str, &'static str, Option<&'static str>)> {
        let affects_all = matches!(self.kind, FaultKind::Delay | FaultKind::EngineGone);
        let has_delay = matches!(self.kind, FaultKind::CutIdle | FaultKind::Delay | FaultKind::Drip);
        if self.length.0.is_zero() {
            return Some(("for", "the fault has no length", Some("for = \"20s\"")));
        }
        if self.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Some(("share", "`share` is a number from 0 to 1", None));
        }
        if affects_all && self.containers.is_some() {
            return Some((
                "containers",
                "`delay` and `engine-gone` affect all containers: they have no `containers`",
                None,
            ));
        }
        if affects_all && self.share.is_some() {
            return Some((
                "share",
                "`delay` and `engine-gone` affect all containers: they have no `share`",
                None,
            ));
        }
        if self.after.is_some() && !has_delay {
            return Some((
                "after",
                "`after` is only for the kinds `cut-idle`, `delay` and `drip`",
                None,
            ));
        }
        if self.status.is_some() && self.kind != FaultKind::ErrorStatus {
            return Some((
                "status",
                "`status` is only for the kind `error-status`",
                Some("kind = \"error-status\", status = 503"),
            ));
        }
        if self.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Some(("status", "`status` is a number from 400 to 599", None));
        }
        None
    }
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Log streams stop after the headers; the socket stays open.
    Stall,
    /// New log requests get no response headers.
    StallBeforeHeaders,
    /// Idle streams are closed.
    CutIdle,
    /// Streams are reset.
    Reset,
    /// Streams end in the middle of a frame, with a valid HTTP end.
    Truncate,
    /// Streams arrive byte by byte.
    Drip,
    /// Log requests get an error response.
    ErrorStatus,
    /// Events arrive late and out of order.
    Delay,
    /// Streams end immediately after their start.
    EofStorm,
    /// The engine is unreachable: all connections are cut and new ones are refused.
    EngineGone,
}

impl FaultKind {
    /// Returns its name in a scenario.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
