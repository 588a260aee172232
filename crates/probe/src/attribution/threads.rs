//! Threads by name and by the system call in which they wait.

use std::io::Read as _;

use procfs::process::{Syscall, Task};

use super::group::Groups;
use crate::process::{Process, ProcessError};

/// The number of threads that are read. Each costs three small files.
const MAX_THREADS: usize = 5000;

/// Names of the system calls in which threads usually wait. Other calls are reported by number.
#[cfg(target_arch = "x86_64")]
const SYSTEM_CALLS: &[(i64, &str)] = &[
    (0, "read"),
    (1, "write"),
    (7, "poll"),
    (23, "select"),
    (35, "nanosleep"),
    (42, "connect"),
    (43, "accept"),
    (45, "recvfrom"),
    (47, "recvmsg"),
    (61, "wait4"),
    (128, "rt_sigtimedwait"),
    (202, "futex"),
    (230, "clock_nanosleep"),
    (232, "epoll_wait"),
    (247, "waitid"),
    (271, "ppoll"),
    (281, "epoll_pwait"),
    (288, "accept4"),
];
#[cfg(target_arch = "aarch64")]
const SYSTEM_CALLS: &[(i64, &str)] = &[
    (22, "epoll_pwait"),
    (63, "read"),
    (64, "write"),
    (72, "pselect6"),
    (73, "ppoll"),
    (95, "waitid"),
    (98, "futex"),
    (101, "nanosleep"),
    (115, "clock_nanosleep"),
    (137, "rt_sigtimedwait"),
    (202, "accept"),
    (203, "connect"),
    (207, "recvfrom"),
    (242, "accept4"),
    (260, "wait4"),
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const SYSTEM_CALLS: &[(i64, &str)] = &[];

/// Counts all threads of a process.
pub(super) fn groups(process: &Process) -> Result<Groups, ProcessError> {
    let mut groups = Groups::new();
    let tasks = process.read("task", procfs::process::Process::tasks)?;
    for task in tasks.flatten().take(MAX_THREADS) {
        // A thread that has ended since the folder was listed has no files.
        let Ok(stat) = task.stat() else { continue };
        let waits_in = waits_in(process, &task).unwrap_or_else(|| state_name(stat.state).to_owned());
        *groups.entry((stat.comm, waits_in)).or_default() += 1;
    }
    Ok(groups)
}

/// Returns the system call of a thread, or the kernel function if the call is not visible.
fn waits_in(process: &Process, task: &Task) -> Option<String> {
    let call = task.syscall().ok().and_then(call_name);
    call.or_else(|| {
        let mut text = String::new();
        let mut file = process.open_file(&format!("task/{}/wchan", task.tid)).ok()?;
        file.read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned()).filter(|function| !function.is_empty() && function != "0")
    })
}

fn call_name(call: Syscall) -> Option<String> {
    match call {
        Syscall::Running => Some("running".into()),
        Syscall::Blocked { syscall_number, .. } => name_in(SYSTEM_CALLS, syscall_number),
        _ => None,
    }
}

/// Returns the name of a call, or its number if the table does not have it. A negative number is no system call.
fn name_in(table: &[(i64, &str)], number: i64) -> Option<String> {
    if number < 0 {
        return None;
    }
    let known = table.iter().find(|(n, _)| *n == number);
    Some(known.map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned()))
}

/// Returns the name of a state letter (proc_pid_stat(5)).
pub(super) fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "waiting for a device",
        'Z' => "zombie",
        'T' | 't' => "stopped",
        'X' | 'x' => "dead",
        'I' => "idle",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_calls_have_names_and_unknown_ones_their_number() {
        assert_eq!(name_in(&[(202, "futex")], 202).as_deref(), Some("futex"));
        assert_eq!(name_in(SYSTEM_CALLS, 99_999).as_deref(), Some("system call 99999"));
        assert_eq!(name_in(SYSTEM_CALLS, -1), None);
        assert_eq!(call_name(Syscall::Running).as_deref(), Some("running"));
    }

    #[test]
    fn an_architecture_without_a_table_has_numbers_and_not_the_names_of_another() {
        assert_eq!(name_in(&[], 202).as_deref(), Some("system call 202"));
    }
}
