//! Who leaks: what a process holds, by kind and by whom it talks to, at two moments, and the difference in a sentence.
//!
//! A look costs about 10 µs for each file descriptor and never stops the process; above [`MOST_FDS`] the descriptors are left out.
//! It blocks for that long, so an async caller hands it to a thread for blocking work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leakcheck_model::event::Attribution;

use crate::family::Family;
use crate::process::Process;

pub use course::{Circumstances, Course};
pub use fds::FdGroup;
pub use tasks::fetch as fetch_tasks;

mod course;
mod difference;
mod fds;
mod memory;
mod sentence;
pub(crate) mod sockets;
mod tasks;
mod threads;
pub(crate) mod unix_diag;

/// Descriptors above which they are not looked at unless asked (half a second of reading links).
pub const MOST_FDS: u64 = 50_000;

/// Things by name and state.
pub type Groups = BTreeMap<(String, String), u64>;

/// What a process held at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// File descriptors by kind and peer; `None` if they were not looked at.
    pub fds: Option<BTreeMap<FdGroup, u64>>,
    /// Threads by name and by what they wait in.
    pub threads: Groups,
    /// Child processes and theirs, by name and state.
    pub children: Groups,
    /// Resident memory by kind of mapping, bytes.
    pub memory: BTreeMap<String, u64>,
    /// Tasks by name and state, if the target offers them ([`fetch_tasks`]).
    pub tasks: Option<Groups>,
    /// What could not be seen, in words.
    pub unseen: Vec<String>,
    /// What the look cost.
    pub took: Duration,
}

impl Snapshot {
    /// Looks at a process; at its descriptors only if there are no more than `most_fds`.
    #[must_use]
    pub fn take(process: &Process, most_fds: u64) -> Self {
        let began = Instant::now();
        let mut snapshot = Self::default();
        match process.fds() {
            Ok(count) if count > most_fds => {
                snapshot.unseen.push(format!(
                    "{count} file descriptors are too many to look at each (more than {most_fds})"
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
            let state = |letter| threads::state_in_words(letter).to_owned();
            snapshot.children = children
                .into_iter()
                .map(|((name, s), n)| ((name, state(s)), n))
                .collect();
        }
        match memory::groups(process) {
            Ok(groups) => snapshot.memory = groups,
            Err(error) => snapshot.unseen.push(error.to_string()),
        }
        snapshot.took = began.elapsed();
        snapshot
    }

    /// Looks at a process and all its descendants, and takes them for one.
    #[must_use]
    pub fn take_all(mut family: Family, most_fds: u64) -> Self {
        let mut all = Self::take(family.root(), most_fds);
        for member in family.living().unwrap_or_default() {
            all.add(Self::take(&member, most_fds));
        }
        all
    }

    /// Adds what another member of the family holds; its children are members themselves.
    fn add(&mut self, other: Self) {
        self.fds = self.fds.take().zip(other.fds).map(|(mut all, more)| {
            add(&mut all, more);
            all
        });
        add(&mut self.threads, other.threads);
        add(&mut self.memory, other.memory);
        for what in other.unseen {
            if !self.unseen.contains(&what) {
                self.unseen.push(what);
            }
        }
        self.took += other.took;
    }

    /// What there is more of than in an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self, circumstances: &Circumstances) -> Attribution {
        difference::between(earlier, self, circumstances)
    }
}

fn add<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (group, count) in more {
        *all.entry(group).or_default() += count;
    }
}
