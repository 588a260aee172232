//! Child processes and all their descendants.

use std::collections::{BTreeMap, HashMap};

use procfs::ProcError;
use procfs::process::all_processes;

use super::{Process, ProcessError};

/// The number of generations that are followed. A real tree has a handful.
const MAX_DEPTH: usize = 64;

impl Process {
    /// Returns the ids of all descendants, zombies included: an unreaped child is a leak of its own.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if the process itself has ended.
    pub fn descendants(&self) -> Result<Vec<u32>, ProcessError> {
        self.stat()?;
        let mut found = Vec::new();
        let mut generation = vec![self.pid];
        for _ in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for pid in &generation {
                match children_of(*pid) {
                    Some(children) => next.extend(children),
                    None => return Ok(descendants_by_parent(self.pid)),
                }
            }
            if next.is_empty() {
                break;
            }
            found.extend_from_slice(&next);
            generation = next;
        }
        Ok(found)
    }

    /// Returns the number of descendants.
    ///
    /// # Errors
    /// The same as [`Process::descendants`].
    pub fn children(&self) -> Result<u64, ProcessError> {
        Ok(self.descendants()?.len() as u64)
    }

    /// Counts the descendants by name and state, as in `("sh", 'S')` and `("sleep", 'Z')`.
    ///
    /// # Errors
    /// The same as [`Process::descendants`].
    pub fn children_by_name(&self) -> Result<BTreeMap<(String, char), u64>, ProcessError> {
        let mut groups = BTreeMap::new();
        for pid in self.descendants()? {
            let stat = open(pid).and_then(|process| process.stat());
            if let Ok(stat) = stat {
                *groups.entry((stat.comm, stat.state)).or_default() += 1;
            }
        }
        Ok(groups)
    }
}

fn open(pid: u32) -> Result<procfs::process::Process, ProcError> {
    procfs::process::Process::new(pid.cast_signed())
}

/// Returns the children of all threads of a process, or `None` if the kernel has no `children` files
/// (`CONFIG_PROC_CHILDREN`). A process that has just ended has no children.
fn children_of(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    let Ok(tasks) = open(pid).and_then(|process| process.tasks()) else {
        return Some(found);
    };
    for task in tasks.flatten() {
        match task.children() {
            Ok(children) => found.extend(children),
            // A thread that has ended has no other files either.
            Err(ProcError::NotFound(_)) if task.stat().is_ok() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

/// Finds the descendants by reading the parent of every process on the machine.
fn descendants_by_parent(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        if let Ok(stat) = process.stat() {
            let (pid, parent) = (stat.pid.cast_unsigned(), stat.ppid.cast_unsigned());
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_finding_descendants_agree() {
        // Given a shell with one child (`read` keeps the shell from replacing itself by `sleep`)
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & read x; kill $!"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("sh starts");
        let process = Process::open(shell.id()).expect("it runs");
        // When the child has started
        while process.children().expect("readable") == 0 {
            std::thread::yield_now();
        }
        // Then both ways find it
        let mut by_children = process.descendants().expect("readable");
        let mut by_parent = descendants_by_parent(shell.id());
        by_children.sort_unstable();
        by_parent.sort_unstable();
        assert_eq!(by_children.len(), 1);
        assert_eq!(by_children, by_parent);
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
    }
}
