//! `leakcheck judge`: a stored run again, or any CSV with a time column; no engine needed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leakcheck_judge::endpoint::truncate_to_hundredths;
use leakcheck_judge::{judge, summarize};
use leakcheck_model::suggest::{appended, did_you_mean};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Facts, Limit, Record, RunResult, HumanDuration, error_chain};
use leakcheck_report::{Error, Table, TableError, TableOptions, read_table};

use super::Failure;
use crate::{run_folder, scenario_file, style, summary};

/// Share of a table's rows that may be broken, as of a run's samples that may be missing (contract: 5 %).
const BROKEN: f64 = 0.05;

/// Arguments of `leakcheck judge`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck judge reports/smoke/20261122-213352-jjbp
  leakcheck judge reports/smoke/20261122-213352-jjbp --limit 'fds: growth_per_min < 0.5'
  leakcheck judge goroutines.csv --limit 'goroutines: growth_per_min < 2' --rotation-period 30s")]
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
    rotation_period: Option<HumanDuration>,
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
    let result = summarize(&record, judge(&record));
    if arguments.json {
        let text = serde_json::to_string_pretty(&result).map_err(anyhow::Error::from)?;
        style::print(&format!("{text}\n"));
    } else {
        summary::tell(&result, None);
        if record.plan.is_none() {
            style::say(&fases_rates(&result));
        }
    }
    Ok(ExitCode::from(result.verdict.exit_code()))
}

/// FASE's table where its rate is asked for: (value - first) / minutes, cut (not rounded) to two decimals as it was published.
fn fases_rates(result: &RunResult) -> String {
    let mut text = String::new();
    for limit in result.limits.iter().filter(|l| l.rule.starts_with("endpoint_per_min")) {
        for checkpoint in &result.checkpoints {
            let value = checkpoint.values.get(&limit.metric);
            let rate = checkpoint.endpoint_per_min.get(&limit.metric);
            if let (Some(value), Some(rate)) = (value, rate) {
                let minutes = checkpoint.t_s / 60.0;
                text.push_str(&format!(
                    "  {} after {} min: {}, {:+.2} a minute since the first\n",
                    limit.metric,
                    summary::human(minutes, ""),
                    summary::human(*value, ""),
                    truncate_to_hundredths(*rate)
                ));
            }
        }
    }
    text.trim_end().to_owned()
}

fn of_folder(arguments: &Arguments) -> Result<Record, Failure> {
    let folder = run_folder::open(&arguments.record)?;
    let (stored, samples, events) = folder.read().map_err(anyhow::Error::from)?;
    let scenario = match &arguments.scenario {
        Some(path) => scenario_file::read(path, &[])?,
        None => stored,
    };
    let mut record = Record::from_run(&scenario, samples, Facts::from_events(&events));
    if !arguments.limit.is_empty() {
        known(
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

fn of_table(arguments: &Arguments) -> Result<Record, Failure> {
    let path = &arguments.record;
    let options = TableOptions {
        time: arguments.time.clone(),
        in_order: true,
    };
    if path.extension().is_some_and(|e| e == "toml") {
        return Err(Failure::usage(format!(
            "{0} is a scenario, and a scenario has nothing to judge yet: `leakcheck run {0}` makes a run folder (and judges it), `leakcheck plan {0}` says what it can prove",
            path.display()
        )));
    }
    let table = read_table(path, &options).map_err(|error| match error {
        Error::Table {
            source: TableError::NoTime { .. },
            ..
        } => Failure::usage(format!("{}\n  --time COLUMN says which it is", error_chain(&error))),
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
            "nothing to judge by: give --limit 'METRIC: RULE', for example --limit '{}: growth_per_min < 2'; the columns are {columns}",
            table.samples.names.first().map_or("value", String::as_str)
        )));
    }
    numbers(&limits, &table, path)?;
    known(&limits, &table.samples.names, path, "column")?;
    let name = path
        .file_stem()
        .map_or_else(|| "table".into(), |s| s.to_string_lossy().into_owned());
    let broken = broken(&table, &limits);
    let mut record = Record::from_table(name, table.samples, limits, period);
    match broken {
        Some((true, reason)) => record.facts.impairments.push(reason),
        Some((false, reason)) => record.facts.warnings.push(reason),
        None => {}
    }
    Ok(record)
}

/// What is to be said of broken rows, and whether they are too many for a verdict.
fn broken(table: &Table, limits: &[(String, Limit)]) -> Option<(bool, Reason)> {
    if table.broken_rows == 0 {
        return None;
    }
    // What is judged must be there: its own cells, and those that it is judged by.
    let needed = limits.iter().map(|(metric, _)| metric.as_str());
    let too_many = table.broken_share_of(needed.chain(["containers", "rotations"])) > BROKEN;
    let message = format!(
        "{} of {} rows are broken and count as missing{}: {}",
        table.broken_rows,
        table.rows,
        if too_many { ", more than 5 %" } else { "" },
        table.defect()
    );
    Some((too_many, Reason::new(ReasonCode::SamplesMissed, message)))
}

/// A limit on a column of text is a mistake, or the column is more broken than whole.
fn numbers(limits: &[(String, Limit)], table: &Table, path: &Path) -> Result<(), Failure> {
    let text = limits
        .iter()
        .find_map(|(metric, _)| table.text.iter().find(|(name, _)| name == metric));
    match text {
        Some((name, first)) => Err(Failure::usage(format!(
            "column `{name}` of {} is text and no metric: line {}: {}",
            path.display(),
            first.line,
            first.message
        ))),
        None => Ok(()),
    }
}

/// Each limit must be on something that is there: a misspelt one would never be judged.
fn known(limits: &[(String, Limit)], names: &[String], path: &Path, what: &str) -> Result<(), Failure> {
    for (metric, _) in limits {
        if !names.contains(metric) && metric != "lines" {
            let hint = appended(&did_you_mean(metric, names.iter().map(String::as_str)));
            return Err(Failure::usage(format!(
                "{} has no {what} `{metric}`; it has {}{hint}",
                path.display(),
                names.join(", ")
            )));
        }
    }
    Ok(())
}
