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
    /// The sums of each load group, by its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<EmitterLines>,
    /// Every emitter by name, if they are few enough to be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<EmitterLines>,
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

impl EmitterLines {
    /// Adds another emitter's counts.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.torn += other.torn;
    }

    /// Whether anything is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.torn == 0
    }
}

/// The load group of an emitter: `noisy` of `noisy-07` and of its successor `noisy-07.3`.
#[must_use]
pub fn group_of(emitter: &str) -> &str {
    match emitter.rsplit_once('-') {
        Some((group, number)) if number.starts_with(|c: char| c.is_ascii_digit()) => group,
        _ => emitter,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::group_of;

    #[test]
    fn an_emitter_says_its_group() {
        for (emitter, group) in [
            ("noisy-07", "noisy"),
            ("a-b-1.12", "a-b"),
            ("plain", "plain"),
            ("a-b", "a-b"),
        ] {
            assert_eq!(group_of(emitter), group);
        }
    }
}
