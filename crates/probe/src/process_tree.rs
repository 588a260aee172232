//! A process and all its descendants, measured as one: a pre-fork server, a supervisor with its workers, a container.
//!
//! Members come and go between two samples. A member whose parent dies is adopted by init and is no descendant any more,
//! but it is still part of the target. Every member that was seen once is therefore followed until it ends.

use std::collections::HashMap;

use crate::process::{ProcSample, Process, ProcessError};

/// A process and its descendants.
#[derive(Debug)]
pub struct ProcessTree {
    root: Process,
    /// The start time of each member by its id. An id alone may belong to another process by now.
    members: HashMap<u32, u64>,
    /// The processor time at the last sample.
    cpu_s: f64,
    /// The processor time of members that ended without being reaped.
    lost_cpu_s: f64,
}

impl ProcessTree {
    /// Returns the tree below `root`.
    #[must_use]
    pub fn of(root: Process) -> Self {
        Self {
            root,
            members: HashMap::new(),
            cpu_s: 0.0,
            lost_cpu_s: 0.0,
        }
    }

    /// Returns the root process.
    #[must_use]
    pub fn root(&self) -> &Process {
        &self.root
    }

    /// Returns threads, descriptors, resident memory and processor time of all members together.
    ///
    /// Shared memory counts once for each member; proportional memory does not have this error. Processor time never
    /// falls. The cost is about 50 µs for each member.
    ///
    /// # Errors
    /// An error if the root process has ended. Other members may end during the sample.
    pub fn sample(&mut self) -> Result<ProcSample, ProcessError> {
        let mut all = self.root.sample()?;
        all.cpu_s += self.root.waited_cpu_s()?;
        for member in self.descendants()? {
            let Ok(sample) = member.sample() else { continue };
            all.threads += sample.threads;
            all.fds = all.fds.zip(sample.fds).map(|(a, b)| a + b);
            all.rss_bytes += sample.rss_bytes;
            all.cpu_s += sample.cpu_s + member.waited_cpu_s().unwrap_or(0.0);
        }
        // A member that is reaped adds its time to its parent's; one that is not reaped takes it away from the sum.
        self.lost_cpu_s += (self.cpu_s - all.cpu_s).max(0.0);
        self.cpu_s = all.cpu_s;
        all.cpu_s += self.lost_cpu_s;
        Ok(all)
    }

    /// Returns the proportional memory of all members in bytes.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn pss_bytes(&mut self) -> Result<u64, ProcessError> {
        let mut sum = self.root.pss_bytes()?;
        for member in self.descendants()? {
            match member.pss_bytes() {
                Ok(bytes) => sum += bytes,
                Err(error @ ProcessError::NotPermitted { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(sum)
    }

    /// Returns every living member except the root.
    ///
    /// # Errors
    /// An error if the root process has ended.
    pub fn descendants(&mut self) -> Result<Vec<Process>, ProcessError> {
        let mut found: HashMap<u32, Process> = HashMap::new();
        let mut add = |process: Process| {
            if process.pid() != self.root.pid() {
                found.entry(process.pid()).or_insert(process);
            }
        };
        // A zombie holds nothing but its entry in the process table, and cannot be opened.
        let open = |ids: Vec<u32>| ids.into_iter().filter_map(|pid| Process::open(pid).ok());
        open(self.root.descendants()?).for_each(&mut add);
        for (pid, start_ticks) in &self.members {
            let Ok(orphan) = Process::open(*pid) else { continue };
            if orphan.start_ticks() == *start_ticks {
                open(orphan.descendants().unwrap_or_default()).for_each(&mut add);
                add(orphan);
            }
        }
        self.members = found.iter().map(|(pid, p)| (*pid, p.start_ticks())).collect();
        Ok(found.into_values().collect())
    }
}
