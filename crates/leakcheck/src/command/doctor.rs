//! `leakcheck doctor`: checks that an engine answers and that the limits suffice for a number of containers.

use std::process::ExitCode;

use clap::Args;
use leakcheck_runner::docker::Docker;
use leakcheck_runner::engine;
use rustix::process::{Resource, getrlimit};

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::runtime;
use crate::style::{self, BAD, DOUBT, GOOD, PLAIN};

/// Descriptors per container of the fault proxy (client and engine) and of a collector (stream and rotated successor).
const FDS_PER_STREAM: u64 = 2;

/// Descriptors of a process that belong to no stream.
const FDS_BESIDE: u64 = 100;

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
pub(crate) struct Arguments {
    /// Number of containers to check for
    #[arg(long, default_value_t = 55)]
    containers: u64,
    /// Address of the engine [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
}

/// A line of the report.
struct Finding {
    /// `None` for a note, which is neither good nor bad.
    is_good: Option<bool>,
    text: String,
}

impl Finding {
    fn limit(is_good: bool, text: String) -> Self {
        Self {
            is_good: Some(is_good),
            text,
        }
    }

    fn print(&self) {
        let mark = match self.is_good {
            Some(true) => format!("{GOOD}ok  {PLAIN}"),
            Some(false) => format!("{BAD}bad {PLAIN}"),
            None => format!("{DOUBT}note{PLAIN}"),
        };
        style::print_styled(&format!("{mark} {}\n", self.text));
    }
}

/// Prints one line each for the engine and the limits. The exit code is 0 if a run should work, 125 if it cannot.
///
/// # Errors
/// If the engine's address is malformed.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let containers = arguments.containers;
    let mut findings = vec![
        check_engine(arguments.docker_host.as_deref())?,
        check_open_files(containers),
    ];
    findings.extend(check_kernel_limits(containers));
    findings.extend(check_memory(containers));
    findings.iter().for_each(Finding::print);
    let is_healthy = findings.iter().all(|finding| finding.is_good != Some(false));
    Ok(if is_healthy { Exit::Success } else { Exit::NoVerdict }.into())
}

fn check_engine(address: Option<&str>) -> Result<Finding, Failure> {
    let address = engine::address(address).map_err(|e| Failure::usage(e.to_string()))?;
    let found = match Docker::connect(address) {
        Ok(docker) => runtime()?.block_on(docker.ping()),
        Err(error) => Err(error),
    };
    Ok(match found {
        Ok(found) => Finding::limit(
            true,
            format!(
                "{} engine {} (API {}) at {}",
                found.kind, found.version, found.api, found.host
            ),
        ),
        Err(error) => {
            let mut cause = error.to_string();
            if cause.contains("ermission denied") {
                cause.push_str("; you may not use its socket: join the group `docker`, or use sudo");
            }
            Finding {
                is_good: None,
                text: format!("{cause}; scenarios run on the simulated engine (--engine simulated)"),
            }
        }
    })
}

fn check_open_files(containers: u64) -> Finding {
    let limit = getrlimit(Resource::Nofile);
    let needed = FDS_BESIDE + FDS_PER_STREAM * containers;
    let is_enough = limit.maximum.is_none_or(|hard| hard >= needed);
    let number = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let mut text = format!(
        "open files: {} (hard limit {}); {containers} containers need about {needed}",
        number(limit.current),
        number(limit.maximum)
    );
    if !is_enough {
        text.push_str(
            ". A collector and the fault proxy take two for each container. \
             Raise the hard limit `nofile` (/etc/security/limits.conf, systemd's `LimitNOFILE=`, or `docker run --ulimit`)",
        );
    }
    Finding::limit(is_enough, text)
}

fn check_kernel_limits(containers: u64) -> impl Iterator<Item = Finding> {
    let limits = [
        ("processes", "/proc/sys/kernel/pid_max", containers * 12),
        ("inotify instances", "/proc/sys/fs/inotify/max_user_instances", 8),
    ];
    limits.into_iter().filter_map(|(name, path, needed)| {
        let limit = leakcheck_probe::system_limit(path)?;
        Some(Finding::limit(
            limit >= needed,
            format!("{name}: {limit}; about {needed} are needed"),
        ))
    })
}

fn check_memory(containers: u64) -> Option<Finding> {
    let available = leakcheck_probe::available_memory()?;
    let needed = containers * BYTES_PER_CONTAINER;
    let text = format!(
        "memory: {} available; {containers} containers need about {}",
        leakcheck_model::Bytes(available >> 20 << 20),
        leakcheck_model::Bytes(needed)
    );
    Some(Finding::limit(available >= needed, text))
}
