//! Origins of leaked resources: which line of code opened a descriptor, started a thread or a child, or added an inotify watch.
//!
//! [`trace`] runs a command under ptrace. A seccomp filter stops the command only at system calls that create descriptors, so all
//! other calls run at full speed and no privilege is needed. Each creation is recorded with its call stack. At the end the records
//! are compared with what is still open (`/proc/PID/fd`), grouped by stack, and named.

mod calls;
mod elf;
mod filter;
mod fold;
mod go;
mod launch;
mod memory;
mod naming;
mod perf_map;
mod proc;
mod python;
mod registers;
mod space;
mod state;
mod survivors;
mod tracer;

pub use launch::exec_traced;
pub use tracer::{Error, Traced, trace};
