//! `leakcheck run`: the main job.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::scenario::EngineKind;
use leakcheck_model::{Scenario, HumanDuration, error_chain};
use leakcheck_report::github;
use leakcheck_runner::engine::EngineError;
use leakcheck_runner::{Audience, Nobody, Outcome, Request, RunError, startable};

use super::check::drained_unknown;
use super::plan::too_tight;
use super::{Failure, runtime, stop_on_signal};
use crate::display::Display;
use crate::{scenario_file, style, summary};

/// Arguments of `leakcheck run`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck run scenarios/55-containers.toml
  leakcheck run my-daemon.toml --measure 2m --set target.rotate_every=2s
  leakcheck run my-daemon.toml --engine simulated --json > result.json

Exit codes: 0 pass, 1 fail, 2 usage or scenario error (nothing was started), 125 no verdict, 130 interrupted")]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// Which engine: auto, docker or simulated
    #[arg(long, value_parser = engine_kind)]
    engine: Option<EngineKind>,
    /// Address of the engine: unix:///var/run/docker.sock or tcp://127.0.0.1:2375 [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Warm up at least this long
    #[arg(long, value_name = "D")]
    warm_up: Option<HumanDuration>,
    /// Measure this long
    #[arg(long, value_name = "D")]
    measure: Option<HumanDuration>,
    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Override a key of the scenario, such as `target.rotate_every=2s` or `load.noisy.containers=5`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run the full length even when a fail is certain before
    #[arg(long)]
    no_early_stop: bool,
    /// Print result.json on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// No progress, only the summary
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn engine_kind(text: &str) -> Result<EngineKind, String> {
    match text {
        "auto" => Ok(EngineKind::Auto),
        "docker" => Ok(EngineKind::Docker),
        "simulated" => Ok(EngineKind::Simulated),
        _ => Err("there are auto, docker and simulated".into()),
    }
}

impl Arguments {
    /// The scenario with every override applied.
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
/// A scenario that is wrong, or no engine.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let scenario = arguments.scenario()?;
    startable(&scenario).map_err(|error| Failure::usage(format!("[target] command: {error}; nothing was started")))?;
    let runtime = runtime()?;
    runtime
        .block_on(leakcheck_runner::unserved(&scenario))
        .map_err(|taken| Failure::usage(format!("{taken}; nothing was started")))?;
    let stop = stop_on_signal(
        &runtime,
        "\ninterrupted: removing what was started (once more: leave at once, then `leakcheck clean`)",
    );
    let audience: Box<dyn Audience> = if arguments.quiet {
        Box::new(Nobody)
    } else {
        let tight = too_tight(&scenario, "measure");
        drained_unknown(&scenario)
            .iter()
            .chain(&tight)
            .for_each(|hint| style::note(hint));
        Box::new(Display::new(&scenario))
    };
    let request = Request {
        scenario,
        reports: arguments.out,
        docker_host: arguments.docker_host,
        command: std::env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
        audience,
        stop,
        enough: None,
        learn: None,
    };
    carry_out(&runtime, request, arguments.json)
}

/// Runs what was asked for and tells its outcome: to scripts, to people, to a GitHub workflow.
///
/// # Errors
/// As [`leakcheck_runner::run`], explained.
pub(super) fn carry_out(runtime: &tokio::runtime::Runtime, request: Request, json: bool) -> Result<ExitCode, Failure> {
    let outcome = runtime
        .block_on(leakcheck_runner::run(request))
        .map_err(|error| explained(&error))?;
    if json {
        let text = serde_json::to_string_pretty(&outcome.result).map_err(anyhow::Error::from)?;
        style::print(&format!("{text}\n"));
    }
    summary::tell(&outcome.result, Some(&outcome.folder));
    tell_github(&outcome);
    Ok(ExitCode::from(outcome.result.exit_code))
}

/// In a GitHub workflow: annotations on the run's page (its log is read for them), and the step's summary.
fn tell_github(outcome: &Outcome) {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|v| v == "true") {
        style::say(&github::annotations(&outcome.result));
    }
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty()) else {
        return;
    };
    if let Err(error) = github::append_step_summary(Path::new(&path), &outcome.result, &outcome.record) {
        style::say(&format!("note: {error}"));
    }
}

/// No engine is no verdict; the user is told what to do about it.
fn explained(error: &RunError) -> Failure {
    let mut message = error_chain(error);
    if let RunError::Engine(EngineError::Unreachable { .. }) = error {
        message.push_str(
            "\n  is Docker running, and may you use its socket? `leakcheck doctor` looks closer.\n  another engine: --docker-host URI, or DOCKER_HOST; without Docker: --engine simulated",
        );
    }
    if let RunError::Engine(EngineError::Host(_)) | RunError::Mistaken(_) = error {
        return Failure::usage(message);
    }
    Failure::no_verdict(message)
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
