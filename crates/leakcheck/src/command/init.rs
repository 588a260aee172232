//! `leakcheck init`: writes a commented scenario that can be run unchanged.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::style;

/// The scenario that `init` writes. An end-to-end test runs it.
const TEMPLATE: &str = include_str!("init.toml");

/// Arguments of `leakcheck init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck init                    writes leakcheck.toml, for `leakcheck run leakcheck.toml`
  leakcheck init - | less           prints it
  leakcheck init my-daemon.toml && $EDITOR my-daemon.toml")]
pub(crate) struct Arguments {
    /// The file to write; `-` is standard output
    #[arg(default_value = "leakcheck.toml")]
    file: PathBuf,
}

/// Writes the template. An existing file is never overwritten.
///
/// # Errors
/// If the file exists or cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.file.as_os_str() == "-" {
        style::print(TEMPLATE);
        return Ok(Exit::Success.into());
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
    style::print_line(&format!("wrote {file}; run it with `leakcheck run {file}`"));
    Ok(Exit::Success.into())
}
