//! `leakcheck judge`: judges a stored run again, or any CSV with a time column. No engine is needed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leakcheck_judge::endpoint::truncate_to_hundredths;
use leakcheck_judge::{judge, summarize};
use leakcheck_model::format::number;
use leakcheck_model::suggest::{appended, did_you_mean};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Facts, HumanDuration, Limit, Record, RunResult, error_chain};
use leakcheck_report::{Error, Table, TableError, TableOptions, read_table};

use crate::failure::Failure;
use crate::{exit_code, run_folder, scenario_file, style, summary};

/// Largest share of corrupt rows in a table, the same as of missing samples in a run.
const MAX_CORRUPT: f64 = 0.05;

/// Arguments of `leakcheck judge`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck judge reports/smoke/20261122-213352-jjbp
  leakcheck judge reports/smoke/20261122-213352-jjbp --limit 'fds: growth_per_min < 0.5'
  leakcheck judge goroutines.csv --limit 'goroutines: growth_per_min < 2' --rotation-period 30s")]
pub(crate) struct Arguments {
    /// A run folder, or a CSV file with a time column (t_s, t_min or a timestamp)
    record: PathBuf,
    /// Judge by the limits of this scenario instead of the stored one
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// A limit, such as `fds: growth_per_min < 1`; replaces the stored limits of a run
    #[arg(long, value_name = "METRIC: RULE", value_parser = metric_and_limit)]
    limit: Vec<(String, Limit)>,
    /// Interval between rotations, so that a sawtooth is not taken for growth
    #[arg(long, value_name = "D")]
    rotation_period: Option<HumanDuration>,
    /// The time column
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Parses `METRIC: STATISTIC OP NUMBER`.
pub(crate) fn metric_and_limit(text: &str) -> Result<(String, Limit), String> {
    let (metric, rule) = text
        .split_once(':')
        .ok_or("write METRIC: RULE, for example `fds: growth_per_min < 1`")?;
    let rule: Limit = rule
        .parse()
        .map_err(|e: leakcheck_model::limit::LimitError| e.to_string())?;
    if metric.trim().is_empty() {
        return Err("the metric before the colon is missing".into());
    }
    Ok((metric.trim().to_owned(), rule))
}

/// Judges a run folder or a table.
///
/// # Errors
/// If it cannot be read, or there is no limit.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let record = if arguments.record.is_dir() {
        record_of_folder(arguments)?
    } else {
        record_of_table(arguments)?
    };
    let result = summarize(&record, judge(&record));
    if arguments.json {
        style::print_json(&result)?;
    } else {
        summary::print(&result, None);
        if record.plan.is_none() {
            style::print_line(&endpoint_rates(&result));
        }
    }
    Ok(exit_code::of_result(&result))
}

/// The rates of `endpoint_per_min` limits at each checkpoint, truncated to two decimals as in the FASE case study.
fn endpoint_rates(result: &RunResult) -> String {
    let mut text = String::new();
    for limit in result.limits.iter().filter(|l| l.rule.starts_with("endpoint_per_min")) {
        for checkpoint in &result.checkpoints {
            let value = checkpoint.values.get(&limit.metric);
            let rate = checkpoint.endpoint_per_min.get(&limit.metric);
            if let (Some(value), Some(rate)) = (value, rate) {
                let minutes = checkpoint.t_s / 60.0;
                text.push_str(&format!(
                    "  {} after {} min: {}, {:+.2} per minute since the first sample\n",
                    limit.metric,
                    number(minutes),
                    number(*value),
                    truncate_to_hundredths(*rate)
                ));
            }
        }
    }
    text.trim_end().to_owned()
}

/// The record of a run folder, with the given limits.
fn record_of_folder(arguments: &Arguments) -> Result<Record, Failure> {
    let folder = run_folder::open(&arguments.record)?;
    let (stored, samples, events) = folder.read().map_err(anyhow::Error::from)?;
    let scenario = match &arguments.scenario {
        Some(path) => scenario_file::read(path, &[])?,
        None => stored,
    };
    let mut record = Record::from_run(&scenario, samples, Facts::from_events(&events));
    if !arguments.limit.is_empty() {
        check_names(
            &arguments.limit,
            &record.metrics.keys().cloned().collect::<Vec<_>>(),
            &arguments.record,
            "metric",
        )?;
        record.limits.clone_from(&arguments.limit);
    }
    if let Some(period) = arguments.rotation_period {
        record.rotation_period_s = Some(period.as_secs());
    }
    Ok(record)
}

/// The record of a table, with the given limits.
fn record_of_table(arguments: &Arguments) -> Result<Record, Failure> {
    let path = &arguments.record;
    let options = TableOptions {
        time: arguments.time.clone(),
        increasing_time: true,
    };
    if path.extension().is_some_and(|e| e == "toml") {
        return Err(Failure::usage(format!(
            "{0} is a scenario and not a run: `leakcheck run {0}` makes and judges a run, `leakcheck plan {0}` predicts what it can prove",
            path.display()
        )));
    }
    let table = read_table(path, &options).map_err(|error| match error {
        Error::Table {
            source: TableError::NoTime { .. },
            ..
        } => Failure::usage(format!("{}\n  select it with --time COLUMN", error_chain(&error))),
        error => anyhow::Error::from(error).into(),
    })?;
    let mut limits = arguments.limit.clone();
    let mut period = arguments.rotation_period.map(HumanDuration::as_secs);
    if let Some(path) = &arguments.scenario {
        let scenario = scenario_file::read(path, &[])?;
        period = period.or(scenario.rotation_period_s());
        if limits.is_empty() {
            limits = scenario.all_limits();
        }
    }
    if limits.is_empty() {
        let columns = table.samples.names.join(", ");
        return Err(Failure::usage(format!(
            "no limit to judge by: add --limit 'METRIC: RULE', for example --limit '{}: growth_per_min < 2'; the columns are {columns}",
            table.samples.names.first().map_or("value", String::as_str)
        )));
    }
    check_numeric(&limits, &table, path)?;
    check_names(&limits, &table.samples.names, path, "column")?;
    let name = path
        .file_stem()
        .map_or_else(|| "table".into(), |s| s.to_string_lossy().into_owned());
    let corrupt = corrupt_rows(&table, &limits);
    let mut record = Record::from_table(name, table.samples, limits, period);
    match corrupt {
        Some((true, reason)) => record.facts.impairments.push(reason),
        Some((false, reason)) => record.facts.warnings.push(reason),
        None => {}
    }
    Ok(record)
}

/// The reason for corrupt rows, and whether they are too many for a verdict.
fn corrupt_rows(table: &Table, limits: &[(String, Limit)]) -> Option<(bool, Reason)> {
    if table.broken_rows == 0 {
        return None;
    }
    // The cells that the limits need.
    let needed = limits.iter().map(|(metric, _)| metric.as_str());
    let too_many = table.broken_share_of(needed.chain(["containers", "rotations"])) > MAX_CORRUPT;
    let message = format!(
        "{} of {} rows are corrupt and count as missing{}: {}",
        table.broken_rows,
        table.rows,
        if too_many { ", more than 5 %" } else { "" },
        table.broken_rows_error()
    );
    Some((too_many, Reason::new(ReasonCode::SamplesMissed, message)))
}

/// Fails if a limit is on a column of text.
fn check_numeric(limits: &[(String, Limit)], table: &Table, path: &Path) -> Result<(), Failure> {
    let text = limits
        .iter()
        .find_map(|(metric, _)| table.text.iter().find(|(name, _)| name == metric));
    match text {
        Some((name, first)) => Err(Failure::usage(format!(
            "column `{name}` of {} holds text: line {}: {}",
            path.display(),
            first.line,
            first.message
        ))),
        None => Ok(()),
    }
}

/// Fails if a limit is on an unknown name.
fn check_names(limits: &[(String, Limit)], names: &[String], path: &Path, kind: &str) -> Result<(), Failure> {
    for (metric, _) in limits {
        if !names.contains(metric) && metric != "lines" {
            let hint = appended(&did_you_mean(metric, names.iter().map(String::as_str)));
            return Err(Failure::usage(format!(
                "{} has no {kind} `{metric}`; it has {}{hint}",
                path.display(),
                names.join(", ")
            )));
        }
    }
    Ok(())
}
