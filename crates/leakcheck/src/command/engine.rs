//! `leakcheck engine`: the simulated Docker Engine on a Unix socket, for any client.

use std::process::ExitCode;

pub(super) use leakcheck_dockersim::Arguments;

use leakcheck_dockersim::{Server, Settings};

use super::{Failure, runtime, stop_on_signal};
use crate::style;

/// Serves until SIGTERM or SIGINT. Its address is the only line on standard output, as soon as clients can connect.
///
/// # Errors
/// If the socket cannot be made.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    super::capture::log_to_stderr();
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let settings = Settings::from(arguments);
    runtime
        .block_on(async {
            let server = Server::bind(&settings)?;
            style::print(&format!("unix://{}\n", server.socket().display()));
            server.run(stop).await;
            Ok::<_, leakcheck_dockersim::ServeError>(())
        })
        .map_err(|error| Failure::usage(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(ExitCode::SUCCESS)
}
