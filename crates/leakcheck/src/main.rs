//! The command line: arguments, progress, exit codes. Each command is one file below `command`.

mod cli;
mod command;
mod display;
mod exit_code;
mod failure;
mod run_folder;
mod runtime;
mod scenario_file;
mod style;
mod summary;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli::run(cli).unwrap_or_else(failure::Failure::report)
}
