//! Limits of the machine, for `leakcheck doctor`.

use procfs::{Current as _, Meminfo};

/// Returns the number in a file of `/proc/sys`; `None` if there is none.
#[must_use]
pub fn system_limit(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Returns the memory that is available without swapping, in bytes (`MemAvailable` of proc_meminfo(5)).
#[must_use]
pub fn available_memory() -> Option<u64> {
    Meminfo::current().ok()?.mem_available
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_a_missing_one_is_none() {
        assert!(available_memory().expect("Linux reports it") > 0);
        assert!(system_limit("/proc/sys/kernel/pid_max").expect("Linux reports it") > 0);
        assert_eq!(system_limit("/proc/sys/no/such"), None);
    }
}
