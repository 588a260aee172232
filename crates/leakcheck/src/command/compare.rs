//! `leakcheck compare`: compares runs, and reports whether the newest is worse. `git bisect run` can call it.

mod regression;
mod row;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::{ReasonCode, Verdict};
use serde_json::json;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::style;
use regression::Finding;
use row::Row;

/// Arguments of `leakcheck compare`.
#[derive(Args)]
#[command(after_help = "\
The newest run, by start time, is worse than another if it fails and the other passed, if a metric grows faster and the
intervals do not overlap, if a metric is absent that the other had, if fewer of the expected rotations were seen, or if more
lines were lost or repeated. Runs without a verdict are shown, but not compared.

Examples:
  leakcheck compare reports/smoke/*
  leakcheck compare main/reports/smoke/RUN_ID reports/smoke/RUN_ID --json

Exit codes: 0 not worse, 1 worse, 2 usage error, 125 no verdict to compare (`git bisect run` skips the commit)")]
pub(crate) struct Arguments {
    /// Run folders, in any order
    #[arg(required = true, num_args = 1.., value_name = "RUN_DIR")]
    folders: Vec<PathBuf>,
    /// Print the comparison as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// The outcome of a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotWorse,
    Worse,
    NoVerdict,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::NotWorse => "not-worse",
            Self::Worse => "worse",
            Self::NoVerdict => "no-verdict",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Self::NotWorse => Exit::Success,
            Self::Worse => Exit::Fail,
            Self::NoVerdict => Exit::NoVerdict,
        }
    }
}

/// Compares runs.
///
/// # Errors
/// If a folder is not a run, or there are fewer than two.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let rows = rows(arguments)?;
    let Some((newest, others)) = rows.split_last() else {
        return Err(Failure::usage("no run was given"));
    };
    let (outcome, findings) = compare(newest, others);
    if arguments.json {
        style::print_json(&as_json(&rows, outcome, &findings))?;
    } else {
        style::print(&table::render(&rows));
        print_outcome(newest, others, outcome, &findings);
    }
    Ok(outcome.exit().into())
}

/// Reads the runs, oldest first.
fn rows(arguments: &Arguments) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let mut seen = Vec::new();
    for path in &arguments.folders {
        let row = Row::read(path)?;
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.contains(&place) {
            return Err(Failure::usage(format!("{} was given twice", path.display())));
        }
        seen.push(place);
        rows.push(row);
    }
    if rows.len() < 2 {
        return Err(Failure::usage(format!(
            "{} is the only run; a comparison needs two",
            arguments.folders[0].display()
        )));
    }
    // The sort is stable: runs without a start time stay in the given order.
    rows.sort_by_key(|row| row.began);
    Ok(rows)
}

/// Compares the newest run with the others that have a verdict.
fn compare(newest: &Row, others: &[Row]) -> (Outcome, Vec<Finding>) {
    let comparable: Vec<&Row> = others.iter().filter(|r| decided(r.result.verdict)).collect();
    let is_decided = decided(newest.result.verdict);
    let findings: Vec<Finding> = if is_decided {
        comparable
            .iter()
            .flat_map(|other| regression::findings(newest, other))
            .collect()
    } else if lacks_metrics(newest) {
        comparable
            .iter()
            .flat_map(|other| regression::vanished(newest, other))
            .collect()
    } else {
        Vec::new()
    };
    match (findings.is_empty(), is_decided && !comparable.is_empty()) {
        (false, _) => (Outcome::Worse, findings),
        (true, true) => (Outcome::NotWorse, findings),
        (true, false) => (Outcome::NoVerdict, findings),
    }
}

/// Returns whether a run has no verdict only because metrics are absent.
fn lacks_metrics(row: &Row) -> bool {
    let reasons = &row.result.reasons;
    !reasons.is_empty() && reasons.iter().all(|r| r.code == ReasonCode::MetricAbsent)
}

fn decided(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Fail)
}

/// Prints the outcome for people.
fn print_outcome(newest: &Row, others: &[Row], outcome: Outcome, findings: &[Finding]) {
    let (bold, plain) = (style::BOLD, style::PLAIN);
    for other in others.iter().filter(|o| o.result.scenario != newest.result.scenario) {
        style::print_line(&format!(
            "{}note{plain}: {} ran another scenario ({}) than {} ({})",
            style::DOUBT,
            other.name(),
            other.result.scenario,
            newest.name(),
            newest.result.scenario
        ));
    }
    match outcome {
        Outcome::NotWorse => style::print_line(&format!("{}not worse{plain}: {}", style::GOOD, newest.name())),
        Outcome::NoVerdict => {
            let reason = if decided(newest.result.verdict) {
                "none of the earlier runs has a verdict".to_owned()
            } else {
                format!("{} is {}", newest.name(), newest.result.verdict.name())
            };
            style::print_line(&format!("{}nothing to compare{plain}: {reason}", style::DOUBT));
        }
        Outcome::Worse => {
            style::print_line(&format!("{}worse{plain}: {bold}{}{plain}", style::BAD, newest.name()));
            for finding in findings {
                style::print_line(&format!("  than {}: {}", finding.than, finding.message));
            }
        }
    }
}

fn as_json(rows: &[Row], outcome: Outcome, findings: &[Finding]) -> serde_json::Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|f| json!({ "code": f.code, "metric": f.metric, "than": f.than, "message": f.message }))
        .collect();
    json!({
        "schema": 1,
        "outcome": outcome.name(),
        "exit_code": outcome.exit().number(),
        "newest": rows.last().map(Row::name),
        "findings": findings,
        "runs": rows.iter().map(Row::as_json).collect::<Vec<_>>(),
    })
}
