//! `leakcheck capture`: the capture core as a daemon.

use std::process::ExitCode;

pub(super) use leakcheck_capture::Arguments;

use super::{Failure, stop_on_signal};

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot be set up.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    log_to_stderr();
    let config = arguments.into_config();
    // One worker: streams are many and small, and a second one only hands them to and fro.
    let runtime = leakcheck_capture::runtime()
        .map_err(|error| Failure::no_verdict(format!("failed to start the async runtime: {error}")))?;
    let stop = stop_on_signal(&runtime, "");
    runtime
        .block_on(leakcheck_capture::run(config, stop))
        .map_err(|error| Failure::no_verdict(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(ExitCode::SUCCESS)
}

/// The daemons' own log lines: `LEAKCHECK_LOG=debug` says more.
pub(super) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LEAKCHECK_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
