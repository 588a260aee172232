//! The capture core: follow every container of a Docker engine, rotate its streams, deliver each line once, say how it goes.
//!
//! It is a daemon in a library: [`run`] with a [`Config`], or with [`Arguments`] for a command line. It knows no other room.
//!
//! **One line's journey.** `wire` reads bytes and strips HTTP's framing; `frame` cuts them into the engine's frames;
//! `stream` skips what was delivered (`seam`) and joins pieces (`assemble`); `follower` owns a container's position and its
//! one or two streams and puts lines into a `chunk`; `queue` holds them back when the sink cannot keep up; `sink` writes them
//! and commits the position. Around that: `discovery` finds containers, `pool` bounds them, `task` lists every task,
//! `metrics`, `live` and `status` tell, `watchdog` looks for what is stuck.
//!
//! **Constants.** A followed container costs one task and one file descriptor (two of each kind of connection for the
//! moment of a rotation: the successor's descriptor, no second task) and holds no buffer while nothing comes; its position
//! is 144 bytes however many lines it had. The daemon itself has three tasks more (discovery, watchdog, status), one for
//! each connection to its status port, and one thread for the sink beside the runtime's.
//!
//! **Output of the file sink.** `capture-NNNNNNNN.ndjson` in the output folder, one record a line:
//! `{"ts","container_id","container_name","stream","line"}`; where they apply also `"partial":true` (the line goes on in the
//! next record), `"pieces":n` (the engine sent it in n frames) and `"line_base64"` (the exact bytes of a line that is no
//! UTF-8). `capture.positions.json` beside it bounds how much of the output a restart reads again.
//!
//! **Metrics** beyond the usual: `log_capturer_container_stream_rotations_total` has a series for each container while it is
//! followed, so its sum falls when one goes; `log_capturer_rotations_total` never falls. `log_capturer_log_gaps_total` counts
//! the times that the engine had dropped lines before they could be read, `log_capturer_log_dropped_total` those that it had
//! dropped them after.

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
mod order;
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
pub use daemon::{Error, run, runtime};
pub use sink::loki::LokiAddress;
pub use sink::{Fsync, SinkConfig, SinkError};
pub use wire::dial::EndpointError;
