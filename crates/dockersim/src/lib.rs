//! A Docker Engine API with no containers behind it.
//!
//! It serves thousands of simulated containers on one Unix socket, to any client. They write the lines of `noise` with the
//! text, stamps and pace of real containers. The crate has its own HTTP/1.1 code (over `httparse`), because an idle
//! follower must cost a socket and a small task, not 16 KiB of buffers.

mod api;
mod clock;
mod container;
mod engine;
mod error;
mod event;
mod filter;
mod follow;
mod http;
mod image;
mod lifecycle;
mod log;
mod network;
mod process;
mod query;
mod registry;
mod schedule;
mod scheduler;
mod script;
mod serve;
mod settings;
mod signal;
mod time_param;

pub use serve::{ServeError, Server, serve};
pub use settings::{Arguments, Settings};

/// The engine version in `/version`, which marks the engine as simulated.
pub const VERSION: &str = "20.10.24-leakcheck-simulated";

/// The label in `/info` and the component in `/version` that identify this engine to clients.
pub const SIMULATED_LABEL: &str = "leakcheck.simulated";
