//! The outcome of the line check.

use serde::{Deserialize, Serialize};

/// Line counts over all emitters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// Lines written, as counted by the emitters.
    pub sent: u64,
    /// Different lines that were delivered intact.
    pub delivered: u64,
    /// Lines sent and never delivered.
    pub lost: u64,
    /// Deliveries of a line beyond its first.
    pub duplicated: u64,
    /// Deliveries of a line after a later one of the same container and stream.
    pub reordered: u64,
    /// Lines that arrived truncated or with changed bytes.
    pub torn: u64,
    /// Emitters with an unknown number of lines, because they were killed before their last line.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unaccounted: u64,
    /// Emitters with defects, worst first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<EmitterLines>,
    /// Sums by load group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<EmitterLines>,
    /// All emitters by name, unless there are too many to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<EmitterLines>,
}

/// Line counts of one emitter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitterLines {
    /// The container's name within the run.
    pub emitter: String,
    /// Lines written, as counted by the emitter.
    pub sent: u64,
    /// Lines sent and never delivered.
    pub lost: u64,
    /// Deliveries of a line beyond its first.
    pub duplicated: u64,
    /// Deliveries out of order.
    pub reordered: u64,
    /// Lines that arrived truncated or with changed bytes.
    pub torn: u64,
    /// First missing sequence numbers, as `o 17..19`, to find them in a log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl EmitterLines {
    /// Adds the counts of another emitter.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.torn += other.torn;
    }

    /// Returns true if there are no defects.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.torn == 0
    }
}

/// Returns the load group of an emitter: `noisy` for `noisy-07` and for its replacement `noisy-07.3`.
#[must_use]
pub fn group_of(emitter: &str) -> &str {
    match emitter.rsplit_once('-') {
        Some((group, number)) if number.starts_with(|c: char| c.is_ascii_digit()) => group,
        _ => emitter,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::group_of;

    #[test]
    fn the_group_is_the_name_without_its_number() {
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
