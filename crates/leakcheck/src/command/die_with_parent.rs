//! `leakcheck die-with-parent -- COMMAND`: becomes COMMAND, which the kernel kills when its parent dies.
//!
//! A harness that is killed with SIGKILL must not leave its target running.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::Args;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::exit_code::Exit;
use crate::failure::Failure;

/// Arguments of `leakcheck die-with-parent`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Process id of the parent. The command is not started if the parent has ended already
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// Soft limit of open files for the command
    #[arg(long, value_name = "N")]
    open_files: Option<u64>,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Becomes the command.
///
/// # Errors
/// If the program does not exist.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| Failure::usage(format!("failed to bind to the parent: {e}")))?;
    // The signal is not sent for a parent that died before it was set.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(arguments.parent) {
        return Ok(Exit::NoVerdict.into());
    }
    if let Some(files) = arguments.open_files {
        leakcheck_runner::lower_open_files(files)
            .map_err(|e| Failure::usage(format!("failed to set the limit of open files: {e}")))?;
    }
    let Some((program, more)) = arguments.command.split_first() else {
        return Err(Failure::usage("no command was given"));
    };
    let error = std::process::Command::new(program).args(more).exec();
    Err(Failure::usage(format!(
        "failed to start `{}`: {error}",
        program.to_string_lossy()
    )))
}
