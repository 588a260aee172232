//! The configuration of the daemon, with its defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::sink::SinkConfig;

/// The configuration of the daemon.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine: `unix:///PATH` or `tcp://HOST:PORT`. The default is `DOCKER_HOST`, then the default socket.
    pub docker_host: Option<String>,
    /// The interval at which each stream is replaced.
    pub rotate_every: Duration,
    /// The silence after which a stream is replaced.
    pub read_timeout: Duration,
    /// The time within which the engine must answer a request.
    pub connect_timeout: Duration,
    /// The time within which the daemon ends, whatever hangs.
    pub shutdown_timeout: Duration,
    /// The interval at which containers are listed again, in case an event was lost.
    pub relist_every: Duration,
    /// The number of containers that are followed at one time. The default follows from the limit of open files.
    pub streams: Option<usize>,
    /// Name patterns (`*` and `?`) of containers to follow; empty selects all.
    pub include: Vec<String>,
    /// Name patterns of containers to leave out.
    pub exclude: Vec<String>,
    /// Labels (`key` or `key=value`) that a container must carry to be followed.
    pub labels: Vec<String>,
    /// `false` skips lines from before the start of the daemon, except those of containers that an earlier run followed.
    pub from_beginning: bool,
    /// Rotates containers that write fewer than ten lines a minute a third as often.
    pub adaptive_rotation: bool,
    /// The longest line that is delivered whole, in bytes; longer ones are delivered in parts.
    pub max_line_bytes: usize,
    /// The largest number of lines in the queue.
    pub queue_lines: u32,
    /// The largest number of bytes in the queue.
    pub queue_bytes: u32,
    /// The number of consecutive failures after which one more pauses the container.
    pub breaker_failures: u32,
    /// The pause of a container by its circuit breaker.
    pub breaker_pause: Duration,
    /// The address of `/metrics`, `/healthz`, `/version` and `/debug/tasks`.
    pub listen: SocketAddr,
    /// `false` answers 404 to `/metrics`, to test that leakcheck notices missing metrics.
    pub serve_metrics: bool,
    /// The commit of the executable, if known, for `/version`.
    pub commit: Option<String>,
    /// The destination of lines.
    pub sink: SinkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            docker_host: None,
            rotate_every: Duration::from_secs(5 * 60),
            read_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_millis(2500),
            relist_every: Duration::from_secs(30),
            streams: None,
            include: Vec::new(),
            exclude: Vec::new(),
            labels: Vec::new(),
            from_beginning: true,
            adaptive_rotation: false,
            max_line_bytes: 1024 * 1024,
            queue_lines: 100_000,
            queue_bytes: 32 * 1024 * 1024,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5 * 60),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8001)),
            serve_metrics: true,
            commit: None,
            sink: SinkConfig::Discard,
        }
    }
}
