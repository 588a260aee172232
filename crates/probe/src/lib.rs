//! The eyes: the only reader of /proc, of /metrics, and of what the target wrote.
//!
//! [`Sampler`] gives a row of numbers a tick, [`Delivered`] the line check, [`Process`] one process for good. Everything here
//! has a bound (time, bytes, series) because the other end is a program that is under suspicion; what could not be
//! seen is `None` or an error, never 0.

pub mod attribution;
mod awaited;
pub mod build;
mod cgroup;
pub mod exposition;
pub mod glob;
mod host_limits;
mod ledger;
mod listener;
mod log_gate;
mod ports;
mod process;
mod process_tree;
mod sampler;
pub mod scrape;
mod self_usage;
pub mod sight;
mod tail;
mod unix_diag;
pub mod version_probe;

pub use awaited::AwaitedText;
pub use cgroup::Cgroup;
pub use host_limits::{available_memory, system_limit};
pub use ledger::{Delivered, DeliveredError, Ledger, Progress, Strand};
pub use listener::listener_of;
pub use log_gate::{LogGate, PatternError};
pub use ports::{Ports, ports};
pub use process::{ProcSample, Process, ProcessError, Stat};
pub use process_tree::ProcessTree;
pub use sampler::{Liveness, Reach, Row, Sampler, SamplerError};
pub use scrape::{ScrapeError, Scraper, answers};
pub use self_usage::{SelfUsage, loaded_libraries, self_usage};
