//! The line check's outcome: what was sent and what of it arrived.

use serde::{Deserialize, Serialize};

/// Counts over all emitters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// Lines that the load wrote, by its own account.
    pub sent: u64,
    /// Different lines that the target delivered whole.
    pub delivered: u64,
    /// Sent and never delivered.
    pub lost: u64,
    /// Deliveries of a line beyond its first.
    pub duplicated: u64,
    /// Deliveries of a line after a later one of the same container and stream.
    pub reordered: u64,
    /// Lines that arrived in pieces or with changed bytes.
    pub torn: u64,
    /// Emitters of which nobody knows how many lines they sent (killed before their last line).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unaccounted: u64,
    /// The emitters with anything wrong, worst first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<EmitterLines>,
}

/// The line check of one emitter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitterLines {
    /// The container's name within the run.
    pub emitter: String,
    /// Lines it wrote, by its own account.
    pub sent: u64,
    /// Lines sent and never delivered.
    pub lost: u64,
    /// Deliveries beyond the first.
    pub duplicated: u64,
    /// Deliveries out of order.
    pub reordered: u64,
    /// Lines torn.
    pub torn: u64,
    /// The first missing sequence numbers, as text (`o 17..19`), for finding them in a log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
