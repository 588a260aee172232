//! The machine's limits, for `leakcheck doctor`.

use std::fs;

/// A number from a file of `/proc/sys`; `None` where there is none.
#[must_use]
pub fn system_limit(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Memory that can be had without swapping, bytes (`MemAvailable` of proc_meminfo(5)).
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_says_what_there_is() {
        assert!(available_memory().expect("Linux says so") > 0);
        assert!(system_limit("/proc/sys/kernel/pid_max").expect("Linux says so") > 0);
        assert_eq!(system_limit("/proc/sys/no/such"), None);
    }
}
