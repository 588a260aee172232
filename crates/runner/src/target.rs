//! The target: started, awaited until it is ready, stopped. The harness knows it by command line, pid, URL and folder.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::event::TargetFacts;
use leakcheck_model::scenario::{Port, Ready, TargetKind};
use leakcheck_probe::AwaitedText;

use crate::container::{self, ContainerError};
use crate::docker::Docker;
use crate::process::{Process, ProcessError, in_words};

/// A target that says nothing about it is ready within this long, or has failed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a target is told, filled into `{…}` of its command and set in its environment.
pub(crate) struct Surroundings {
    /// The engine's address, which may be the proxy's; none if the run has no engine.
    pub engine: Option<String>,
    /// Where it may write what it collects.
    pub output: PathBuf,
    /// A free port of 127.0.0.1.
    pub port: u16,
    /// The run's id.
    pub run: String,
}

impl Surroundings {
    /// What every program of the run has in its environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("LEAKCHECK_OUTPUT".into(), self.output.display().to_string()),
            ("LEAKCHECK_PORT".into(), self.port.to_string()),
            ("LEAKCHECK_RUN".into(), self.run.clone()),
        ])
    }
}

/// A target that is measured.
pub(crate) struct Target {
    /// Its process, if it is ours.
    pub process: Option<Process>,
    /// Its process id, if it has one here.
    pub pid: Option<u32>,
    /// Where its metrics are.
    pub metrics_url: Option<String>,
    /// Where it writes what it collected: a folder or a glob.
    pub delivered: Option<String>,
    /// For the report.
    pub facts: TargetFacts,
    ready: Ready,
    /// The port that it is told.
    port: u16,
    /// The text in its output that says it is ready.
    awaited: Option<AwaitedText>,
    stop_within: Duration,
}

/// A target that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// It cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended before it was ready.
    #[error("the target ended before it was ready: {status}{}", quoted(last_words))]
    Died {
        /// How.
        status: String,
        /// The end of its output.
        last_words: String,
    },
    /// It did not become ready.
    #[error("the target was not ready within {} s: {missing}{}", within.as_secs_f64(), quoted(last_words))]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// What was waited for.
        missing: String,
        /// The end of its output.
        last_words: String,
    },
    /// There is no such process or container.
    #[error("there is no target: {0}")]
    Absent(String),
    /// There is no such container, or the engine cannot say.
    #[error(transparent)]
    Container(#[from] ContainerError),
}

/// What stands between what happened and what a process said last.
pub const LAST_WORDS: &str = "; its last words were:\n";

/// What it said last, to be put behind an error.
pub(crate) fn quoted(last_words: &str) -> String {
    if last_words.is_empty() {
        String::new()
    } else {
        format!("{LAST_WORDS}{last_words}")
    }
}

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// If there is none.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?
        .local_addr()?
        .port())
}

impl Target {
    /// Starts the scenario's target, or finds it if it runs already.
    ///
    /// # Errors
    /// [`TargetError`].
    pub(crate) async fn bring_up(
        scenario: &Scenario,
        around: &Surroundings,
        docker: Option<&Docker>,
        log: &Path,
    ) -> Result<Self, TargetError> {
        let wanted = &scenario.target;
        let mut target = Self {
            process: None,
            pid: None,
            metrics_url: wanted.metrics_url.as_ref().map(|url| filled(url, around)),
            delivered: wanted.delivered.as_ref().map(|glob| filled(glob, around)),
            facts: TargetFacts {
                kind: wanted.kind.name().into(),
                ..TargetFacts::default()
            },
            ready: wanted.ready.clone().unwrap_or_default(),
            port: around.port,
            awaited: None,
            stop_within: wanted.stop_within.0,
        };
        target.ready.url = target.ready.url.map(|url| filled(&url, around));
        match wanted.kind {
            TargetKind::Capture => {
                let base = format!("http://127.0.0.1:{}", around.port);
                target.metrics_url.get_or_insert_with(|| format!("{base}/metrics"));
                target.ready.url.get_or_insert_with(|| format!("{base}/healthz"));
                target
                    .delivered
                    .get_or_insert_with(|| around.output.display().to_string());
                let command = capture_command(scenario, around)?;
                target.start(command, scenario, around, log)?;
            }
            TargetKind::Command => {
                let command = wanted.command.iter().map(|word| filled(word, around)).collect();
                target.start(command, scenario, around, log)?;
            }
            TargetKind::Pid => {
                let pid = wanted.pid.unwrap_or_default();
                target.attach(pid)?;
            }
            TargetKind::Container => {
                let name = wanted.container.clone().unwrap_or_default();
                let docker = docker.ok_or_else(|| TargetError::Absent("a container needs an engine".into()))?;
                let running = container::find(docker, &name).await?;
                target.facts.image = Some(docker.image_of(&running.name).await.map_err(ContainerError::from)?);
                target.facts.command = Some(running.words);
                target.attach(running.pid)?;
            }
            TargetKind::Metrics => target.facts.command.clone_from(&target.metrics_url),
        }
        Ok(target)
    }

    fn attach(&mut self, pid: u32) -> Result<(), TargetError> {
        leakcheck_probe::Process::open(pid).map_err(|error| TargetError::Absent(error.to_string()))?;
        self.pid = Some(pid);
        self.facts.pid = Some(pid);
        Ok(())
    }

    fn start(
        &mut self,
        command: Vec<String>,
        scenario: &Scenario,
        around: &Surroundings,
        log: &Path,
    ) -> Result<(), TargetError> {
        let mut env = around.environment();
        // Without an engine of the run, the target keeps whatever it would find by itself.
        env.extend(around.engine.clone().map(|engine| ("DOCKER_HOST".into(), engine)));
        env.extend(scenario.target.env.iter().map(|(k, v)| (k.clone(), filled(v, around))));
        let cwd = scenario.target.cwd.as_ref().map(PathBuf::from);
        let process = Process::start(&command, &env, cwd.as_deref(), log)?;
        self.pid = Some(process.pid());
        self.facts.pid = self.pid;
        self.facts.command = Some(command.join(" "));
        self.process = Some(process);
        Ok(())
    }

    /// Waits until the target is ready.
    ///
    /// # Errors
    /// If it ends, or does not become ready in time.
    pub(crate) async fn await_ready(&mut self) -> Result<(), TargetError> {
        let within = self.ready.within.map_or(READY_WITHIN, |w| w.0);
        let began = tokio::time::Instant::now();
        loop {
            let missing = self.missing(began.elapsed()).await;
            let Some(missing) = missing else { return Ok(()) };
            if let Some(process) = &mut self.process
                && let Some(status) = process.ended()
            {
                return Err(TargetError::Died {
                    status: in_words(status),
                    last_words: process.last_words(5),
                });
            }
            if began.elapsed() >= within {
                let last_words = self.process.as_ref().map_or(String::new(), |p| p.last_words(5));
                return Err(TargetError::NotReady {
                    within,
                    missing,
                    last_words,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What readiness still lacks.
    async fn missing(&mut self, waited: Duration) -> Option<String> {
        let ready = &self.ready;
        if let Some(after) = ready.after
            && waited < after.0
        {
            return Some(format!("{after} have not passed"));
        }
        if let Some(url) = &ready.url
            && let Err(error) = leakcheck_probe::answers(url).await
        {
            return Some(error.to_string());
        }
        let port = ready.port.map(|port| match port {
            Port::Number(number) => number,
            Port::Given => self.port,
        });
        if let Some(port) = port
            && let Err(error) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
        {
            return Some(format!("port {port} does not accept: {error}"));
        }
        if let (Some(text), Some(process)) = (&ready.log, &self.process) {
            let awaited = self
                .awaited
                .get_or_insert_with(|| AwaitedText::new(process.log(), text));
            if !awaited.is_there() {
                return Some(format!("`{text}` is not in its output"));
            }
        }
        None
    }

    /// How the target ended by itself, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        if let Some(process) = &mut self.process {
            let status = process.ended()?;
            let last = process.last_words(3);
            return Some(format!("{}{}", in_words(status), quoted(&last)));
        }
        let gone = self.pid.is_some_and(|pid| leakcheck_probe::Process::open(pid).is_err());
        gone.then(|| "its process is gone".to_owned())
    }

    /// Stops the target if it is ours. Says so if it had to be killed.
    pub(crate) async fn stop(&mut self) -> Option<String> {
        let process = self.process.as_mut()?;
        let (_, killed) = process.stop(self.stop_within).await;
        killed.then(|| {
            format!(
                "the target did not stop within {} s of SIGTERM and was killed",
                self.stop_within.as_secs_f64()
            )
        })
    }
}

/// A word of the scenario with its `{…}` filled in.
pub(crate) fn filled(word: &str, around: &Surroundings) -> String {
    let ourselves = || std::env::current_exe().map_or_else(|_| "leakcheck".into(), |path| path.display().to_string());
    let word = if word.contains("{leakcheck}") {
        word.replace("{leakcheck}", &ourselves())
    } else {
        word.to_owned()
    };
    word.replace("{engine}", around.engine.as_deref().unwrap_or_default())
        .replace("{output}", &around.output.display().to_string())
        .replace("{port}", &around.port.to_string())
        .replace("{run}", &around.run)
}

/// The command line of our own capture core.
fn capture_command(scenario: &Scenario, around: &Surroundings) -> Result<Vec<String>, TargetError> {
    let ourselves = std::env::current_exe().map_err(|error| TargetError::Absent(error.to_string()))?;
    let mut words = vec![ourselves.display().to_string(), "capture".into()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--docker-host", around.engine.clone().unwrap_or_default());
    option("--listen", format!("127.0.0.1:{}", around.port));
    option("--output", around.output.display().to_string());
    option("--label", format!("{}={}", crate::load_plan::RUN_LABEL, around.run));
    if let Some(every) = scenario.target.rotate_every {
        option("--rotate-every", every.to_string());
    }
    words.extend(scenario.target.arguments.iter().map(|word| filled(word, around)));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_its_surroundings() {
        let around = Surroundings {
            engine: Some("unix:///e.sock".into()),
            output: "/out".into(),
            port: 7,
            run: "k3".into(),
        };
        assert_eq!(
            filled("--to={engine} -o {output}/{run} :{port}", &around),
            "--to=unix:///e.sock -o /out/k3 :7"
        );
    }
}
