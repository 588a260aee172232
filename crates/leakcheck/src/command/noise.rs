//! `leakcheck noise`: what runs inside a load container.

use std::process::ExitCode;

use super::Failure;

/// Writes lines until it is told to end.
///
/// # Errors
/// If signals cannot be handled.
pub(super) fn run(settings: &leakcheck_noise::Settings) -> Result<ExitCode, Failure> {
    leakcheck_noise::run(settings).map_err(anyhow::Error::from)?;
    Ok(ExitCode::SUCCESS)
}
