//! `leakcheck engine`: the simulated Docker Engine on a Unix socket, for any client.

use std::process::ExitCode;

pub(super) use leakcheck_dockersim::Arguments;

use super::{Failure, runtime, stop_on_signal};

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If the socket cannot be made.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    super::capture::log_to_stderr();
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let served = runtime.block_on(leakcheck_dockersim::serve(arguments.into(), stop));
    served.map_err(|error| Failure::usage(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(ExitCode::SUCCESS)
}
