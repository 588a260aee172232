//! leakcheck's own process: what the harness costs, and which shared libraries it has loaded.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use crate::process::{Process, kilobytes};

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnUsage {
    /// Processor time, user and system, seconds.
    pub cpu_s: f64,
    /// The largest resident set that it has had, bytes.
    pub max_rss_bytes: u64,
}

/// What this process has used so far; zeros if /proc does not say.
#[must_use]
pub fn own_usage() -> OwnUsage {
    let cpu_s = Process::open(std::process::id())
        .and_then(|p| p.sample())
        .map_or(0.0, |s| s.cpu_s);
    let status = std::fs::read("/proc/self/status").unwrap_or_default();
    OwnUsage {
        cpu_s,
        max_rss_bytes: kilobytes(&status, "VmHWM:").unwrap_or_default(),
    }
}

/// The shared libraries that this executable runs with, by their full paths; none if it is static.
///
/// # Errors
/// If /proc/self/maps cannot be read.
pub fn loaded_libraries() -> io::Result<Vec<PathBuf>> {
    let exe = std::fs::read_link("/proc/self/exe").ok();
    Ok(libraries(&std::fs::read_to_string("/proc/self/maps")?)
        .into_iter()
        .filter(|p| Some(p) != exe.as_ref())
        .collect())
}

/// The files with executable mappings in proc_pid_maps(5): address, permissions, offset, device, inode, path.
fn libraries(maps: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| {
        let mut fields = line.splitn(6, ' ');
        let permissions = fields.nth(1)?;
        let path = fields.nth(3)?.trim_start();
        (permissions.contains('x') && path.starts_with('/')).then(|| PathBuf::from(path))
    };
    maps.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_code_are_libraries() {
        let maps = "7f00-7f01 r--p 00000000 fd:00 12   /usr/lib/libc.so.6\n\
            7f01-7f02 r-xp 00001000 fd:00 12         /usr/lib/libc.so.6\n\
            7f03-7f04 r--p 00000000 fd:00 13         /usr/lib/locale/C.utf8/LC_CTYPE\n\
            7f05-7f06 r-xp 00000000 00:00 0          [vdso]\n7f07-7f08 rw-p 00000000 00:00 0 \n";
        assert_eq!(libraries(maps), BTreeSet::from([PathBuf::from("/usr/lib/libc.so.6")]));
    }

    #[test]
    fn we_have_used_time_and_memory() {
        // Given some work, until a clock tick of processor time has passed
        while own_usage().cpu_s == 0.0 {}
        assert!(own_usage().max_rss_bytes > 100_000);
        assert!(loaded_libraries().expect("readable").iter().all(|l| l.exists()));
    }
}
