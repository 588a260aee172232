//! The command-line arguments of the daemon, for a CLI to flatten into its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::sink::{Fsync, LokiAddress, SinkConfig};

/// The kinds of sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SinkKind {
    File,
    Loki,
    Discard,
}

/// `leakcheck capture`: follow the logs of every container of a Docker engine.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The engine: unix:///PATH or tcp://HOST:PORT [default: $DOCKER_HOST, then unix:///var/run/docker.sock]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Replace each stream at this interval
    #[arg(long, value_name = "D", default_value = "5m", value_parser = duration)]
    rotate_every: Duration,
    /// Replace a stream that was silent for this long
    #[arg(long, value_name = "D", default_value = "30s", value_parser = duration)]
    read_timeout: Duration,
    /// The engine must answer within this time
    #[arg(long, value_name = "D", default_value = "10s", value_parser = duration)]
    connect_timeout: Duration,
    /// End within this time, whatever hangs
    #[arg(long, value_name = "D", default_value = "2.5s", value_parser = duration)]
    shutdown_timeout: Duration,
    /// List the containers again at this interval
    #[arg(long, value_name = "D", default_value = "30s", value_parser = duration)]
    relist_every: Duration,
    /// Follow at most this many containers at one time [default: as many as the limit of open files allows]
    #[arg(long, value_name = "N")]
    streams: Option<usize>,
    /// Follow only containers whose name matches (* and ?); may be repeated
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Leave out containers whose name matches (* and ?); may be repeated
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Follow only containers with this label; may be repeated
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Skip lines from before the start, except those of containers that an earlier run followed
    #[arg(long)]
    from_now: bool,
    /// Rotate containers that write fewer than ten lines a minute a third as often
    #[arg(long)]
    adaptive_rotation: bool,
    /// Pause a container for this time after more than five failures in a row
    #[arg(long, value_name = "D", default_value = "5m", value_parser = duration)]
    breaker_pause: Duration,
    /// The longest line that is delivered whole, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    max_line_bytes: usize,
    /// The destination of lines
    #[arg(long, value_enum, default_value = "file")]
    sink: SinkKind,
    /// The folder of the file sink, and of the Loki sink's positions
    #[arg(long, value_name = "DIR", default_value = "captured")]
    output: PathBuf,
    /// The address of Loki, for the Loki sink
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3100")]
    loki: LokiAddress,
    /// Begin a new output file at this size, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024 * 1024)]
    rotate_bytes: u64,
    /// Keep this many output files; 0 keeps all
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_files: u32,
    /// Force lines to the disk at these times (a killed process loses none either way; a machine without power may)
    #[arg(long, value_enum, default_value = "never")]
    fsync: Fsync,
    /// The address of /metrics, /healthz, /version and /debug/tasks; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// Answer 404 to /metrics, to test that leakcheck notices missing metrics
    #[arg(long, hide = true)]
    no_metrics: bool,
}

impl Arguments {
    /// Returns the configuration of the daemon.
    #[must_use]
    pub fn into_config(self) -> Config {
        let sink = match self.sink {
            SinkKind::Discard => SinkConfig::Discard,
            SinkKind::Loki => SinkConfig::Loki {
                address: self.loki,
                folder: self.output,
            },
            SinkKind::File => SinkConfig::File {
                folder: self.output,
                rotate_bytes: self.rotate_bytes,
                keep_files: self.keep_files,
                fsync: self.fsync,
            },
        };
        Config {
            docker_host: self.docker_host,
            rotate_every: self.rotate_every,
            read_timeout: self.read_timeout,
            connect_timeout: self.connect_timeout,
            shutdown_timeout: self.shutdown_timeout,
            relist_every: self.relist_every,
            streams: self.streams,
            include: self.include,
            exclude: self.exclude,
            labels: self.label,
            from_beginning: !self.from_now,
            adaptive_rotation: self.adaptive_rotation,
            breaker_pause: self.breaker_pause,
            max_line_bytes: self.max_line_bytes,
            listen: self.listen,
            serve_metrics: !self.no_metrics,
            sink,
            ..Config::default()
        }
    }
}

/// Parses a duration above zero (`30s`, `1h30m`, `250ms`).
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("it must be more than zero".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Result<Config, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.arguments.into_config())
    }

    #[test]
    fn no_arguments_give_the_default_configuration() {
        let (parsed, default) = (parse("capture").unwrap(), Config::default());
        assert_eq!(parsed.rotate_every, default.rotate_every);
        assert_eq!(parsed.read_timeout, default.read_timeout);
        assert_eq!(parsed.shutdown_timeout, default.shutdown_timeout);
        assert_eq!(
            (parsed.listen, parsed.max_line_bytes),
            (default.listen, default.max_line_bytes)
        );
    }

    #[test]
    fn durations_have_units_and_are_above_zero() {
        assert_eq!(
            parse("capture --rotate-every 1m30s").unwrap().rotate_every,
            Duration::from_secs(90)
        );
        assert!(parse("capture --rotate-every 0s").is_err());
        assert!(parse("capture --rotate-every -5s").is_err());
    }
}
