//! The settings of the engine.

use std::path::PathBuf;

use leakcheck_model::scenario::Rate;

/// The settings of the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Path of the socket. An old socket without a listener is replaced.
    pub socket: PathBuf,
    /// Number of containers that run from the start.
    pub containers: u32,
    /// Lines per second of each of them.
    pub lines_per_second: Rate,
    /// Limit of the bytes in all logs together. The oldest lines of the longest logs are dropped first and counted in
    /// `/info`. The `max-size` of a container applies as well.
    pub log_budget: u64,
}

/// Default limit of all logs. 100 containers with 20 lines of 120 bytes a second write 7 MiB in 30 s, 0.9 GiB in an hour.
const LOG_BUDGET: u64 = 256 << 20;

impl Settings {
    /// Makes settings for an engine without containers.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            containers: 0,
            lines_per_second: Rate::PerSecond(1.0),
            log_budget: LOG_BUDGET,
        }
    }
}

/// The arguments of `leakcheck engine`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Path of the socket; its address is printed on standard output [default: a new socket in the runtime folder]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Number of containers that run from the start.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub containers: u32,
    /// Lines per second of each of them; 0 is idle.
    #[arg(long, value_name = "R", default_value = "1", value_parser = clap::value_parser!(Rate))]
    pub lines_per_second: Rate,
}

impl From<Arguments> for Settings {
    fn from(arguments: Arguments) -> Self {
        let socket = arguments.socket.unwrap_or_else(|| {
            let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
            folder.join(format!("leakcheck-engine-{}.sock", std::process::id()))
        });
        Self {
            containers: arguments.containers,
            lines_per_second: arguments.lines_per_second,
            ..Self::new(socket)
        }
    }
}
