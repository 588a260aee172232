//! `leakcheck completions` and `leakcheck man`.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::{Cli, Failure};
use crate::style;

/// Arguments of `leakcheck completions`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Prints the completions of a shell.
///
/// # Errors
/// None.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "leakcheck", &mut out);
    style::print(&String::from_utf8_lossy(&out));
    Ok(ExitCode::SUCCESS)
}

/// Prints the man page.
///
/// # Errors
/// If it cannot be written, which no page has shown.
pub(super) fn man() -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut out)
        .map_err(anyhow::Error::from)?;
    style::print(&String::from_utf8_lossy(&out));
    Ok(ExitCode::SUCCESS)
}
