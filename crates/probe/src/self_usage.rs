//! leakcheck's own process: the cost of the harness, and the shared libraries that it has loaded.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use procfs::process::{MMPermissions, MMapPath, MemoryMap};

use crate::process::Process;

/// The resources that leakcheck has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SelfUsage {
    /// Processor time, user and system, in seconds.
    pub cpu_s: f64,
    /// The largest resident set so far, in bytes.
    pub max_rss_bytes: u64,
}

/// Returns the resources that leakcheck has used so far; zeros if /proc cannot be read.
#[must_use]
pub fn self_usage() -> SelfUsage {
    let Ok(process) = Process::open(std::process::id()) else {
        return SelfUsage::default();
    };
    let status = process.read("status", procfs::process::Process::status);
    SelfUsage {
        cpu_s: process.sample().map_or(0.0, |s| s.cpu_s),
        max_rss_bytes: status.ok().and_then(|s| s.vmhwm).unwrap_or_default() * 1024,
    }
}

/// Returns the full paths of the shared libraries of this executable; none if it is static.
///
/// # Errors
/// An error if /proc/self/maps cannot be read.
pub fn loaded_libraries() -> io::Result<Vec<PathBuf>> {
    let process = procfs::process::Process::myself().map_err(io::Error::other)?;
    let exe = process.exe().ok();
    let mappings = process.maps().map_err(io::Error::other)?;
    let files: BTreeSet<PathBuf> = mappings.into_iter().filter_map(library).collect();
    Ok(files.into_iter().filter(|path| Some(path) != exe.as_ref()).collect())
}

/// Returns the file of a mapping that holds code.
fn library(mapping: MemoryMap) -> Option<PathBuf> {
    match mapping.pathname {
        MMapPath::Path(path) if mapping.perms.contains(MMPermissions::EXECUTE) => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use procfs::FromBufRead as _;
    use procfs::process::MemoryMaps;

    use super::*;

    #[test]
    fn only_files_with_code_are_libraries() {
        let maps: &[u8] = b"7f00-7f01 r--p 00000000 fd:00 12   /usr/lib/libc.so.6\n\
            7f01-7f02 r-xp 00001000 fd:00 12         /usr/lib/libc.so.6\n\
            7f03-7f04 r--p 00000000 fd:00 13         /usr/lib/locale/C.utf8/LC_CTYPE\n\
            7f05-7f06 r-xp 00000000 00:00 0          [vdso]\n7f07-7f08 rw-p 00000000 00:00 0 \n";
        let mappings = MemoryMaps::from_buf_read(maps).expect("the kernel's format");
        let libraries: Vec<PathBuf> = mappings.into_iter().filter_map(library).collect();
        assert_eq!(libraries, [PathBuf::from("/usr/lib/libc.so.6")]);
    }

    #[test]
    fn our_own_time_memory_and_libraries_are_found() {
        // Given some work, until one clock tick of processor time has passed
        while self_usage().cpu_s == 0.0 {}
        assert!(self_usage().max_rss_bytes > 100_000);
        assert!(loaded_libraries().expect("readable").iter().all(|l| l.exists()));
    }
}
