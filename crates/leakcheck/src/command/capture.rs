//! `leakcheck capture`: the capture core as a daemon.

use std::process::ExitCode;

pub(super) use leakcheck_capture::Arguments;

use tokio_util::sync::CancellationToken;

use super::{Failure, INTERRUPTED, signalled};

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot be set up.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    log_to_stderr();
    let config = leakcheck_capture::Config {
        // Set by the build script where there is a repository to ask.
        commit: option_env!("LEAKCHECK_COMMIT").map(str::to_owned),
        ..arguments.into_config()
    };
    // One worker: streams are many and small, and a second one only hands them to and fro.
    let runtime = leakcheck_capture::runtime()
        .map_err(|error| Failure::no_verdict(format!("failed to start the async runtime: {error}")))?;
    runtime
        .block_on(until_signalled(config))
        .map_err(|error| Failure::no_verdict(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(ExitCode::SUCCESS)
}

/// The daemon until it is told to end; told twice, it ends at once. No task of its own waits for that: each one that is alive
/// is on the daemon's list.
async fn until_signalled(config: leakcheck_capture::Config) -> Result<(), leakcheck_capture::Error> {
    let stop = CancellationToken::new();
    let told = async {
        signalled().await;
        stop.cancel();
        signalled().await;
        std::process::exit(i32::from(INTERRUPTED));
    };
    tokio::select! {
        ended = leakcheck_capture::run(config, stop.clone()) => ended,
        () = told => Ok(()),
    }
}

/// The daemons' own log lines: `LEAKCHECK_LOG=debug` says more.
pub(super) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LEAKCHECK_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
