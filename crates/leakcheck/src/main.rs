//! The door: arguments, progress, exit code. One file per command; everything else is in the rooms behind.

mod command;
mod display;
mod record;
mod run_folder;
mod scenario_file;
mod style;
mod summary;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    match command::dispatch(cli) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
