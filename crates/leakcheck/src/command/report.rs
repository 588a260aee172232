//! `leakcheck report` and `leakcheck export`: a stored run for people, and for other tools.

mod live;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use leakcheck_judge::{judge, summarize};
use leakcheck_report::RunFolder;

use super::{Failure, runtime, stop_on_signal};
use crate::{run_folder, style};

/// Arguments of `leakcheck report`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck report reports/smoke/20261122-213352-jjbp --open
  leakcheck report reports/smoke/20261122-213352-jjbp --live --port 8090      while the run goes on")]
pub(super) struct Arguments {
    /// The run folder
    folder: PathBuf,
    /// Open report.html in the browser
    #[arg(long)]
    open: bool,
    /// Serve the report on 127.0.0.1 while the run goes on; ends with Ctrl-C
    #[arg(long)]
    live: bool,
    /// Where --live listens on 127.0.0.1 [default: any free port]
    #[arg(
        long,
        value_name = "PORT",
        requires = "live",
        default_value_t = 0,
        hide_default_value = true
    )]
    port: u16,
}

/// Arguments of `leakcheck export`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck export reports/smoke/RUN_ID --format openmetrics > run.om
  promtool tsdb create-blocks-from openmetrics run.om data/
  leakcheck export reports/smoke/RUN_ID --format csv | head")]
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

/// Writes every report of the folder again, or serves it while it grows.
///
/// # Errors
/// If the folder cannot be read or written, or the port is taken.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = run_folder::open(&arguments.folder)?;
    if arguments.live {
        return serve(folder, arguments);
    }
    let record = run_folder::record(&arguments.folder)?;
    let result = summarize(&record, judge(&record));
    folder.write_report(&result, &record).map_err(anyhow::Error::from)?;
    let page = folder.path().join("report.html");
    style::say(&format!("wrote {}", page.display()));
    if arguments.open {
        open(page.as_os_str());
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(folder: RunFolder, arguments: &Arguments) -> Result<ExitCode, Failure> {
    // A folder that is none is told now, and not to the browser.
    folder.read_scenario_text().map_err(anyhow::Error::from)?;
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let (listener, port) = runtime.block_on(live::listen(arguments.port))?;
    let address = format!("http://127.0.0.1:{port}/");
    style::say(&format!(
        "the report of {} is at {address} (Ctrl-C ends)",
        folder.path().display()
    ));
    if arguments.open {
        open(address.as_ref());
    }
    runtime.block_on(live::serve(live::Page::new(folder), listener, port, stop));
    Ok(ExitCode::SUCCESS)
}

fn open(what: &std::ffi::OsStr) {
    let opened = std::process::Command::new("xdg-open").arg(what).status();
    if !opened.is_ok_and(|s| s.success()) {
        style::say("no browser could be opened here; open it yourself");
    }
}

/// Prints the samples in another format.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn export(arguments: &ExportArguments) -> Result<ExitCode, Failure> {
    let folder = run_folder::open(&arguments.folder)?;
    let format = match arguments.format {
        Format::Openmetrics => leakcheck_report::Format::OpenMetrics,
        Format::Csv => leakcheck_report::Format::Csv,
        Format::Json => leakcheck_report::Format::Json,
    };
    let text = leakcheck_report::export(&folder, format).map_err(anyhow::Error::from)?;
    style::print(&format!("{}\n", text.trim_end_matches('\n')));
    Ok(ExitCode::SUCCESS)
}
