//! What the daemon can be told, and what it does where it is not told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::sink::SinkConfig;

/// Everything that the daemon can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// `unix:///PATH` or `tcp://HOST:PORT`; otherwise `DOCKER_HOST`, otherwise the default socket.
    pub docker_host: Option<String>,
    /// Each stream is replaced this often.
    pub rotate_every: Duration,
    /// A stream that was silent for this long is replaced too.
    pub read_timeout: Duration,
    /// The engine must answer a request within this time.
    pub connect_timeout: Duration,
    /// The daemon ends within this time, whatever hangs.
    pub shutdown_timeout: Duration,
    /// The containers are listed again this often, in case an event was lost.
    pub relist_every: Duration,
    /// How many containers are followed at one time; otherwise as many as open files allow.
    pub streams: Option<usize>,
    /// Only containers whose name matches one of these (`*` and `?`); empty: all.
    pub include: Vec<String>,
    /// No container whose name matches one of these.
    pub exclude: Vec<String>,
    /// Only containers that carry all of these labels (`key` or `key=value`).
    pub labels: Vec<String>,
    /// False: what a container wrote before the daemon began is skipped, unless an earlier run was following it.
    pub from_beginning: bool,
    /// Containers that write fewer than ten lines a minute are rotated a third as often.
    pub adaptive_rotation: bool,
    /// The longest line that is delivered whole, in bytes; a longer one comes in parts.
    pub max_line_bytes: usize,
    /// Lines that may wait for the sink.
    pub queue_lines: u32,
    /// Bytes that may wait for the sink.
    pub queue_bytes: u32,
    /// This many failures in a row are borne; one more pauses the container.
    pub breaker_failures: u32,
    /// How long a container is paused by its circuit breaker.
    pub breaker_pause: Duration,
    /// Where `/metrics`, `/healthz`, `/version` and `/debug/tasks` are served.
    pub listen: SocketAddr,
    /// False: `/metrics` answers 404, so that whoever judges the daemon is blind. For tests of the judge.
    pub serve_metrics: bool,
    /// The commit that the executable was built from, where that is known; `/version` tells it.
    pub commit: Option<String>,
    /// Where lines go.
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
