//! The parts of /proc that the tracer needs: mappings, descriptors, watches, threads and parents.

use std::fs;
use std::path::{Path, PathBuf};

/// An executable mapping of a file or of anonymous memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Path of the file, without ` (deleted)`; `None` for anonymous memory and special mappings.
    pub path: Option<PathBuf>,
}

/// Returns the executable mappings of a process.
pub(crate) fn executable_mappings(pid: i32) -> Vec<Mapping> {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    String::from_utf8_lossy(&maps).lines().filter_map(mapping).collect()
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    if !fields.next()?.contains('x') {
        return None;
    }
    let offset = fields.next()?;
    let path = fields.nth(2).unwrap_or_default().trim_start();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        path: path.starts_with('/').then(|| PathBuf::from(path)),
    })
}

/// Returns the open descriptors of a process with their links; empty if it has ended or is not readable.
pub(crate) fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let link = fs::read_link(entry.path()).ok()?;
            Some((number, link.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Returns the watch descriptors of an inotify instance.
pub(crate) fn watches(pid: i32, descriptor: i32) -> Vec<i32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).unwrap_or_default();
    info.lines()
        .filter_map(|line| line.strip_prefix("inotify wd:")?.split(' ').next()?.parse().ok())
        .collect()
}

/// Returns the number after `key` in `/proc/TID/status`.
fn status_number(tid: i32, key: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

/// Returns the process of the thread `tid`.
pub(crate) fn process_of(tid: i32) -> Option<i32> {
    status_number(tid, "Tgid:")
}

/// Returns the parent of a process; `None` after it was reaped.
pub(crate) fn parent_of(pid: i32) -> Option<i32> {
    status_number(pid, "PPid:")
}

/// Returns the name of a thread.
pub(crate) fn thread_name(pid: i32, tid: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// Returns the file to read for a mapped `path`: the running executable if its file was deleted.
pub(crate) fn readable(pid: i32, path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    PathBuf::from(format!("/proc/{pid}/exe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_mappings_are_parsed_and_paths_may_contain_blanks() {
        let line = "7f00-7fff r-xp 00001000 08:01 42                         /opt/a b/lib.so (deleted)";
        let expected = Mapping {
            start: 0x7f00,
            end: 0x7fff,
            offset: 0x1000,
            path: Some("/opt/a b/lib.so".into()),
        };
        assert_eq!(mapping(line), Some(expected));
        assert_eq!(mapping("7f00-7fff rw-p 00000000 00:00 0 "), None);
        assert_eq!(
            mapping("7f00-7fff r-xp 00000000 00:00 0 [vdso]").map(|m| m.path),
            Some(None)
        );
    }
}
