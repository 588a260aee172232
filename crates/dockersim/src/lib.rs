//! A Docker Engine API with no containers behind it.
//!
//! Thousands of simulated containers on one Unix socket, for any client. What they say is the same `noise` that real
//! containers run: the same lines, stamps and pace. It owns its wire (HTTP/1.1 over `httparse`) because an idle
//! follower must cost a socket and a small task, not the 16 KiB of buffers that an HTTP library keeps for it.

mod api;
mod clock;
mod container;
mod engine;
mod event;
mod failure;
mod filter;
mod follow;
mod http;
mod image;
mod lifecycle;
mod log;
mod moment;
mod network;
mod process;
mod query;
mod registry;
mod schedule;
mod script;
mod serve;
mod settings;
mod signal;

pub use serve::{ServeError, Server, serve};
pub use settings::{Arguments, Settings};

/// What `/version` reports as the version of the engine, so that every client can see that it is simulated.
pub const VERSION: &str = "20.10.24-leakcheck-simulated";

/// The label in `/info` and the component in `/version` by which a client knows this engine.
pub const MARK: &str = "leakcheck.simulated";
