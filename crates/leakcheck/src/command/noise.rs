//! `leakcheck noise`: paced log lines, as a load container writes them.

use std::process::ExitCode;

use crate::exit_code::Exit;
use crate::failure::Failure;

/// Writes lines until SIGTERM or SIGINT, or until the given number is written.
///
/// # Errors
/// If signals cannot be handled.
pub(crate) fn run(settings: &leakcheck_noise::Settings) -> Result<ExitCode, Failure> {
    leakcheck_noise::run(settings).map_err(anyhow::Error::from)?;
    Ok(Exit::Success.into())
}
