<<<<<<< HEAD
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
=======
//! What the harness must know of itself and of the machine: its cost, its libraries, the limits it runs under.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What this process has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// Largest resident set, bytes.
    pub max_rss_bytes: u64,
}

/// What this process has cost so far (`/proc/self/status` and `/proc/self/stat`); zeros if it cannot be read.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "2^53 clock ticks do not pass")]
pub fn own_usage() -> Usage {
    let Ok(process) = procfs::process::Process::myself() else { return Usage::default() };
    let cpu = process.stat().map_or(0.0, |s| (s.utime + s.stime) as f64 / procfs::ticks_per_second() as f64);
    // VmHWM is in KiB.
    let peak = process.status().ok().and_then(|s| s.vmhwm).unwrap_or_default() * 1024;
    Usage { cpu_s: cpu, max_rss_bytes: peak }
}

/// The shared objects that this process has loaded, by their real paths.
///
/// # Errors
/// If our own memory map cannot be read.
pub fn loaded_libraries() -> io::Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut files: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.split_once('/').map(|(_, path)| format!("/{path}")))
        .filter(|path| path.contains(".so"))
        .map(PathBuf::from)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// A number from a file of `/proc/sys`; `None` where there is none.
#[must_use]
pub fn system_limit(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Memory that can be had without swapping, bytes (`MemAvailable`).
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Whether a URL answers with 2xx within two seconds; else why not.
///
/// # Errors
/// In words: no connection, no answer in time, or the status.
pub async fn answers(url: &str) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(|error| error.to_string())?;
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("{url} answers {}", answer.status())),
        Err(error) if error.is_connect() => Err(format!("nothing listens at {url}")),
        Err(error) if error.is_timeout() => Err(format!("{url} does not answer")),
        Err(error) => Err(format!("{url}: {error}")),
    }
>>>>>>> main
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
<<<<<<< HEAD
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
=======
    fn this_process_uses_memory_and_libraries() {
        assert!(own_usage().max_rss_bytes > 100_000);
        assert!(loaded_libraries().expect("readable").iter().all(|p| p.is_absolute()));
        assert!(available_memory().expect("Linux says so") > 0);
        assert_eq!(system_limit("/proc/sys/no/such"), None);
>>>>>>> main
    }
}
