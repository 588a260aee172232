//! `leakcheck judge`: a stored run again, or any CSV with a time column; no engine needed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_judge::{judge, sum_up};
use leakcheck_model::{Facts, Limit, Record, Span};
use leakcheck_report::{RunFolder, TableOptions, read_table};

use super::Failure;
use crate::{scenario_file, style, summary};

/// Arguments of `leakcheck judge`.
#[derive(Args)]
pub(super) struct Arguments {
    /// A run folder, or a CSV file with a time column (t_s, t_min or a timestamp)
    record: PathBuf,
    /// Judge by the limits of this scenario instead of the stored one
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// A limit, such as `fds: growth_per_min < 1`; for a run folder it comes instead of the stored ones
    #[arg(long, value_name = "METRIC: RULE", value_parser = metric_and_limit)]
    limit: Vec<(String, Limit)>,
    /// Seconds between rotations, if the target rotates (a sawtooth is then no ramp)
    #[arg(long, value_name = "D")]
    rotation_period: Option<Span>,
    /// Which column is the time
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// `METRIC: STATISTIC OP NUMBER`.
pub(super) fn metric_and_limit(text: &str) -> Result<(String, Limit), String> {
    let (metric, rule) = text
        .split_once(':')
        .ok_or("write METRIC: RULE, for example `fds: growth_per_min < 1`")?;
    let rule: Limit = rule
        .parse()
        .map_err(|e: leakcheck_model::limit::LimitError| e.to_string())?;
    if metric.trim().is_empty() {
        return Err("there is no metric before the colon".into());
    }
    Ok((metric.trim().to_owned(), rule))
}

/// Judges.
///
/// # Errors
/// If the record cannot be read, or nothing is asked of it.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let record = if arguments.record.is_dir() {
        of_folder(arguments)?
    } else {
        of_table(arguments)?
    };
    let result = sum_up(&record, judge(&record));
    if arguments.json {
        let text = serde_json::to_string_pretty(&result).map_err(anyhow::Error::from)?;
        style::print(&format!("{text}\n"));
    } else {
        summary::tell(&result, None);
    }
    Ok(ExitCode::from(result.verdict.exit_code()))
}

fn of_folder(arguments: &Arguments) -> Result<Record, Failure> {
    let folder = RunFolder::open(&arguments.record).map_err(anyhow::Error::from)?;
    let (stored, samples, events) = folder.read().map_err(anyhow::Error::from)?;
    let scenario = match &arguments.scenario {
        Some(path) => scenario_file::read(path, &[])?,
        None => stored,
    };
    let mut record = Record::of_run(&scenario, samples, Facts::from_events(&events));
    if !arguments.limit.is_empty() {
        record.limits.clone_from(&arguments.limit);
    }
    if let Some(period) = arguments.rotation_period {
        record.rotation_period_s = Some(period.as_secs());
    }
    Ok(record)
}

fn of_table(arguments: &Arguments) -> Result<Record, Failure> {
    let path = &arguments.record;
    let options = TableOptions {
        time: arguments.time.clone(),
    };
    let samples = read_table(path, &options).map_err(anyhow::Error::from)?;
    let mut limits = arguments.limit.clone();
    let mut period = arguments.rotation_period.map(Span::as_secs);
    if let Some(path) = &arguments.scenario {
        let scenario = scenario_file::read(path, &[])?;
        period = period.or(scenario.rotation_period_s());
        if limits.is_empty() {
            limits = scenario.all_limits();
        }
    }
    if limits.is_empty() {
        let columns = samples.names.join(", ");
        return Err(Failure::usage(format!(
            "nothing to judge by: give --limit 'METRIC: RULE', for example --limit '{}: growth_per_min < 2'; the columns are {columns}",
            samples.names.first().map_or("value", String::as_str)
        )));
    }
    for (metric, _) in &limits {
        if !samples.names.contains(metric) && metric != "lines" {
            let hint = leakcheck_model::suggest::did_you_mean(metric, samples.names.iter().map(String::as_str));
            return Err(Failure::usage(format!(
                "{} has no column `{metric}`; it has {} {hint}",
                path.display(),
                samples.names.join(", ")
            )));
        }
    }
    let name = path
        .file_stem()
        .map_or_else(|| "table".into(), |s| s.to_string_lossy().into_owned());
    Ok(Record::of_table(name, samples, limits, period))
}
