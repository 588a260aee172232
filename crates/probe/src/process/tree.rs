//! A process's descendants.

use std::collections::{BTreeMap, HashMap};

use super::{Process, ProcessError, Stat};

/// Deepest generation that is followed; a real tree has a handful.
const DEEPEST: usize = 64;

impl Process {
    /// The ids of all children, their children and so on, zombies included (a zombie is a child that was not waited
    /// for, which is a leak of its own).
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if the process itself has ended.
    pub fn descendants(&self) -> Result<Vec<u32>, ProcessError> {
        self.stat()?;
        let mut found = Vec::new();
        let mut generation = vec![self.pid];
        for _ in 0..DEEPEST {
            let mut next = Vec::new();
            for pid in &generation {
                match children(*pid) {
                    Some(children) => next.extend(children),
                    None => return Ok(scan(self.pid)),
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

    /// How many descendants there are.
    ///
    /// # Errors
    /// As [`Process::descendants`].
    pub fn children(&self) -> Result<u64, ProcessError> {
        Ok(self.descendants()?.len() as u64)
    }

    /// The descendants by name and state: `("sh", 'S')`, `("sleep", 'Z')`.
    ///
    /// # Errors
    /// As [`Process::descendants`].
    pub fn children_by_name(&self) -> Result<BTreeMap<(String, char), u64>, ProcessError> {
        let mut groups = BTreeMap::new();
        for pid in self.descendants()? {
            let Ok(text) = std::fs::read(format!("/proc/{pid}/stat")) else {
                continue;
            };
            let Some(stat) = Stat::parse(&text) else { continue };
            let open = memchr::memchr(b'(', &text).map_or(0, |i| i + 1);
            let close = memchr::memrchr(b')', &text).unwrap_or(text.len());
            let name = String::from_utf8_lossy(text.get(open..close).unwrap_or_default()).into_owned();
            *groups.entry((name, stat.state)).or_default() += 1;
        }
        Ok(groups)
    }
}

/// The children that each thread of a process has, or `None` where the kernel has no such file
/// (`CONFIG_PROC_CHILDREN`). A process that has just ended has none.
fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Some(found);
    };
    for task in tasks.flatten() {
        match std::fs::read_to_string(task.path().join("children")) {
            Ok(list) => found.extend(list.split_ascii_whitespace().filter_map(|p| p.parse::<u32>().ok())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && task.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

/// The descendants by asking every process for its parent.
fn scan(root: u32) -> Vec<u32> {
    let mut of: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(text) = std::fs::read(entry.path().join("stat")) else {
            continue;
        };
        if let Some(stat) = Stat::parse(&text) {
            of.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = of.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(of.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_finding_descendants_agree() {
        // Given a shell with a child of its own (`read` keeps the shell from becoming the sleep)
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & read x; kill $!"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("sh starts");
        let process = Process::open(shell.id()).expect("it runs");
        // When the child is there
        while process.children().expect("readable") == 0 {
            std::thread::yield_now();
        }
        // Then both ways see it
        let mut by_file = process.descendants().expect("readable");
        let mut by_scan = scan(shell.id());
        by_file.sort_unstable();
        by_scan.sort_unstable();
        assert_eq!(by_file.len(), 1);
        assert_eq!(by_file, by_scan);
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
    }
}
