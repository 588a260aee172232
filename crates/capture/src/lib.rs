//! A log capture daemon: it follows every container of a Docker engine, rotates its streams, delivers each line once, and
//! exposes metrics.
//!
//! It is a library: [`run`] takes a [`Config`], and [`Arguments`] builds one from a command line. It does not depend on the
//! rest of the workspace, except on the HTTP/1 codec.
//!
//! **Data flow of a line.** `http` reads bytes and removes chunk framing; `frame` cuts them into frames; `stream` skips
//! delivered frames (`resume`) and joins pieces (`assemble`); `follower` owns a container's position and its one or two streams,
//! and collects lines in a `chunk`; `queue` bounds the lines in memory; `sink` writes them and commits positions. `discovery`
//! finds containers, `pool` bounds them, `task` lists every task, `metrics`, `runtime_metrics` and `status` expose the state,
//! and `watchdog` reports overdue rotations.
//!
//! **Cost.** A followed container costs one task and one file descriptor, and no buffer while it is silent. During a rotation
//! there is a second descriptor, for the successor. Its position takes 144 bytes, however many lines it had. The daemon itself
//! has three more tasks (discovery, watchdog, status), one per connection to its status port, and one thread for the sink.
//!
//! **Output of the file sink.** `capture-NNNNNNNN.ndjson` in the output folder, one record per line:
//! `{"ts","container_id","container_name","stream","line"}`. Where they apply, these are added: `"partial":true` (the line
//! continues in the next record), `"pieces":n` (the engine sent it in n frames) and `"line_base64"` (the exact bytes of a line
//! that is not UTF-8). `capture.positions.json` beside it bounds the amount of output that a restart reads again.
//!
//! **Metrics.** `log_capturer_container_stream_rotations_total` has a series for each followed container, so its sum falls
//! when one is removed; `log_capturer_rotations_total` never falls. `log_capturer_log_gaps_total` counts log gaps with lost
//! lines, `log_capturer_log_dropped_total` those whose lines had all been delivered.

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
mod http;
mod jitter;
mod metrics;
mod monotonicity;
mod ndjson;
mod pool;
mod queue;
mod resume;
mod runtime_metrics;
mod sink;
mod status;
mod stream;
mod task;
#[cfg(test)]
mod test_support;
mod timestamp;
mod watchdog;

pub use arguments::Arguments;
pub use config::Config;
pub use daemon::{Error, run, runtime};
pub use http::connector::EndpointError;
pub use sink::{Fsync, LokiAddress, SinkConfig, SinkError};
