//! The resources of a process at one point in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{FdGroup, Groups, fds, memory, threads};
use crate::process::Process;
use crate::process_tree::ProcessTree;

/// The number of descriptors above which they are not read by default: reading so many links takes half a second.
pub const MAX_FDS: u64 = 50_000;

/// The resources of a process at one point in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// File descriptors by kind and peer; `None` if they were not read.
    pub fds: Option<BTreeMap<FdGroup, u64>>,
    /// Threads by name and by the system call in which they wait.
    pub threads: Groups,
    /// Descendants by name and state.
    pub children: Groups,
    /// Resident memory by kind of mapping, in bytes.
    pub memory: BTreeMap<String, u64>,
    /// Tasks by name and state, if the target lists them ([`super::fetch_tasks`]).
    pub tasks: Option<Groups>,
    /// Messages about what could not be read.
    pub unseen: Vec<String>,
    /// The time that the snapshot took.
    pub took: Duration,
}

impl Snapshot {
    /// Reads a process. Its descriptors are left out if there are more than `max_fds`.
    #[must_use]
    #[tracing::instrument(name = "snapshot", level = "debug", skip_all, fields(pid = process.pid()))]
    pub fn take(process: &Process, max_fds: u64) -> Self {
        let began = Instant::now();
        let mut snapshot = Self::default();
        match process.fd_count() {
            Ok(count) if count > max_fds => {
                snapshot.unseen.push(format!(
                    "{count} file descriptors are too many to read each (more than {max_fds})"
                ));
            }
            Ok(_) => match fds::groups(process, &mut snapshot.unseen) {
                Ok(groups) => snapshot.fds = Some(groups),
                Err(error) => snapshot.unseen.push(error.to_string()),
            },
            Err(error) => snapshot.unseen.push(error.to_string()),
        }
        match threads::groups(process) {
            Ok(groups) => snapshot.threads = groups,
            Err(error) => snapshot.unseen.push(error.to_string()),
        }
        if let Ok(children) = process.children_by_name() {
            let children = children.into_iter();
            snapshot.children = children
                .map(|((name, state), n)| ((name, threads::state_name(state).to_owned()), n))
                .collect();
        }
        match memory::groups(process) {
            Ok(groups) => snapshot.memory = groups,
            Err(error) => snapshot.unseen.push(error.to_string()),
        }
        snapshot.took = began.elapsed();
        snapshot
    }

    /// Reads a process and all its descendants, and adds them up.
    #[must_use]
    pub fn take_tree(mut tree: ProcessTree, max_fds: u64) -> Self {
        let mut all = Self::take(tree.root(), max_fds);
        for member in tree.descendants().unwrap_or_default() {
            all.add(Self::take(&member, max_fds));
        }
        all
    }

    /// Adds another member of the tree. Its children are members themselves and not added.
    fn add(&mut self, other: Self) {
        self.fds = self.fds.take().zip(other.fds).map(|(mut all, more)| {
            add(&mut all, more);
            all
        });
        add(&mut self.threads, other.threads);
        add(&mut self.memory, other.memory);
        for message in other.unseen {
            if !self.unseen.contains(&message) {
                self.unseen.push(message);
            }
        }
        self.took += other.took;
    }
}

fn add<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (group, count) in more {
        *all.entry(group).or_default() += count;
    }
}
