//! `leakcheck trace-target`: runs a command under the tracer and writes which code created what it keeps.
//!
//! `leakcheck explain` starts it in place of the target. The traced process is started by `leakcheck trace-exec`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::{HumanDuration, error_chain};
use leakcheck_trace::Traced;

use crate::exit_code::Exit;
use crate::failure::Failure;

/// Arguments of `leakcheck trace-target`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// File for the origins, as JSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Time after the start when the target has started up
    #[arg(long, value_name = "D")]
    baseline_after: HumanDuration,
    /// End the target once a single stack has created so many that are still there
    #[arg(long, value_name = "N")]
    until: u64,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Arguments of `leakcheck trace-exec`.
#[derive(Args)]
pub(crate) struct ExecArguments {
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Traces the command until it ends, and writes the origins.
///
/// # Errors
/// If it cannot be traced, or the file cannot be written.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let this = std::env::current_exe().map_err(anyhow::Error::from)?;
    let mut launcher = vec![this.into_os_string(), "trace-exec".into(), "--".into()];
    launcher.extend(arguments.command);
    let traced = Traced {
        launcher,
        baseline_after: arguments.baseline_after.0,
        until: Some(arguments.until),
    };
    let origins = leakcheck_trace::trace(&traced).map_err(|error| Failure::no_verdict(error_chain(&error)))?;
    let text = serde_json::to_vec(&origins).map_err(anyhow::Error::from)?;
    std::fs::write(&arguments.out, text).map_err(anyhow::Error::from)?;
    Ok(Exit::Success.into())
}

/// Becomes the command, traced by the parent.
///
/// # Errors
/// If the program does not exist, or tracing is not allowed.
pub(crate) fn exec(arguments: &ExecArguments) -> Result<ExitCode, Failure> {
    let error = leakcheck_trace::exec_traced(&arguments.command);
    Err(Failure::usage(format!("failed to start the traced command: {error}")))
}
