//! `leakcheck hold -- COMMAND`: becomes COMMAND, which dies with its parent. A harness that is killed with SIGKILL must
//! not leave its target running.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::Args;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::Failure;

/// Arguments of `leakcheck hold`.
#[derive(Args)]
pub(super) struct Arguments {
    /// The soft limit of open files that it is to have
    #[arg(long, value_name = "N")]
    open_files: Option<u64>,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Becomes the command.
///
/// # Errors
/// If there is no such program.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| Failure::usage(format!("failed to bind to the parent: {e}")))?;
    if getppid() != parent {
        return Ok(ExitCode::from(super::NO_VERDICT));
    }
    if let Some(files) = arguments.open_files {
        leakcheck_runner::lower_open_files(files)
            .map_err(|e| Failure::usage(format!("failed to set the limit of open files: {e}")))?;
    }
    let Some((program, words)) = arguments.command.split_first() else {
        return Err(Failure::usage("there is no command to hold"));
    };
    let error = std::process::Command::new(program).args(words).exec();
    Err(Failure::usage(format!(
        "failed to start `{}`: {error}",
        program.to_string_lossy()
    )))
}
