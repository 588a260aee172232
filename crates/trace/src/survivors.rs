//! Survivors: resources that still exist, matched with the recorded creations.

use std::collections::{BTreeMap, HashMap};

use crate::proc;
use crate::state::{Creation, StackKey, State};
use leakcheck_model::origins::Resource;

/// Survivors by kind and stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survivors {
    /// Counts, with the kind of the first survivor (`socket`, name of a thread, …).
    pub known: HashMap<(Resource, StackKey), (u64, String)>,
    /// Survivors without a matching creation.
    pub unknown: BTreeMap<Resource, u64>,
}

impl Survivors {
    /// Reads /proc of all traced processes, and matches it with the creations in `state`.
    pub(crate) fn of(state: &State) -> Self {
        let mut survivors = Self::default();
        for (pid, process) in &state.processes {
            for (number, link) in proc::descriptors(*pid) {
                let creation = process.descriptors.get(&number).filter(|c| fits(c, &link));
                if link == "anon_inode:inotify" {
                    for watch in proc::watches(*pid, number) {
                        let creation = process.watches.get(&(number, watch));
                        survivors.count(Resource::InotifyWatch, creation.and_then(|c| c.stack), || {
                            "watch".to_owned()
                        });
                    }
                }
                if creation.is_none() && process.initial.contains(&number) {
                    continue;
                }
                survivors.count(Resource::Descriptor, creation.and_then(|c| c.stack), || kind_of(&link));
            }
        }
        for (tid, thread) in &state.threads {
            // The first thread belongs to the creation of its process.
            if *tid == thread.process {
                continue;
            }
            let Some(name) = proc::thread_name(thread.process, *tid) else {
                continue;
            };
            survivors.count(Resource::Thread, thread.started_by, || name);
        }
        for (child, (parent, stack)) in &state.children {
            if proc::parent_of(*child) == Some(*parent) {
                survivors.count(Resource::Child, Some(*stack), || "process".to_owned());
            }
        }
        survivors
    }

    fn count(&mut self, resource: Resource, stack: Option<StackKey>, kind: impl FnOnce() -> String) {
        match stack {
            Some(stack) => self.known.entry((resource, stack)).or_insert_with(|| (0, kind())).0 += 1,
            None => *self.unknown.entry(resource).or_default() += 1,
        }
    }
}

fn fits(creation: &Creation, link: &str) -> bool {
    creation.call.is_none_or(|call| call.can_have_link(link))
}

fn kind_of(link: &str) -> String {
    let kind = match link.split_once(':') {
        Some(("socket", _)) => "socket",
        Some(("pipe", _)) => "pipe",
        Some(("anon_inode", name)) => name.trim_matches(['[', ']']),
        _ if link.starts_with("/memfd:") => "memfd",
        _ if link.ends_with(" (deleted)") => "deleted file",
        _ => "file",
    };
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Creator;

    #[test]
    fn a_reused_number_of_another_kind_does_not_match_the_old_creation() {
        let creation = |number| Creation {
            stack: None,
            call: Creator::of(number),
        };
        assert!(fits(&creation(libc::SYS_socket), "socket:[1]"));
        assert!(!fits(&creation(libc::SYS_socket), "anon_inode:[eventfd]"));
        assert!(fits(&creation(libc::SYS_dup), "pipe:[1]"));
    }

    #[test]
    fn kinds_have_short_names() {
        let kinds = [
            "socket:[1]",
            "anon_inode:[eventfd]",
            "anon_inode:inotify",
            "/a (deleted)",
            "/a",
        ]
        .map(kind_of);
        assert_eq!(kinds, ["socket", "eventfd", "inotify", "deleted file", "file"]);
    }
}
