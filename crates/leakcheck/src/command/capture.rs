//! `leakcheck capture`: the log capture daemon.

use std::process::ExitCode;

pub(crate) use leakcheck_capture::Arguments;
use tokio_util::sync::CancellationToken;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{log_to_stderr, signalled};

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot be set up.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    log_to_stderr();
    let config = leakcheck_capture::Config {
        // The build script sets it if the sources are in a git repository.
        commit: option_env!("LEAKCHECK_COMMIT").map(str::to_owned),
        ..arguments.into_config()
    };
    let runtime = leakcheck_capture::runtime()
        .map_err(|error| Failure::no_verdict(format!("failed to start the async runtime: {error}")))?;
    runtime
        .block_on(until_signalled(config))
        .map_err(|error| Failure::no_verdict(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(Exit::Success.into())
}

/// Runs the daemon until a signal; a second signal ends the process at once.
///
/// No task waits for signals, because every task that is alive is on the daemon's list.
async fn until_signalled(config: leakcheck_capture::Config) -> Result<(), leakcheck_capture::Error> {
    let stop = CancellationToken::new();
    let signals = async {
        signalled().await;
        stop.cancel();
        signalled().await;
        Exit::Interrupted.now();
    };
    tokio::select! {
        ended = leakcheck_capture::run(config, stop.clone()) => ended,
        () = signals => Ok(()),
    }
}
