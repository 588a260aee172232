//! The capture core: follow every container, rotate, deliver, expose metrics.

mod arguments;
mod assemble;
mod buffer;
mod chunk;
mod config;
mod daemon;
mod discovery;
mod engine;
mod filter;
mod follower;
mod frame;
mod jitter;
mod live;
mod metrics;
mod ndjson;
mod pool;
mod queue;
mod seam;
mod sink;
mod status;
mod stream;
mod task;
#[cfg(test)]
mod testbed;
mod timestamp;
mod watchdog;
mod wire;

pub use arguments::Arguments;
pub use config::Config;
pub use daemon::{Error, run};
pub use sink::loki::LokiAddress;
pub use sink::{Fsync, SinkConfig, SinkError};
pub use wire::dial::EndpointError;
