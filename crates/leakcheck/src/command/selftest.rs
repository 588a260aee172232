//! `leakcheck selftest`: proves on this host that each gate fires on a target that leaks on purpose, and that a clean
//! target stays green.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Build, EngineKind};
use leakcheck_model::verdict::Verdict;
use leakcheck_runner::{Nobody, Request};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Failure, INTERRUPTED, runtime, stop_on_signal};
use crate::record::{ROWS, Row};
use crate::style::{self, BAD, DIM, GOOD, PLAIN};

/// Runs at one time: each is a few lines a second, and most of its time is waiting.
const PARALLEL: usize = 8;

/// Arguments of `leakcheck selftest`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Which engine: simulated (works everywhere) or docker
    #[arg(long, default_value = "simulated", value_parser = super::run::engine_kind)]
    engine: EngineKind,
    /// Clean runs that must stay green, beside the record's sound one
    #[arg(long, default_value_t = 3)]
    clean: usize,
    /// Only these rows
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Where run folders go [default: a scratch folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the table as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// What a row came to.
struct Tried {
    gate: String,
    expected: String,
    seen: String,
    good: bool,
    took: Duration,
}

/// Runs every row; exit code 0 only if all leaks are caught for their own reason and no clean run is accused.
///
/// # Errors
/// If there is no engine.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "\ninterrupted: removing what was started");
    let scratch = std::env::temp_dir().join(format!("leakcheck-selftest-{}", std::process::id()));
    let out = arguments.out.clone().unwrap_or_else(|| scratch.join("reports"));
    let tried = runtime.block_on(all(arguments, &scratch, &out, &stop));
    let _ = std::fs::remove_dir_all(&scratch);
    let tried = tried?;
    if stop.is_cancelled() {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    tell(&tried, arguments);
    let good = !tried.is_empty() && tried.iter().all(|t| t.good);
    Ok(ExitCode::from(u8::from(!good)))
}

async fn all(
    arguments: &Arguments,
    scratch: &Path,
    out: &Path,
    stop: &CancellationToken,
) -> Result<Vec<Tried>, Failure> {
    let wanted = |row: &&Row| arguments.only.is_empty() || arguments.only.iter().any(|n| n == row.name);
    let mut rows: Vec<&'static Row> = ROWS.iter().filter(wanted).collect();
    if rows.is_empty() {
        let names: Vec<&str> = ROWS.iter().map(|r| r.name).collect();
        return Err(Failure::usage(format!(
            "there is no such row; there are {}",
            names.join(", ")
        )));
    }
    if arguments.only.is_empty() {
        let clean = ROWS.iter().filter(|row| row.verdict == Verdict::Pass);
        rows.extend(clean.cycle().take(arguments.clean));
    }
    // The longest first, so that the last to end is not one that began late.
    rows.sort_by_key(|row| row.name != "late-onset");
    let gate = Arc::new(Semaphore::new(PARALLEL));
    let mut running = JoinSet::new();
    for (place, row) in rows.into_iter().enumerate() {
        let scenario = scenario(row, arguments.engine, scratch)?;
        let (gate, out, stop) = (Arc::clone(&gate), out.to_owned(), stop.clone());
        running.spawn(async move {
            let _turn = gate.acquire().await;
            (place, one(row, scenario, out, stop).await)
        });
    }
    let mut tried = Vec::new();
    while let Some(done) = running.join_next().await {
        let (place, one) = done.map_err(|error| Failure::no_verdict(format!("a self-test broke: {error}")))?;
        if !arguments.json {
            style::say(&line(&one));
        }
        tried.push((place, one));
    }
    tried.sort_by_key(|(place, _)| *place);
    Ok(tried.into_iter().map(|(_, one)| one).collect())
}

fn scenario(row: &Row, engine: EngineKind, scratch: &Path) -> Result<Scenario, Failure> {
    let parsed = Scenario::parse(row.scenario);
    let mut scenario = parsed.map_err(|_| Failure::no_verdict(format!("the scenario of `{}` is broken", row.name)))?;
    scenario.engine.kind = engine;
    if let Some(build) = &mut scenario.target.build {
        *build = stale_build(scratch, build)?;
    }
    Ok(scenario)
}

/// A repository whose source is newer than the program that claims to be built from it, as in test 6B.
fn stale_build(scratch: &Path, wanted: &Build) -> Result<Build, Failure> {
    let repo = scratch.join("stale");
    let made = || -> std::io::Result<()> {
        std::fs::create_dir_all(&repo)?;
        let agent = std::fs::File::create(repo.join("agent"))?;
        agent.set_modified(SystemTime::now() - Duration::from_secs(3600))?;
        std::fs::write(repo.join("agent.go"), "// mended an hour after the build\n")?;
        for words in [&["init", "--quiet"][..], &["add", "agent.go"]] {
            std::process::Command::new("git")
                .args(words)
                .current_dir(&repo)
                .status()?;
        }
        Ok(())
    };
    made().map_err(|error| {
        Failure::no_verdict(format!(
            "failed to make a stale build in {} (git is needed): {error}",
            repo.display()
        ))
    })?;
    let binary = Some(repo.join("agent").display().to_string());
    Ok(Build {
        repo: repo.display().to_string(),
        binary,
        require: wanted.require.clone(),
    })
}

/// Runs one row and holds what came out against what must.
async fn one(row: &Row, scenario: Scenario, reports: PathBuf, stop: CancellationToken) -> Tried {
    let began = Instant::now();
    let request = Request {
        scenario,
        reports,
        docker_host: None,
        command: format!("leakcheck selftest --only {}", row.name),
        audience: Box::new(Nobody),
        enough: None,
        learn: None,
        stop,
    };
    let wanted = words(
        row.verdict,
        row.reasons
            .iter()
            .map(|(code, metric)| (code.name(), (*metric).to_owned()))
            .collect(),
    );
    let seen = match leakcheck_runner::run(request).await {
        Ok(outcome) => {
            let reasons = outcome.result.reasons.iter();
            words(
                outcome.result.verdict,
                reasons
                    .map(|r| (r.code.name(), r.metric.clone().unwrap_or_default()))
                    .collect(),
            )
        }
        Err(error) => error.to_string(),
    };
    Tried {
        gate: row.name.to_owned(),
        good: wanted == seen,
        expected: wanted,
        seen,
        took: began.elapsed(),
    }
}

/// A verdict and its reasons in a form that can be compared and read.
fn words(verdict: Verdict, mut reasons: Vec<(String, String)>) -> String {
    reasons.sort();
    reasons.dedup();
    let all: Vec<String> = reasons
        .into_iter()
        .map(|(code, metric)| {
            if metric.is_empty() {
                code
            } else {
                format!("{metric} {code}")
            }
        })
        .collect();
    if all.is_empty() {
        verdict.name().to_owned()
    } else {
        format!("{}: {}", verdict.name(), all.join(", "))
    }
}

fn line(tried: &Tried) -> String {
    let mark = if tried.good {
        format!("{GOOD}caught{PLAIN}")
    } else {
        format!("{BAD}WRONG {PLAIN}")
    };
    let mark = if tried.good && tried.expected == "pass" {
        format!("{GOOD}green {PLAIN}")
    } else {
        mark
    };
    let wanted = if tried.good {
        String::new()
    } else {
        format!("{DIM}; expected {}{PLAIN}", tried.expected)
    };
    format!(
        "  {mark} {:<20} {:>5.0} s  {}{wanted}",
        tried.gate,
        tried.took.as_secs_f64(),
        tried.seen
    )
}

fn tell(tried: &[Tried], arguments: &Arguments) {
    if arguments.json {
        let rows: Vec<_> = tried
            .iter()
            .map(|t| json!({ "gate": t.gate, "expected": t.expected, "seen": t.seen, "caught": t.good, "after_s": t.took.as_secs_f64() }))
            .collect();
        style::print(&format!(
            "{}\n",
            json!({ "rows": rows, "good": tried.iter().all(|t| t.good) })
        ));
    }
    let wrong = tried.iter().filter(|t| !t.good).count();
    style::say(&match wrong {
        0 => format!(
            "{GOOD}all {} as they must be{PLAIN}: every leak is caught for its own reason, no clean run is accused",
            tried.len()
        ),
        _ => format!("{BAD}{wrong} of {} are not as they must be{PLAIN}", tried.len()),
    });
}
