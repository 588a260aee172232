//! `[[fault]]`: what breaks on the wire between the engine and the target, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// One fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, after the beginning of the judged part.
    pub at: HumanDuration,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: HumanDuration,
    /// What breaks.
    pub kind: FaultKind,
    /// Only the containers of this load group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<String>,
    /// Only this share of the containers, 0 to 1, chosen by `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Chooses the containers and the moments; the same seed breaks the same things.
    #[serde(default)]
    pub seed: u64,
    /// `cut-idle`: streams silent for this long are cut. `delay`: by how much. `drip`: between bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<HumanDuration>,
    /// `error-status`: what log requests are answered with, 400 to 599; 500 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Fault {
    /// What is wrong with it by itself: the key, what is wrong, and what was perhaps meant. One rule for scenarios and for
    /// the scripts of `leakcheck chaos`.
    #[must_use]
    pub fn contradiction(&self) -> Option<(&'static str, &'static str, Option<&'static str>)> {
        let of_all = matches!(self.kind, FaultKind::Delay | FaultKind::EngineGone);
        let waits = matches!(self.kind, FaultKind::CutIdle | FaultKind::Delay | FaultKind::Drip);
        if self.length.0.is_zero() {
            return Some(("for", "it has no length", Some("for = \"20s\"")));
        }
        if self.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Some(("share", "`share` is from 0 to 1", None));
        }
        if of_all && self.containers.is_some() {
            return Some((
                "containers",
                "`delay` and `engine-gone` befall everybody: they have no `containers`",
                None,
            ));
        }
        if of_all && self.share.is_some() {
            return Some((
                "share",
                "`delay` and `engine-gone` befall everybody: they have no `share`",
                None,
            ));
        }
        if self.after.is_some() && !waits {
            return Some((
                "after",
                "`after` belongs to the kinds `cut-idle`, `delay` and `drip`, and to no other",
                None,
            ));
        }
        if self.status.is_some() && self.kind != FaultKind::ErrorStatus {
            return Some((
                "status",
                "`status` belongs to the kind `error-status`, and to no other",
                Some("kind = \"error-status\", status = 503"),
            ));
        }
        if self.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Some(("status", "`status` is from 400 to 599", None));
        }
        None
    }
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Log streams stop after the headers, the socket stays open.
    Stall,
    /// New log requests get no headers.
    StallBeforeHeaders,
    /// Streams that say nothing are closed.
    CutIdle,
    /// Streams are reset.
    Reset,
    /// Streams end in the middle of a frame, cleanly for HTTP.
    Truncate,
    /// Streams come byte by byte.
    Drip,
    /// Log requests are answered with an error.
    ErrorStatus,
    /// Events come late and out of order.
    Delay,
    /// Streams end as soon as they begin.
    EofStorm,
    /// The whole engine is gone: every connection is cut and new ones are refused.
    EngineGone,
}

impl FaultKind {
    /// As in a scenario.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
