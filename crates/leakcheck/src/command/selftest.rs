//! `leakcheck selftest`: runs targets that leak on purpose, and sound ones, and compares each outcome with the expected one.

mod attempt;
mod cases;
mod expected_attribution;
mod stale_build;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use leakcheck_model::scenario::EngineKind;
use leakcheck_model::verdict::Verdict;
use leakcheck_model::{Scenario, error_chain};
use leakcheck_runner::{NoopObserver, Request, Scratch};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::style::{self, BAD, DIM, GOOD, PLAIN};
use attempt::Attempt;
use cases::{CASES, Case};
use stale_build::stale_build;

/// Concurrent runs on the simulated engine. Each mostly waits.
const PARALLEL: usize = 10;

/// Concurrent runs on a real engine, on which starting a container takes time.
const PARALLEL_REAL: usize = 3;

/// Arguments of `leakcheck selftest`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck selftest
  leakcheck selftest --only fase-6,zombies --clean 0 --out reports
  leakcheck selftest --engine docker --json")]
pub(crate) struct Arguments {
    /// The engine: simulated (works everywhere) or docker
    #[arg(long, default_value = "simulated", value_parser = super::run::engine_kind)]
    engine: EngineKind,
    /// Number of additional runs of a sound target, which must pass
    #[arg(long, default_value_t = 3)]
    clean: usize,
    /// Run only these cases
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Folder for run folders [default: a scratch folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the table as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Runs all cases. The exit code is 0 only if every outcome is as expected.
///
/// # Errors
/// If there is no engine.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "\ninterrupted: removing what was started");
    let scratch =
        Scratch::new(&format!("selftest-{}", std::process::id())).map_err(|e| Failure::no_verdict(error_chain(&e)))?;
    let selftest = Selftest {
        engine: arguments.engine,
        out: arguments.out.clone().unwrap_or_else(|| scratch.path().join("reports")),
        scratch: scratch.path(),
        quiet: arguments.json,
        stop: &stop,
    };
    let cases = selected_cases(arguments)?;
    let attempts = runtime.block_on(selftest.run(cases))?;
    if stop.is_cancelled() {
        return Ok(Exit::Interrupted.into());
    }
    print_result(&attempts, arguments.json);
    let passed = !attempts.is_empty() && attempts.iter().all(|a| a.is_as_expected);
    Ok(if passed { Exit::Success } else { Exit::Fail }.into())
}

/// The cases to run, the longest first.
fn selected_cases(arguments: &Arguments) -> Result<Vec<&'static Case>, Failure> {
    let wanted = |case: &&Case| arguments.only.is_empty() || arguments.only.iter().any(|n| n == case.name);
    let mut cases: Vec<&'static Case> = CASES.iter().filter(wanted).collect();
    if cases.is_empty() {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(Failure::usage(format!(
            "no such case; the cases are {}",
            names.join(", ")
        )));
    }
    if arguments.only.is_empty() {
        let sound = CASES.iter().filter(|case| case.verdict == Verdict::Pass);
        cases.extend(sound.cycle().take(arguments.clean));
    }
    cases.sort_by_key(|case| std::cmp::Reverse(length(case)));
    Ok(cases)
}

/// Length of a case's measurement.
fn length(case: &Case) -> Duration {
    Scenario::parse(case.scenario).map_or(Duration::ZERO, |s| s.schedule.measure.0)
}

/// The settings of a self-test.
struct Selftest<'a> {
    engine: EngineKind,
    out: PathBuf,
    scratch: &'a Path,
    quiet: bool,
    stop: &'a CancellationToken,
}

impl Selftest<'_> {
    async fn run(&self, cases: Vec<&'static Case>) -> Result<Vec<Attempt>, Failure> {
        let permits = Arc::new(Semaphore::new(match self.engine {
            EngineKind::Simulated => PARALLEL,
            EngineKind::Docker | EngineKind::Auto => PARALLEL_REAL,
        }));
        let mut running = JoinSet::new();
        for (place, case) in cases.into_iter().enumerate() {
            let scenario = self.scenario(case)?;
            let (permits, out, stop) = (Arc::clone(&permits), self.out.clone(), self.stop.clone());
            running.spawn(async move {
                let _permit = permits.acquire().await;
                (place, attempt(case, scenario, out, stop).await)
            });
        }
        let mut attempts = Vec::new();
        while let Some(done) = running.join_next().await {
            let (place, attempt) = done.map_err(|error| Failure::no_verdict(format!("a case panicked: {error}")))?;
            self.print(&attempt.line());
            attempts.push((place, attempt));
        }
        attempts.sort_by_key(|(place, _)| *place);
        let mut attempts: Vec<Attempt> = attempts.into_iter().map(|(_, attempt)| attempt).collect();
        self.repeat_doubtful(&mut attempts).await?;
        Ok(attempts)
    }

    /// Repeats, one at a time, the cases without a verdict that a busy machine may have caused. Wrong verdicts stay wrong.
    async fn repeat_doubtful(&self, attempts: &mut [Attempt]) -> Result<(), Failure> {
        for doubtful in attempts.iter_mut().filter(|a| !a.is_as_expected && a.is_in_doubt) {
            let Some(case) = CASES.iter().find(|case| case.name == doubtful.case) else {
                continue;
            };
            if self.stop.is_cancelled() {
                break;
            }
            *doubtful = attempt(case, self.scenario(case)?, self.out.clone(), self.stop.clone()).await;
            self.print(&format!("{} {DIM}(repeated alone){PLAIN}", doubtful.line()));
        }
        Ok(())
    }

    fn scenario(&self, case: &Case) -> Result<Scenario, Failure> {
        let parsed = Scenario::parse(case.scenario);
        let mut scenario =
            parsed.map_err(|_| Failure::no_verdict(format!("the scenario of `{}` is invalid", case.name)))?;
        scenario.engine.kind = self.engine;
        if let Some(build) = &mut scenario.target.build {
            *build = stale_build(self.scratch, build)?;
        }
        Ok(scenario)
    }

    fn print(&self, line: &str) {
        if !self.quiet {
            style::print_line(line);
        }
    }
}

/// Runs a case and compares its outcome.
async fn attempt(case: &'static Case, scenario: Scenario, reports: PathBuf, stop: CancellationToken) -> Attempt {
    let start = Instant::now();
    let mut attempt = Attempt::new(case, scenario.description.clone());
    let request = Request {
        scenario,
        reports,
        docker_host: None,
        command: format!("leakcheck selftest --only {}", case.name),
        observer: Box::new(NoopObserver),
        min_measured: None,
        autodetect: None,
        stop,
    };
    match leakcheck_runner::run(request).await {
        Ok(outcome) => attempt.compare(case, &outcome),
        Err(error) => attempt.fail(&error),
    }
    attempt.took = start.elapsed();
    attempt
}

fn print_result(attempts: &[Attempt], json: bool) {
    let wrong = attempts.iter().filter(|a| !a.is_as_expected).count();
    if json {
        let rows: Vec<_> = attempts.iter().map(Attempt::as_json).collect();
        style::print(&format!("{}\n", json!({ "rows": rows, "good": wrong == 0 })));
    }
    style::print_line(&match wrong {
        0 => format!(
            "{GOOD}all {} as expected{PLAIN}: every leak fails for its own reason, every sound run passes",
            attempts.len()
        ),
        _ => format!("{BAD}{wrong} of {} are not as expected{PLAIN}", attempts.len()),
    });
}
