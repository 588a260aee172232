//! Threads by name and by what they wait in.

use super::Groups;
use crate::process::{Process, ProcessError, Stat};

/// Most threads that are looked at; each costs four small files.
const MOST: usize = 5000;

/// System calls in which threads wait, by number: the names that a person would look up.
#[cfg(target_arch = "x86_64")]
const CALLS: [(u64, &str); 18] = [
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
#[cfg(not(target_arch = "x86_64"))]
const CALLS: [(u64, &str); 15] = [
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

/// All threads of a process.
pub(super) fn groups(process: &Process) -> Result<Groups, ProcessError> {
    let mut groups = Groups::new();
    for id in process.folder("task")?.into_iter().take(MOST) {
        let Some(id) = id.to_str() else { continue };
        let read = |file: &str| {
            let mut text = String::new();
            let mut file = process.open_file(&format!("task/{id}/{file}")).ok()?;
            std::io::Read::read_to_string(&mut file, &mut text).ok()?;
            Some(text.trim().to_owned())
        };
        // A thread that has ended since the folder was listed has no name.
        let Some(name) = read("comm") else { continue };
        let state = read("stat").and_then(|s| Stat::parse(s.as_bytes()));
        let waits = read("syscall")
            .and_then(|s| call(&s))
            .or_else(|| read("wchan").filter(|w| !w.is_empty() && w != "0"));
        let state = waits.unwrap_or_else(|| state_in_words(state.map_or('?', |s| s.state)).to_owned());
        *groups.entry((name, state)).or_default() += 1;
    }
    Ok(groups)
}

/// The system call in /proc/PID/task/TID/syscall: its number and arguments, or `running`.
fn call(text: &str) -> Option<String> {
    let number = text.split_ascii_whitespace().next()?;
    if number == "running" {
        return Some("running".into());
    }
    // -1: blocked, but not in a system call.
    let number: u64 = number.parse().ok()?;
    let name = CALLS
        .iter()
        .find(|(n, _)| *n == number)
        .map(|(_, name)| (*name).to_owned());
    Some(name.unwrap_or_else(|| format!("system call {number}")))
}

/// The state's letter in words (proc_pid_stat(5)).
pub(super) fn state_in_words(state: char) -> &'static str {
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
        let futex = CALLS.iter().find(|(_, name)| *name == "futex").expect("listed").0;
        assert_eq!(call(&format!("{futex} 0x1 0x80")).as_deref(), Some("futex"));
        assert_eq!(call("99999 0x1").as_deref(), Some("system call 99999"));
        assert_eq!(call("running").as_deref(), Some("running"));
        assert_eq!(call("-1 0x7ffe"), None);
    }
}
