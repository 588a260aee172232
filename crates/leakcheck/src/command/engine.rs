//! `leakcheck engine`: the simulated Docker Engine on a Unix socket, for any client.

use std::process::ExitCode;

pub(crate) use leakcheck_dockersim::Arguments;
use leakcheck_dockersim::{Server, Settings};

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{log_to_stderr, runtime, stop_on_signal};
use crate::style;

/// Serves until SIGTERM or SIGINT. Prints its address, as the only line, once clients can connect.
///
/// # Errors
/// If the socket cannot be made.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    log_to_stderr();
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
    Ok(Exit::Success.into())
}
