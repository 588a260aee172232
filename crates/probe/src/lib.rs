//! The only reader of /proc, of /metrics, and of the files that the target wrote.
//!
//! [`Sampler`] reads a row of metrics per call, [`LineChecker`] checks the delivered lines, [`attribution`] finds the resources
//! that grew, and [`build`] checks for a stale build. The target is not trusted: every read is bounded in time, bytes or
//! number. A value that cannot be read is `None` or an error, never 0.

pub mod attribution;
pub mod build;
mod cgroup;
pub mod discovery;
pub mod exposition;
mod glob;
mod host_limits;
mod line_checker;
mod listener;
mod log_matcher;
mod log_wait;
mod ports;
mod process;
mod process_tree;
mod sampler;
pub mod scrape;
mod self_usage;
mod tail;
mod unix_diag;
pub mod version_probe;

pub use cgroup::Cgroup;
pub use host_limits::{available_memory, system_limit};
pub use line_checker::{DeliveryError, FileCursor, LineChecker};
pub use listener::listener_of;
pub use log_matcher::{LogMatcher, PatternError};
pub use log_wait::LogWait;
pub use ports::{Ports, ports};
pub use process::{ProcSample, Process, ProcessError, Stat};
pub use process_tree::ProcessTree;
pub use sampler::{Liveness, Row, Sampler, SamplerError, TargetHandles};
pub use scrape::{ScrapeError, Scraper, answers};
pub use self_usage::{SelfUsage, loaded_libraries, self_usage};
