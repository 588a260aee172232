//! A process with all its descendants, added up: a pre-fork server, a supervisor with its workers, a container.
//!
//! Members come and go between two looks. One that loses its parent is adopted by the system's first process and is no
//! descendant any more, but it is still part of the target: whoever was seen once is followed until it ends.

use std::collections::HashMap;

use crate::process::{ProcSample, Process, ProcessError};

/// A process and its descendants.
#[derive(Debug)]
pub struct Family {
    root: Process,
    /// When each member began, by its id: an id alone may be another process's by now.
    members: HashMap<u32, u64>,
    /// The processor time of the last look.
    cpu_s: f64,
    /// Processor time of members that ended and that nobody waited for.
    gone_cpu_s: f64,
}

impl Family {
    /// The family of this process.
    #[must_use]
    pub fn of(root: Process) -> Self {
        Self {
            root,
            members: HashMap::new(),
            cpu_s: 0.0,
            gone_cpu_s: 0.0,
        }
    }

    /// Its eldest.
    #[must_use]
    pub fn root(&self) -> &Process {
        &self.root
    }

    /// Threads, descriptors, resident memory and processor time of all members together. Memory that members share counts
    /// once for each (proportional memory does not); processor time only rises. About 50 µs for each member.
    ///
    /// # Errors
    /// If the eldest has ended; that another member ends while it is looked at is none.
    pub fn sample(&mut self) -> Result<ProcSample, ProcessError> {
        let mut all = self.root.sample()?;
        all.cpu_s += self.root.waited_cpu_s()?;
        for member in self.living()? {
            let Ok(sample) = member.sample() else { continue };
            all.threads += sample.threads;
            all.fds = all.fds.zip(sample.fds).map(|(a, b)| a + b);
            all.rss_bytes += sample.rss_bytes;
            all.cpu_s += sample.cpu_s + member.waited_cpu_s().unwrap_or(0.0);
        }
        // Who ends and is waited for leaves its time to its parent; who is not takes it along.
        self.gone_cpu_s += (self.cpu_s - all.cpu_s).max(0.0);
        self.cpu_s = all.cpu_s;
        all.cpu_s += self.gone_cpu_s;
        Ok(all)
    }

    /// Proportional memory of all members, bytes.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn pss_bytes(&mut self) -> Result<u64, ProcessError> {
        let mut sum = self.root.pss_bytes()?;
        for member in self.living()? {
            match member.pss_bytes() {
                Ok(bytes) => sum += bytes,
                Err(error @ ProcessError::NotPermitted { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(sum)
    }

    /// Every member but the eldest.
    ///
    /// # Errors
    /// If the eldest has ended.
    pub fn living(&mut self) -> Result<Vec<Process>, ProcessError> {
        let mut found: HashMap<u32, Process> = HashMap::new();
        let mut adopt = |process: Process| {
            if process.pid() != self.root.pid() {
                found.entry(process.pid()).or_insert(process);
            }
        };
        // A zombie has ended: it holds nothing but its place in the table, and cannot be opened.
        let open = |ids: Vec<u32>| ids.into_iter().filter_map(|pid| Process::open(pid).ok());
        open(self.root.descendants()?).for_each(&mut adopt);
        for (pid, began) in &self.members {
            let Ok(orphan) = Process::open(*pid) else { continue };
            if orphan.start_ticks() == *began {
                open(orphan.descendants().unwrap_or_default()).for_each(&mut adopt);
                adopt(orphan);
            }
        }
        self.members = found.iter().map(|(pid, p)| (*pid, p.start_ticks())).collect();
        Ok(found.into_values().collect())
    }
}
