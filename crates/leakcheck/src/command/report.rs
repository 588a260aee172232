//! `leakcheck report` and `leakcheck export`: the reports of a stored run, and its samples for other tools.

mod live;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use leakcheck_judge::{judge, summarize};
use leakcheck_report::RunFolder;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::{run_folder, style};

/// Arguments of `leakcheck report`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck report reports/smoke/20261122-213352-jjbp --open
  leakcheck report reports/smoke/20261122-213352-jjbp --live --port 8090      during the run")]
pub(crate) struct Arguments {
    /// The run folder
    folder: PathBuf,
    /// Open report.html in the browser
    #[arg(long)]
    open: bool,
    /// Serve the report on 127.0.0.1 during the run, until Ctrl-C
    #[arg(long)]
    live: bool,
    /// Port of --live on 127.0.0.1 [default: any free port]
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
pub(crate) struct ExportArguments {
    /// The run folder
    folder: PathBuf,
    /// The format
    #[arg(long)]
    format: Format,
}

/// A format of exported samples.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For `promtool tsdb create-blocks-from openmetrics`
    Openmetrics,
    /// One row for each sample
    Csv,
    /// An array with an object for each sample
    Json,
}

/// Writes all reports of a run again, or serves the page during the run.
///
/// # Errors
/// If the folder cannot be read or written, or the port is in use.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = run_folder::open(&arguments.folder)?;
    if arguments.live {
        return serve(folder, arguments);
    }
    let record = run_folder::record(&arguments.folder)?;
    let result = summarize(&record, judge(&record));
    folder.write_report(&result, &record).map_err(anyhow::Error::from)?;
    let page = folder.path().join("report.html");
    style::print_line(&format!("wrote {}", page.display()));
    if arguments.open {
        open(page.as_os_str());
    }
    Ok(Exit::Success.into())
}

fn serve(folder: RunFolder, arguments: &Arguments) -> Result<ExitCode, Failure> {
    // A wrong folder is an error here, not in the browser.
    folder.read_scenario_text().map_err(anyhow::Error::from)?;
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let (listener, port) = runtime.block_on(live::listen(arguments.port))?;
    let address = format!("http://127.0.0.1:{port}/");
    style::print_line(&format!(
        "the report of {} is at {address} (Ctrl-C ends)",
        folder.path().display()
    ));
    if arguments.open {
        open(address.as_ref());
    }
    runtime.block_on(live::serve(live::Page::new(folder), listener, port, stop));
    Ok(Exit::Success.into())
}

fn open(page: &std::ffi::OsStr) {
    let opened = std::process::Command::new("xdg-open").arg(page).status();
    if !opened.is_ok_and(|s| s.success()) {
        style::print_line("no browser could be started; open the page yourself");
    }
}

/// Prints the samples in a format for other tools.
///
/// # Errors
/// If the folder cannot be read.
pub(crate) fn export(arguments: &ExportArguments) -> Result<ExitCode, Failure> {
    let folder = run_folder::open(&arguments.folder)?;
    let format = match arguments.format {
        Format::Openmetrics => leakcheck_report::Format::OpenMetrics,
        Format::Csv => leakcheck_report::Format::Csv,
        Format::Json => leakcheck_report::Format::Json,
    };
    let text = leakcheck_report::export(&folder, format).map_err(anyhow::Error::from)?;
    style::print(&format!("{}\n", text.trim_end_matches('\n')));
    Ok(Exit::Success.into())
}
