//! `leakcheck watch`: judges a target without a scenario file.
//!
//! A scenario is built in memory, completed with the metrics that the target has, and run like any other.

mod autodetect;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use leakcheck_model::scenario::{EngineKind, Schedule, Target};
use leakcheck_model::{HumanDuration, Limit, Scenario};
use leakcheck_probe::ProcessError;
use leakcheck_probe::build::{is_interpreter, script_among};
use leakcheck_probe::discovery::{TargetCapabilities, exposed_metrics};
use leakcheck_runner::docker::Docker;
use leakcheck_runner::{Request, check_program, container};

use super::hints::tight_limits;
use super::judge::metric_and_limit;
use super::run::{command_line, execute};
use crate::display::Display;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::style;
use autodetect::WantedLimits;

/// Longest default warm-up. It is doubled for a target that settles slowly.
const MAX_WARM_UP: HumanDuration = HumanDuration::seconds(5);

/// Measuring time after which Ctrl-C ends the watch with a verdict. Before, it is an interruption.
const MIN_MEASURED: Duration = Duration::from_secs(30);

/// Longest default extension of an undecided watch.
const MAX_EXTENSION: HumanDuration = HumanDuration::seconds(600);

/// Samples of a watch that is shorter than a minute.
const SAMPLES: u32 = 60;

/// Longest scenario name that is derived from a target's name.
const MAX_NAME: usize = 40;

/// Arguments of `leakcheck watch`.
#[derive(Args)]
#[command(group = ArgGroup::new("target").required(true), after_help = "\
Without --limit, descriptors, threads and tasks may grow by less than 1 per minute, and memory by less than 1 MiB per minute.
Tasks and other metrics of the target come from /metrics, if one of its ports serves it. Any series there can be limited by
its name. A watch ends early once a failure is certain, and is extended once if it is undecided. Ctrl-C after 30 s of
measuring ends it with a verdict on the samples so far.

Examples:
  leakcheck watch --pid 4711
  leakcheck watch --duration 10m -- ./agent --config agent.toml
  leakcheck watch --tree -- gunicorn --workers 4 app:app
  leakcheck watch --container web --limit 'cgroup_memory: growth_per_min < 1 MiB'
  leakcheck watch --metrics http://127.0.0.1:9090/metrics --limit 'go_goroutines: growth_per_min < 2'")]
pub(crate) struct Arguments {
    /// A running process
    #[arg(long, value_name = "N", group = "target")]
    pid: Option<u32>,
    /// A running container, by name, id or Compose service
    #[arg(long, value_name = "NAME", group = "target")]
    container: Option<String>,
    /// A metrics URL, without a process
    #[arg(long, value_name = "URL", group = "target")]
    metrics: Option<String>,
    /// A command that is started, and stopped at the end
    #[arg(last = true, value_name = "COMMAND", group = "target")]
    command: Vec<String>,
    /// A limit, such as `fds: growth_per_min < 1`; replaces the default limits
    #[arg(long, value_name = "METRIC: RULE", value_parser = metric_and_limit)]
    limit: Vec<(String, Limit)>,
    /// Length of the measurement
    #[arg(long, value_name = "D", default_value = "60s")]
    duration: HumanDuration,
    /// Extension if the verdict is undecided [default: the duration, at most 10m]
    #[arg(long, value_name = "D")]
    extend: Option<HumanDuration>,
    /// Run the full length even if a failure is certain before
    #[arg(long)]
    no_early_stop: bool,
    /// Count all descendants of the process (always done for a container)
    #[arg(long)]
    tree: bool,
    /// Folder for run folders
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Address of the engine, for --container [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI", requires = "container")]
    docker_host: Option<String>,
    /// Print result.json on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

/// Watches a target.
///
/// # Errors
/// If the target does not exist, or cannot be watched.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let wanted = WantedLimits(arguments.limit.clone());
    let mut scenario = arguments.scenario(&wanted)?;
    let runtime = runtime()?;
    if let Some(url) = &arguments.metrics {
        let capabilities = runtime.block_on(capabilities_at(url))?;
        let notes = wanted.complete(&mut scenario, &capabilities).map_err(Failure::usage)?;
        check(&scenario)?;
        notes.iter().for_each(|note| style::note(note));
    }
    check_program(&scenario).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(pid) = runtime.block_on(arguments.running_pid())? {
        runtime.block_on(wanted.check(&scenario, pid))?;
    }
    tight_limits(&scenario, "--duration")
        .iter()
        .for_each(|hint| style::note(hint));
    let stop = stop_on_signal(&runtime, "\nending the watch (interrupt again to leave at once)");
    let request = Request {
        observer: Box::new(Display::new(&scenario)),
        scenario,
        reports: arguments.out.clone(),
        docker_host: arguments.docker_host.clone(),
        command: command_line(),
        stop,
        min_measured: Some(MIN_MEASURED),
        autodetect: Some(Box::new(move |scenario, capabilities| {
            wanted.complete(scenario, capabilities)
        })),
    };
    execute(&runtime, request, arguments.json)
}

/// The metrics at a URL.
async fn capabilities_at(url: &str) -> Result<TargetCapabilities, Failure> {
    match exposed_metrics(url).await {
        Ok(Some(exposed)) => Ok(TargetCapabilities {
            exposed: Some(exposed),
            ..TargetCapabilities::default()
        }),
        Ok(None) => Err(Failure::usage(format!(
            "{url} answers, but not with metrics in the Prometheus format"
        ))),
        Err(error) => Err(Failure::usage(error.to_string())),
    }
}

/// Fails with the first problem of a scenario.
fn check(scenario: &Scenario) -> Result<(), Failure> {
    scenario.check().map_err(|problems| {
        let first = problems.first();
        Failure::usage(first.map_or_else(String::new, |problem| problem.message.clone()))
    })
}

impl Arguments {
    /// The id of a running target. A missing container is a usage error here; an engine that does not answer is reported by
    /// the run.
    async fn running_pid(&self) -> Result<Option<u32>, Failure> {
        let Some(name) = &self.container else {
            return Ok(self.pid);
        };
        let host = leakcheck_runner::engine::address(self.docker_host.as_deref());
        let host = host.map_err(|error| Failure::usage(error.to_string()))?;
        let found = match Docker::connect(host) {
            Ok(docker) => container::find(&docker, name).await,
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(running) => Ok(Some(running.pid)),
            Err(error) if error.is_wrong_name() => Err(Failure::usage(format!("--container {name}: {error}"))),
            Err(_) => Ok(None),
        }
    }

    /// The scenario before the target is inspected.
    fn scenario(&self, wanted: &WantedLimits) -> Result<Scenario, Failure> {
        let (name, target) = self.target()?;
        let least = 5.0 * self.sample_every().as_secs();
        if self.duration.as_secs() < least {
            return Err(Failure::usage(format!(
                "--duration {} is too short: the shortest is 1s",
                self.duration
            )));
        }
        let mut scenario = Scenario::new(name, target);
        scenario.schedule = self.schedule();
        scenario.target.tree = self.tree.then_some(true);
        if self.container.is_some() {
            scenario.engine.kind = EngineKind::Docker;
        }
        if self.metrics.is_none() {
            wanted.apply(&mut scenario);
            check(&scenario)?;
        }
        Ok(scenario)
    }

    /// The name of the scenario, and its target.
    fn target(&self) -> Result<(String, Target), Failure> {
        if let Some(pid) = self.pid {
            let process = leakcheck_probe::Process::open(pid).map_err(|error| match error {
                ProcessError::Gone { .. } => Failure::usage(format!("--pid {pid}: there is no such process")),
                error => Failure::usage(format!("--pid {pid}: {error}")),
            })?;
            let exe = process.exe().ok();
            let file = exe
                .as_deref()
                .and_then(Path::file_name)
                .map(|n| n.to_string_lossy().into_owned());
            let name = scenario_name(&file.unwrap_or_else(|| pid.to_string()));
            return Ok((name, Target::process(pid)));
        }
        if let Some(container) = &self.container {
            return Ok((scenario_name(container), Target::container(container)));
        }
        if let Some(url) = &self.metrics {
            let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or(url);
            return Ok((scenario_name(host), Target::metrics_only(url)));
        }
        let name = scenario_name(&program_of(&self.command));
        Ok((name, Target::command(self.command.clone())))
    }

    fn sample_every(&self) -> HumanDuration {
        let even = self.duration.0 / SAMPLES;
        HumanDuration(even.clamp(Duration::from_millis(200), Duration::from_secs(1)))
    }

    fn schedule(&self) -> Schedule {
        // In whole seconds.
        let share = |of: u32| HumanDuration::seconds((self.duration.0 / of).as_secs());
        Schedule {
            warm_up: share(4).clamp(HumanDuration::seconds(1), MAX_WARM_UP),
            measure: self.duration,
            sample_every: self.sample_every(),
            checkpoint_every: share(6).clamp(HumanDuration::seconds(1), HumanDuration::seconds(30)),
            // A drain without load measures nothing.
            drain: HumanDuration::ZERO,
            early_stop: !self.no_early_stop,
            extend: self.extend.unwrap_or(self.duration.min(MAX_EXTENSION)),
        }
    }
}

/// The file name of the script that an interpreter runs, else of the program.
fn program_of(command: &[String]) -> String {
    let program = command.first().map(PathBuf::from).unwrap_or_default();
    let script = is_interpreter(&program)
        .then(|| script_among(command, Path::new(".")))
        .flatten();
    let file = script.as_deref().unwrap_or(&program).file_name();
    file.unwrap_or_default().to_string_lossy().into_owned()
}

/// A scenario name, which is also a folder name, for a target.
fn scenario_name(target: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = target
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .take(MAX_NAME)
        .collect();
    let address = target.parse::<SocketAddr>().is_ok();
    match name.trim_matches(['-', '.']) {
        "" => "watch".to_owned(),
        name if address => format!("metrics-{name}"),
        name => format!("watch-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_valid_folder_name() {
        for (target, name) in [
            ("fluent-bit", "watch-fluent-bit"),
            ("127.0.0.1:9090", "metrics-127.0.0.1-9090"),
            ("", "watch"),
            ("../../etc", "watch-etc"),
            ("naïve app", "watch-na-ve-app"),
        ] {
            assert_eq!(scenario_name(target), name);
        }
        assert!(scenario_name(&"x".repeat(200)).len() <= 48);
    }

    #[test]
    fn a_command_of_an_interpreter_is_named_after_its_script() {
        let of = |command: &[&str]| program_of(&command.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(of(&["/usr/bin/python3", "-u", script, "x"]), "Cargo.toml");
        assert_eq!(of(&["python3", "-m", "http.server"]), "python3");
        assert_eq!(of(&["./agent", script]), "agent");
    }
}
