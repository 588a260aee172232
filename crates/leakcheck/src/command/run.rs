//! `leakcheck run`: runs a scenario.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::scenario::EngineKind;
use leakcheck_model::{HumanDuration, Scenario, error_chain};
use leakcheck_report::github;
use leakcheck_runner::engine::EngineError;
use leakcheck_runner::{NoopObserver, Outcome, Request, RunError, RunObserver, check_ports_free, check_program};

use super::explain;
use super::hints::{drained_unknown, tight_limits};
use crate::display::Display;
use crate::exit_code;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::{scenario_file, style, summary};

/// Arguments of `leakcheck run`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck run scenarios/55-containers.toml
  leakcheck run my-daemon.toml --measure 2m --set target.rotate_every=2s
  leakcheck run my-daemon.toml --engine simulated --json > result.json

Exit codes: 0 pass, 1 fail, 2 usage or scenario error (nothing was started), 125 no verdict, 130 interrupted")]
pub(crate) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// The engine: auto, docker or simulated
    #[arg(long, value_parser = engine_kind)]
    engine: Option<EngineKind>,
    /// Address of the engine: unix:///var/run/docker.sock or tcp://127.0.0.1:2375 [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Shortest warm-up
    #[arg(long, value_name = "D")]
    warm_up: Option<HumanDuration>,
    /// Length of the measurement
    #[arg(long, value_name = "D")]
    measure: Option<HumanDuration>,
    /// Folder for run folders
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Override a key of the scenario, such as `target.rotate_every=2s` or `load.noisy.containers=5`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run the full length even if a failure is certain before
    #[arg(long)]
    no_early_stop: bool,
    /// Print result.json on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Print only the summary, without progress
    #[arg(long, short)]
    quiet: bool,
}

/// Parses the name of an engine.
pub(crate) fn engine_kind(text: &str) -> Result<EngineKind, String> {
    match text {
        "auto" => Ok(EngineKind::Auto),
        "docker" => Ok(EngineKind::Docker),
        "simulated" => Ok(EngineKind::Simulated),
        _ => Err("use auto, docker or simulated".into()),
    }
}

impl Arguments {
    /// The scenario with all overrides applied.
    fn scenario(&self) -> Result<Scenario, Failure> {
        let mut sets = self.set.clone();
        sets.extend(self.warm_up.map(|d| format!("schedule.warm_up={d}")));
        sets.extend(self.measure.map(|d| format!("schedule.measure={d}")));
        sets.extend(self.no_early_stop.then(|| "schedule.early_stop=false".to_owned()));
        let mut scenario = scenario_file::read(&self.scenario, &sets)?;
        if let Some(kind) = self.engine {
            scenario.engine.kind = kind;
        }
        Ok(scenario)
    }
}

/// Runs a scenario.
///
/// # Errors
/// If the scenario is wrong, or no engine answers.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let scenario = arguments.scenario()?;
    check_program(&scenario)
        .map_err(|error| Failure::usage(format!("[target] command: {error}; nothing was started")))?;
    let runtime = runtime()?;
    runtime
        .block_on(check_ports_free(&scenario))
        .map_err(|conflict| Failure::usage(format!("{conflict}; nothing was started")))?;
    let stop = stop_on_signal(
        &runtime,
        "\ninterrupted: removing what was started (interrupt again to leave at once, then use `leakcheck clean`)",
    );
    let observer: Box<dyn RunObserver> = if arguments.quiet {
        Box::new(NoopObserver)
    } else {
        let tight = tight_limits(&scenario, "measure");
        let hints = drained_unknown(&scenario).into_iter().chain(tight);
        hints.for_each(|hint| style::note(&hint));
        Box::new(Display::new(&scenario))
    };
    let request = Request {
        scenario,
        reports: arguments.out,
        docker_host: arguments.docker_host,
        command: command_line(),
        observer,
        stop,
        min_measured: None,
        autodetect: None,
    };
    execute(&runtime, request, arguments.json)
}

/// Runs a request, and reports the outcome to scripts, people and GitHub.
///
/// # Errors
/// As [`leakcheck_runner::run`], with advice.
pub(crate) fn execute(runtime: &tokio::runtime::Runtime, request: Request, json: bool) -> Result<ExitCode, Failure> {
    let (scenario, docker_host, stop) = (
        request.scenario.clone(),
        request.docker_host.clone(),
        request.stop.clone(),
    );
    let mut outcome = runtime
        .block_on(leakcheck_runner::run(request))
        .map_err(|error| with_advice(&error))?;
    if explain::is_wanted(&scenario, &outcome.result) && !stop.is_cancelled() {
        style::note(
            "tracing the target in a second, short run to find the code that leaked (`origins = \"never\"` skips it)",
        );
        match explain::explain(runtime, &outcome.folder, docker_host, stop) {
            Ok((result, record)) => (outcome.result, outcome.record) = (result, record),
            Err(error) => style::note(&format!("the code that leaked was not found: {}", error.message())),
        }
    }
    if json {
        style::print_json(&outcome.result)?;
    }
    let report = outcome.report_error.is_none().then_some(outcome.folder.as_path());
    summary::print(&outcome.result, report);
    if let Some(error) = &outcome.report_error {
        style::note(&format!("the report is incomplete: {}", error_chain(error)));
    }
    report_to_github(&outcome);
    Ok(exit_code::of_result(&outcome.result))
}

/// Prints annotations in a GitHub workflow, and appends to the summary of its step.
fn report_to_github(outcome: &Outcome) {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|v| v == "true") {
        style::print_line(&github::annotations(&outcome.result));
    }
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty()) else {
        return;
    };
    if let Err(error) = github::append_step_summary(Path::new(&path), &outcome.result, &outcome.record) {
        style::note(&error_chain(&error));
    }
}

/// The error of a run, with advice if no engine answers.
fn with_advice(error: &RunError) -> Failure {
    let mut message = error_chain(error);
    if let RunError::Engine(EngineError::Unreachable { .. }) = error {
        message.push_str(
            "\n  is Docker running, and may you use its socket? `leakcheck doctor` checks it.\n  another engine: --docker-host URI, or DOCKER_HOST; without Docker: --engine simulated",
        );
    }
    if let RunError::Engine(EngineError::Address(_)) | RunError::Usage(_) = error {
        return Failure::usage(message);
    }
    Failure::no_verdict(message)
}

/// The command line of this process, quoted for a shell.
pub(crate) fn command_line() -> String {
    std::env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
