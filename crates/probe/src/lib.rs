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
mod family;
pub mod glob;
pub mod identity;
mod ledger;
mod listener;
mod log_gate;
mod machine;
mod own;
mod ports;
mod process;
mod sampler;
pub mod scrape;
pub mod sight;
mod tail;

pub use awaited::AwaitedText;
pub use cgroup::Cgroup;
pub use family::Family;
pub use ledger::{Delivered, DeliveredError, Ledger, Progress, Strand};
pub use listener::listener_of;
pub use log_gate::{LogGate, PatternError};
pub use machine::{available_memory, system_limit};
pub use own::{OwnUsage, loaded_libraries, own_usage};
pub use ports::{Ports, ports};
pub use process::{ProcSample, Process, ProcessError, Stat};
pub use sampler::{Liveness, Reach, Row, Sampler, SamplerError};
pub use scrape::{ScrapeError, Scraper, answers};
