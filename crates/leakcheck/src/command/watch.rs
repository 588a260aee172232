//! `leakcheck watch`: zero configuration. A scenario is made in memory, completed by what can be seen of the target, and
//! run like any other: the same samples, the same judge, the same folder.

mod learn;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use leakcheck_model::scenario::{EngineKind, Schedule};
use leakcheck_model::{Limit, Scenario, HumanDuration};
use leakcheck_probe::ProcessError;
use leakcheck_probe::build::{is_interpreter, program_among};
use leakcheck_probe::sight::{Sight, exposed};
use leakcheck_runner::docker::Docker;
use leakcheck_runner::{Request, container, startable};

use super::judge::metric_and_limit;
use super::plan::too_tight;
use super::run::{carry_out, quoted};
use super::{Failure, runtime, stop_on_signal};
use crate::display::Display;
use crate::style;
use learn::Wanted;

/// A quarter of the measurement, up to this: long enough for a target that was started a moment ago; one that settles slowly is waited for as long again.
const WARM_UP: HumanDuration = HumanDuration::seconds(5);

/// Ctrl-C after this much measuring is the end that the user chose, and the verdict stands; before it, an interruption.
const ENOUGH: Duration = Duration::from_secs(30);

/// An undecided watch goes on by itself no longer than this: who watches for an hour need not wait for another.
const LONGEST_EXTENSION: HumanDuration = HumanDuration::seconds(600);

/// Least samples of a short watch: a minute's worth at one a second.
const SAMPLES: u32 = 60;

/// Longest name of a scenario that is made of a target's name.
const NAME: usize = 40;

/// Arguments of `leakcheck watch`.
#[derive(Args)]
#[command(group = ArgGroup::new("target").required(true), after_help = "\
Without --limit: descriptors, threads and tasks may grow by less than 1 a minute, memory by less than 1 MiB. Tasks, and
what else the target knows of itself, come from its /metrics if a port of it answers there. Any series of /metrics can be
limited by its name. A certain fail ends the watch at once, an undecided one goes on once more, and Ctrl-C after 30 s of
measuring ends it with a verdict on what was measured.

Examples:
  leakcheck watch --pid 4711
  leakcheck watch --duration 10m -- ./agent --config agent.toml
  leakcheck watch --tree -- gunicorn --workers 4 app:app
  leakcheck watch --container web --limit 'cgroup_memory: growth_per_min < 1 MiB'
  leakcheck watch --metrics http://127.0.0.1:9090/metrics --limit 'go_goroutines: growth_per_min < 2'")]
pub(super) struct Arguments {
    /// A process that runs already
    #[arg(long, value_name = "N", group = "target")]
    pid: Option<u32>,
    /// A container that runs already, by name, id or Compose service
    #[arg(long, value_name = "NAME", group = "target")]
    container: Option<String>,
    /// Only an exposition of metrics
    #[arg(long, value_name = "URL", group = "target")]
    metrics: Option<String>,
    /// A command, started here and stopped at the end
    #[arg(last = true, value_name = "COMMAND", group = "target")]
    command: Vec<String>,
    /// A limit, such as `fds: growth_per_min < 1`, instead of the default ones
    #[arg(long, value_name = "METRIC: RULE", value_parser = metric_and_limit)]
    limit: Vec<(String, Limit)>,
    /// Measure this long
    #[arg(long, value_name = "D", default_value = "60s")]
    duration: HumanDuration,
    /// If it is undecided then, go on once, this much longer [default: as long again, at most 10m]
    #[arg(long, value_name = "D")]
    extend: Option<HumanDuration>,
    /// Run the full length even when a fail is certain before
    #[arg(long)]
    no_early_stop: bool,
    /// Count the process with all its descendants (of a container they count anyway)
    #[arg(long)]
    tree: bool,
    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Address of the engine, for --container [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI", requires = "container")]
    docker_host: Option<String>,
    /// Print result.json on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

/// Watches.
///
/// # Errors
/// If there is no such target, or it cannot be watched.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let wanted = Wanted(arguments.limit.clone());
    let mut scenario = arguments.scenario(&wanted)?;
    let runtime = runtime()?;
    if let Some(url) = &arguments.metrics {
        let sight = runtime.block_on(at(url))?;
        let notes = wanted.complete(&mut scenario, &sight).map_err(Failure::usage)?;
        notes.iter().for_each(|note| style::note(note));
    }
    startable(&scenario).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(pid) = runtime.block_on(arguments.running())? {
        runtime.block_on(wanted.check(&scenario, pid))?;
    }
    too_tight(&scenario, "--duration")
        .iter()
        .for_each(|hint| style::note(hint));
    let stop = stop_on_signal(&runtime, "\nending the watch (once more: leave at once)");
    let request = Request {
        audience: Box::new(Display::new(&scenario)),
        scenario,
        reports: arguments.out.clone(),
        docker_host: arguments.docker_host.clone(),
        command: std::env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
        stop,
        enough: Some(ENOUGH),
        learn: Some(Box::new(move |scenario, sight| wanted.complete(scenario, sight))),
    };
    carry_out(&runtime, request, arguments.json)
}

/// What is exposed at a URL that the user named.
async fn at(url: &str) -> Result<Sight, Failure> {
    match exposed(url).await {
        Ok(Some(exposed)) => Ok(Sight {
            exposed: Some(exposed),
            ..Sight::default()
        }),
        Ok(None) => Err(Failure::usage(format!(
            "{url} answers, but is no exposition of metrics"
        ))),
        Err(error) => Err(Failure::usage(error.to_string())),
    }
}

impl Arguments {
    /// The process, if it runs already. A container that is not there is a mistake of the user's, and nothing is started
    /// for it; an engine that does not answer is told by the run.
    async fn running(&self) -> Result<Option<u32>, Failure> {
        let Some(name) = &self.container else {
            return Ok(self.pid);
        };
        let host = leakcheck_runner::engine::host(self.docker_host.as_deref());
        let host = host.map_err(|error| Failure::usage(error.to_string()))?;
        match container::find(&Docker::new(host), name).await {
            Ok(running) => Ok(Some(running.pid)),
            Err(error) if error.is_mistake() => Err(Failure::usage(format!("--container {name}: {error}"))),
            Err(_) => Ok(None),
        }
    }

    /// The scenario as far as it is known before the target is looked at.
    fn scenario(&self, wanted: &Wanted) -> Result<Scenario, Failure> {
        let (name, target) = self.target()?;
        let least = 5.0 * self.sample_every().as_secs();
        if self.duration.as_secs() < least {
            return Err(Failure::usage(format!(
                "--duration {} is too short to see anything: give it 1s or more",
                self.duration
            )));
        }
        let text = format!("name = \"{name}\"\n[target]\n{target}\n[limits]\nrss = \"growth_per_min < 1 MiB\"\n");
        let mut scenario = Scenario::parse(&text).map_err(|problems| {
            let first = problems.first().map_or_else(String::new, |p| p.message.clone());
            Failure::usage(first)
        });
        if let Ok(scenario) = &mut scenario {
            scenario.schedule = self.schedule();
            scenario.target.tree = self.tree.then_some(true);
            if self.container.is_some() {
                scenario.engine.kind = EngineKind::Docker;
            }
            wanted.begin(scenario);
        }
        scenario
    }

    /// What the run is called, and the `[target]` of its scenario.
    fn target(&self) -> Result<(String, String), Failure> {
        let quoted = |text: &str| toml_string(text);
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
            let name = name_of(&file.unwrap_or_else(|| pid.to_string()));
            return Ok((name, format!("kind = \"pid\"\npid = {pid}")));
        }
        if let Some(container) = &self.container {
            let target = format!("kind = \"container\"\ncontainer = {}", quoted(container));
            return Ok((name_of(container), target));
        }
        if let Some(url) = &self.metrics {
            let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or(url);
            // Any limit stands for those that are learned; it is replaced before anything starts.
            let target = format!(
                "kind = \"metrics\"\nmetrics_url = {}\n[metrics]\nrss = {{ metrics = \"process_resident_memory_bytes\" }}",
                quoted(url)
            );
            return Ok((name_of(host), target));
        }
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        Ok((
            name_of(&program_of(&self.command)),
            format!("kind = \"command\"\ncommand = [{}]", words.join(", ")),
        ))
    }

    fn sample_every(&self) -> HumanDuration {
        let even = self.duration.0 / SAMPLES;
        HumanDuration(even.clamp(Duration::from_millis(200), Duration::from_secs(1)))
    }

    fn schedule(&self) -> Schedule {
        // Whole seconds, as people would write them.
        let share = |of: u32| HumanDuration::seconds((self.duration.0 / of).as_secs());
        Schedule {
            warm_up: share(4).clamp(HumanDuration::seconds(1), WARM_UP),
            measure: self.duration,
            sample_every: self.sample_every(),
            checkpoint_every: share(6).clamp(HumanDuration::seconds(1), HumanDuration::seconds(30)),
            // There is no load that could go.
            drain: HumanDuration::ZERO,
            early_stop: !self.no_early_stop,
            extend: self.extend.unwrap_or(self.duration.min(LONGEST_EXTENSION)),
        }
    }
}

/// The file that a command runs: what an interpreter is given, else the program itself.
fn program_of(command: &[String]) -> String {
    let program = command.first().map(PathBuf::from).unwrap_or_default();
    let told = is_interpreter(&program)
        .then(|| program_among(command, Path::new(".")))
        .flatten();
    let file = told.as_deref().unwrap_or(&program).file_name();
    file.unwrap_or_default().to_string_lossy().into_owned()
}

/// A name that can be a folder's.
fn name_of(what: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = what
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .take(NAME)
        .collect();
    let address = what.parse::<SocketAddr>().is_ok();
    match name.trim_matches(['-', '.']) {
        "" => "watch".to_owned(),
        name if address => format!("metrics-{name}"),
        name => format!("watch-{name}"),
    }
}

/// A string as TOML has it.
fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_target_gets_a_name_that_can_be_a_folder() {
        for (what, name) in [
            ("fluent-bit", "watch-fluent-bit"),
            ("127.0.0.1:9090", "metrics-127.0.0.1-9090"),
            ("", "watch"),
            ("../../etc", "watch-etc"),
            ("naïve app", "watch-na-ve-app"),
        ] {
            assert_eq!(name_of(what), name);
        }
        assert!(name_of(&"x".repeat(200)).len() <= 48);
    }

    #[test]
    fn a_command_is_called_by_what_its_interpreter_runs() {
        let of = |words: &[&str]| program_of(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(of(&["/usr/bin/python3", "-u", script, "x"]), "Cargo.toml");
        assert_eq!(of(&["python3", "-m", "http.server"]), "python3");
        assert_eq!(of(&["./agent", script]), "agent");
    }

    #[test]
    fn a_word_of_a_command_stays_what_it_is() {
        let word = "say \"hi\\\" \n\u{7f} {x} '";
        let text = format!(
            "name = \"a\"\n[target]\nkind = \"command\"\ncommand = [{}]\n[limits]\nfds = \"max < 9\"",
            toml_string(word)
        );
        let scenario = Scenario::parse(&text).expect("a scenario");
        assert_eq!(scenario.target.command, [word]);
    }
}
