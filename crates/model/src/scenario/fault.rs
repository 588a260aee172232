//! `[[fault]]`: what breaks on the wire between the engine and the target, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Span;

/// One fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, after the beginning of the judged part.
    pub at: Span,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: Span,
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
    pub after: Option<Span>,
    /// `error-status`: 409, 500 or 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
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
