//! The groups in which resources are counted.

use std::collections::BTreeMap;

/// Counts by name and state.
pub type Groups = BTreeMap<(String, String), u64>;

/// A group of file descriptors of the same kind and peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FdGroup {
    /// `unix-socket`, `tcp`, `pipe`, `inotify`, `eventfd`, `file`, `deleted`, …
    pub kind: String,
    /// The other end, or the path of a file, where there is one.
    pub peer: Option<String>,
}

impl FdGroup {
    pub(super) fn of(kind: &str, peer: Option<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            peer,
        }
    }
}
