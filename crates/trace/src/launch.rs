//! The start of a traced command, in its own process: wait for the tracer, set the filter, execute the command.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::unistd::Pid;

use crate::filter;

/// Executes `command` under the seccomp filter; returns only on failure.
///
/// The process stops itself first, so that the tracer can attach. An unprivileged filter needs `no_new_privs`, so a
/// setuid program runs without its privilege.
#[must_use]
pub fn exec_traced(command: &[OsString]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no command to trace");
    };
    if let Err(error) = raise(Signal::SIGSTOP) {
        return error.into();
    }
    // The tracer blocks the signals that it waits for, and this process inherited the mask.
    if let Err(error) = SigSet::empty().thread_set_mask() {
        return error.into();
    }
    let filter = match filter::program() {
        Ok(filter) => filter,
        Err(error) => return io::Error::other(error),
    };
    // Sets `no_new_privs` as well.
    if let Err(error) = seccompiler::apply_filter(&filter) {
        return io::Error::other(error);
    }
    Command::new(program).args(arguments).exec()
}

/// Keeps a thread in its job-control stop until SIGCONT. Returns true on success.
#[allow(unsafe_code, reason = "nix has no PTRACE_LISTEN; the request takes no pointer")]
pub(crate) fn listen(thread: Pid) -> bool {
    // SAFETY: PTRACE_LISTEN ignores its address and data.
    unsafe { libc::ptrace(libc::PTRACE_LISTEN, thread.as_raw(), 0, 0) == 0 }
}
