//! `leakcheck compare`: runs side by side, and whether the newest got worse. Made to be called by `git bisect run`.

mod row;
mod table;
mod worse;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::{ReasonCode, Verdict};
use serde_json::json;

use super::{Failure, NO_VERDICT};
use crate::style;
use row::Row;
use worse::Finding;

/// The newest run got worse.
const WORSE: u8 = 1;

/// Arguments of `leakcheck compare`.
#[derive(Args)]
#[command(after_help = "\
The newest run (by when it began) is worse if its verdict is worse than that of any other run, if a metric grows faster
than in any other run and their intervals do not overlap, if a metric that was seen is seen no more, if fewer of the expected
rotations were seen, or if more lines were lost or repeated. Runs without a verdict are shown and not compared with.

Examples:
  leakcheck compare reports/smoke/*
  leakcheck compare main/reports/smoke/RUN_ID reports/smoke/RUN_ID --json

Exit codes: 0 not worse, 1 worse, 2 usage error, 125 no verdict to compare (`git bisect run` skips the commit)")]
pub(super) struct Arguments {
    /// Run folders, in any order
    #[arg(required = true, num_args = 1.., value_name = "RUN_DIR")]
    folders: Vec<PathBuf>,
    /// Print the comparison as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// What the comparison comes to.
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

    fn exit_code(self) -> u8 {
        match self {
            Self::NotWorse => 0,
            Self::Worse => WORSE,
            Self::NoVerdict => NO_VERDICT,
        }
    }
}

/// Compares.
///
/// # Errors
/// If a folder is no run, or there are not two of them.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let rows = rows(arguments)?;
    let Some((newest, others)) = rows.split_last() else {
        return Err(Failure::usage("there is no run to compare"));
    };
    let (outcome, findings) = judge(newest, others);
    if arguments.json {
        let text = serde_json::to_string_pretty(&as_json(&rows, outcome, &findings)).map_err(anyhow::Error::from)?;
        style::print(&format!("{text}\n"));
    } else {
        style::print(&table::of(&rows));
        tell(newest, others, outcome, &findings);
    }
    Ok(ExitCode::from(outcome.exit_code()))
}

/// The runs, oldest first; each once.
fn rows(arguments: &Arguments) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let mut seen = Vec::new();
    for path in &arguments.folders {
        let row = Row::read(path)?;
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.contains(&place) {
            return Err(Failure::usage(format!("{} is named twice", path.display())));
        }
        seen.push(place);
        rows.push(row);
    }
    if rows.len() < 2 {
        return Err(Failure::usage(format!(
            "{} is one run, and a comparison needs two",
            arguments.folders[0].display()
        )));
    }
    // A stable sort: runs without a clock stay in the order in which they were named.
    rows.sort_by_key(|row| row.began);
    Ok(rows)
}

fn judge(newest: &Row, others: &[Row]) -> (Outcome, Vec<Finding>) {
    let comparable: Vec<&Row> = others.iter().filter(|r| decided(r.result.verdict)).collect();
    let is_decided = decided(newest.result.verdict);
    let findings: Vec<Finding> = if is_decided {
        comparable.iter().flat_map(|other| worse::than(newest, other)).collect()
    } else if is_blind(newest) {
        comparable
            .iter()
            .flat_map(|other| worse::vanished(newest, other))
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

/// Whether a run has no verdict only because metrics are gone.
fn is_blind(row: &Row) -> bool {
    let reasons = &row.result.reasons;
    !reasons.is_empty() && reasons.iter().all(|r| r.code == ReasonCode::MetricAbsent)
}

fn decided(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Fail)
}

/// The outcome for people.
fn tell(newest: &Row, others: &[Row], outcome: Outcome, findings: &[Finding]) {
    let (bold, plain) = (style::BOLD, style::PLAIN);
    for other in others.iter().filter(|o| o.result.scenario != newest.result.scenario) {
        style::say(&format!(
            "{}note{plain}: {} ran another scenario ({}) than {} ({})",
            style::DOUBT,
            other.name(),
            other.result.scenario,
            newest.name(),
            newest.result.scenario
        ));
    }
    match outcome {
        Outcome::NotWorse => style::say(&format!("{}not worse{plain}: {}", style::GOOD, newest.name())),
        Outcome::NoVerdict => {
            let why = if decided(newest.result.verdict) {
                "none of the earlier runs has a verdict".to_owned()
            } else {
                format!("{} is {}", newest.name(), newest.result.verdict.name())
            };
            style::say(&format!("{}nothing to compare{plain}: {why}", style::DOUBT));
        }
        Outcome::Worse => {
            style::say(&format!("{}worse{plain}: {bold}{}{plain}", style::BAD, newest.name()));
            for finding in findings {
                style::say(&format!("  than {}: {}", finding.than, finding.message));
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
        "exit_code": outcome.exit_code(),
        "newest": rows.last().map(Row::name),
        "findings": findings,
        "runs": rows.iter().map(Row::as_json).collect::<Vec<_>>(),
    })
}
