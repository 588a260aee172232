//! `leakcheck init`: a commented scenario that runs as it is.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Failure;
use crate::style;

/// The scenario that `init` writes; a test runs it.
pub(super) const TEMPLATE: &str = include_str!("init.toml");

/// Arguments of `leakcheck init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck init                    writes leakcheck.toml; `leakcheck run leakcheck.toml` runs it as it is
  leakcheck init - | less           to look at
  leakcheck init my-daemon.toml && $EDITOR my-daemon.toml")]
pub(super) struct Arguments {
    /// Where to write it; `-` is standard output
    #[arg(default_value = "leakcheck.toml")]
    file: PathBuf,
}

/// Writes the template; never over a file that is there.
///
/// # Errors
/// If the file exists or cannot be written.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.file.as_os_str() == "-" {
        style::print(TEMPLATE);
        return Ok(ExitCode::SUCCESS);
    }
    let file = arguments.file.display();
    let mut out = std::fs::File::create_new(&arguments.file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{file} exists already; name another file, or remove it"))
        }
        _ => Failure::usage(format!("failed to write {file}: {error}")),
    })?;
    out.write_all(TEMPLATE.as_bytes())
        .map_err(|error| Failure::usage(format!("failed to write {file}: {error}")))?;
    style::say(&format!("wrote {file}; run it with `leakcheck run {file}`"));
    Ok(ExitCode::SUCCESS)
}
