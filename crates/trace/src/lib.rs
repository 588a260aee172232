//! Origins of leaked resources: the line of code that opened a descriptor, started a thread or child, or added an inotify watch.
//!
//! [`trace`] runs a command under ptrace. A seccomp filter stops the command only at system calls that create descriptors, so all
//! other calls run at full speed and no privilege is needed. Each creation is recorded with its call stack. At the end the records
//! are compared with the resources that still exist (/proc), grouped by stack, and symbolized.

mod calls;
mod elf;
mod filter;
mod go;
mod launch;
mod library;
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
