//! `leakcheck report` and `leakcheck export`: a stored run for people, and for other tools.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use leakcheck_judge::{judge, sum_up};
use leakcheck_model::{Facts, Record, RunResult};
use leakcheck_report::RunFolder;

use super::Failure;
use crate::style;

/// Arguments of `leakcheck report`.
#[derive(Args)]
pub(super) struct Arguments {
    /// The run folder
    folder: PathBuf,
    /// Open report.html in the browser
    #[arg(long)]
    open: bool,
}

/// Arguments of `leakcheck export`.
#[derive(Args)]
pub(super) struct ExportArguments {
    /// The run folder
    folder: PathBuf,
    /// For whom
    #[arg(long)]
    format: Format,
}

/// What other tools read.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For `promtool tsdb create-blocks-from openmetrics`
    Openmetrics,
    /// Samples as rows
    Csv,
    /// Samples as an object of columns
    Json,
}

/// A stored run: its record and its result.
fn stored(folder: &RunFolder) -> Result<(Record, RunResult), Failure> {
    let (scenario, samples, events) = folder.read().map_err(anyhow::Error::from)?;
    let record = Record::of_run(&scenario, samples, Facts::from_events(&events));
    let result = sum_up(&record, judge(&record));
    Ok((record, result))
}

/// Writes every report of the folder again.
///
/// # Errors
/// If the folder cannot be read or written.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = RunFolder::open(&arguments.folder).map_err(anyhow::Error::from)?;
    let (record, result) = stored(&folder)?;
    folder.write_report(&result, &record).map_err(anyhow::Error::from)?;
    let page = folder.path().join("report.html");
    style::say(&format!("wrote {}", page.display()));
    if arguments.open {
        let opened = std::process::Command::new("xdg-open").arg(&page).status();
        if !opened.is_ok_and(|s| s.success()) {
            style::say("no browser could be opened here; open the file yourself");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the samples in another format.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn export(arguments: &ExportArguments) -> Result<ExitCode, Failure> {
    let folder = RunFolder::open(&arguments.folder).map_err(anyhow::Error::from)?;
    let format = match arguments.format {
        Format::Openmetrics => leakcheck_report::Format::OpenMetrics,
        Format::Csv => leakcheck_report::Format::Csv,
        Format::Json => leakcheck_report::Format::Json,
    };
    let text = leakcheck_report::export(&folder, format).map_err(anyhow::Error::from)?;
    style::print(&format!("{}\n", text.trim_end_matches('\n')));
    Ok(ExitCode::SUCCESS)
}
