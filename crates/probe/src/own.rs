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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_libraries() {
        assert!(own_usage().max_rss_bytes > 100_000);
        assert!(loaded_libraries().expect("readable").iter().all(|p| p.is_absolute()));
        assert!(available_memory().expect("Linux says so") > 0);
        assert_eq!(system_limit("/proc/sys/no/such"), None);
    }
}
