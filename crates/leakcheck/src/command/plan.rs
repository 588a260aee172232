//! `leakcheck plan`: predicts the duration of a run and the smallest leak that it can prove.

pub(crate) mod duration;
pub(crate) mod forecast;
mod noise;
mod prediction;
mod render;
mod simulate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::{scenario_file, style};
use noise::EarlierRun;
use prediction::Prediction;

/// Arguments of `leakcheck plan`.
#[derive(Args)]
#[command(after_help = "\
For each growth limit there are two figures: a bound that no statistic can beat with this noise and length, and the result of
leakcheck's own judge on simulated runs with this noise. The judge needs more data than the bound, because it does not take a
warm-up or a step for a leak.

Without --noise-of the noise is assumed. For leakcheck's own daemon: counts with a standard deviation of 1 and no correlation
between samples, memory with 256 KiB and a correlation time of 7 s. For other targets: counts with 2 and 10 s, memory with
256 KiB and 30 s.

Examples:
  leakcheck plan scenarios/55-containers.toml
  leakcheck plan my-daemon.toml --set schedule.measure=20m --noise-of reports/my-daemon/RUN_ID")]
pub(crate) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// Take the noise from the samples of this earlier run
    #[arg(long, value_name = "RUN_DIR")]
    noise_of: Option<PathBuf>,
    /// Override a key, as in `leakcheck run`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the prediction as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Prints a prediction.
///
/// # Errors
/// If the scenario is wrong, or the earlier run cannot be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let scenario = scenario_file::read(&arguments.scenario, &arguments.set)?;
    let earlier = arguments.noise_of.as_deref().map(EarlierRun::read).transpose()?;
    let prediction = Prediction::new(scenario, earlier.as_ref());
    if arguments.json {
        style::print_json(&prediction.as_json())?;
    } else {
        style::print(&render::text(&prediction));
    }
    Ok(Exit::Success.into())
}
