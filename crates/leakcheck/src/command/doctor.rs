//! `leakcheck doctor`: checks that an engine answers and that the limits suffice for a number of containers.

use std::process::ExitCode;

use clap::Args;
use leakcheck_runner::docker::Docker;
use leakcheck_runner::engine;
use rustix::process::{Resource, getrlimit};

use super::{Failure, NO_VERDICT, runtime};
use crate::style::{self, BAD, DOUBT, GOOD, PLAIN};

/// Descriptors per container of the fault proxy (client and engine) and of a collector (stream and rotated successor).
const FDS_PER_STREAM: u64 = 2;

/// Descriptors of a process that belong to no stream.
const FDS_BESIDE: u64 = 64;

/// Memory of a container with its shim, measured.
const BYTES_PER_CONTAINER: u64 = 13 << 20;

/// Arguments of `leakcheck doctor`.
#[derive(Args)]
#[command(after_help = "\
The findings go to standard output: `leakcheck doctor | grep bad`.

Examples:
  leakcheck doctor
  leakcheck doctor --containers 1000

Exit codes: 0 a run should work, 125 it cannot")]
pub(super) struct Arguments {
    /// Number of containers to check for
    #[arg(long, default_value_t = 55)]
    containers: u64,
    /// Address of the engine [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
}

/// Prints one line each for the engine and the limits. The exit code is 0 if a run should work, 125 if it cannot.
///
/// # Errors
/// If the engine's address is malformed.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut healthy = true;
    let mut line = |ok: Option<bool>, text: &str| {
        let mark = match ok {
            Some(true) => format!("{GOOD}ok  {PLAIN}"),
            Some(false) => format!("{BAD}bad {PLAIN}"),
            None => format!("{DOUBT}note{PLAIN}"),
        };
        healthy &= ok != Some(false);
        style::print_styled(&format!("{mark} {text}\n"));
    };
    let n = arguments.containers;
    let host = engine::host(arguments.docker_host.as_deref()).map_err(|e| Failure::usage(e.to_string()))?;
    match runtime()?.block_on(Docker::new(host).hello()) {
        Ok(found) => line(
            Some(true),
            &format!(
                "{} engine {} (API {}) at {}",
                found.kind, found.version, found.api, found.host
            ),
        ),
        Err(error) => {
            let mut cause = error.to_string();
            if cause.contains("ermission denied") {
                cause.push_str("; you may not use its socket: join the group `docker`, or use sudo");
            }
            line(
                None,
                &format!("{cause}; scenarios run on the simulated engine (--engine simulated)"),
            );
        }
    }
    let files = getrlimit(Resource::Nofile);
    let needed = FDS_BESIDE + FDS_PER_STREAM * n;
    let (soft, hard) = (files.current.unwrap_or(u64::MAX), files.maximum.unwrap_or(u64::MAX));
    let mut text = format!("open files: {soft} (at most {hard}); {n} containers need about {needed}");
    if hard < needed {
        text.push_str(
            ". A collector and the fault proxy take two for each container. \
             Raise the hard limit `nofile` (/etc/security/limits.conf, systemd's `LimitNOFILE=`, or `docker run --ulimit`)",
        );
    }
    line(Some(hard >= needed), &text);
    for (name, path, needed) in [
        ("processes", "/proc/sys/kernel/pid_max", n * 12),
        ("inotify instances", "/proc/sys/fs/inotify/max_user_instances", 8),
    ] {
        if let Some(limit) = leakcheck_probe::system_limit(path) {
            line(
                Some(limit >= needed),
                &format!("{name}: {limit}; about {needed} are needed"),
            );
        }
    }
    if let Some(free) = leakcheck_probe::available_memory() {
        let needed = n * BYTES_PER_CONTAINER;
        line(
            Some(free >= needed),
            &format!(
                "memory: {} available; {n} containers need about {}",
                leakcheck_model::Bytes(free >> 20 << 20),
                leakcheck_model::Bytes(needed)
            ),
        );
    }
    Ok(ExitCode::from(if healthy { 0 } else { NO_VERDICT }))
}
