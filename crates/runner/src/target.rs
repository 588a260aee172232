//! The target: started or attached to, awaited until it is ready, stopped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::event::TargetFacts;
use leakcheck_model::scenario::{Port, Ready, TargetKind};
use leakcheck_probe::LogWait;

use crate::container::{self, ContainerError};
use crate::docker::Docker;
use crate::load_plan::RUN_LABEL;
use crate::process::{Process, ProcessError, describe_exit, quote_log_tail};
use crate::target_env::TargetEnv;

/// Time for a target to become ready, if the scenario sets none.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two readiness checks.
const READY_POLL: Duration = Duration::from_millis(50);

/// The target of a run.
pub(crate) struct Target {
    /// The child process, for a started target.
    pub process: Option<Process>,
    /// The process id; `None` for a metrics address alone.
    pub pid: Option<u32>,
    /// The address of its metrics.
    pub metrics_url: Option<String>,
    /// Folder or glob of the lines that it delivered.
    pub delivered: Option<String>,
    /// Description for the report.
    pub facts: TargetFacts,
    ready: Ready,
    port: u16,
    /// Search for the text in its output that marks it as ready.
    ready_text: Option<LogWait>,
    stop_within: Duration,
}

/// A target that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// It cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended before it was ready.
    #[error("the target ended before it was ready: {status}{}", quote_log_tail(log_tail))]
    Died {
        /// Description of the exit status.
        status: String,
        /// The end of its output.
        log_tail: String,
    },
    /// It was not ready in time.
    #[error("the target was not ready within {} s: {missing}{}", within.as_secs_f64(), quote_log_tail(log_tail))]
    NotReady {
        /// The time-out.
        within: Duration,
        /// The condition that did not hold.
        missing: String,
        /// The end of its output.
        log_tail: String,
    },
    /// The process does not exist.
    #[error("there is no target: {0}")]
    Absent(String),
    /// The container cannot be found.
    #[error(transparent)]
    Container(#[from] ContainerError),
}

/// Returns a port of 127.0.0.1 that is free at this moment.
///
/// # Errors
/// If there is none.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?
        .local_addr()?
        .port())
}

impl Target {
    /// Starts the scenario's target, or attaches to it if it is already running.
    ///
    /// # Errors
    /// [`TargetError`].
    pub(crate) async fn start(
        scenario: &Scenario,
        env: &TargetEnv,
        docker: Option<&Docker>,
        log: &Path,
    ) -> Result<Self, TargetError> {
        let settings = &scenario.target;
        let mut target = Self {
            process: None,
            pid: None,
            metrics_url: settings.metrics_url.as_ref().map(|url| env.fill(url)),
            delivered: settings.delivered.as_ref().map(|glob| env.fill(glob)),
            facts: TargetFacts {
                kind: settings.kind.name().into(),
                ..TargetFacts::default()
            },
            ready: settings.ready.clone().unwrap_or_default(),
            port: env.port,
            ready_text: None,
            stop_within: settings.stop_within.0,
        };
        target.ready.url = target.ready.url.map(|url| env.fill(&url));
        match settings.kind {
            TargetKind::Capture => {
                let base = format!("http://127.0.0.1:{}", env.port);
                target.metrics_url.get_or_insert_with(|| format!("{base}/metrics"));
                target.ready.url.get_or_insert_with(|| format!("{base}/healthz"));
                target.delivered.get_or_insert_with(|| env.output.display().to_string());
                target.start_process(capture_command(scenario, env)?, scenario, env, log)?;
            }
            TargetKind::Command => target.start_process(env.fill_all(&settings.command), scenario, env, log)?,
            TargetKind::Pid => target.attach(settings.pid.unwrap_or_default())?,
            TargetKind::Container => {
                let name = settings.container.clone().unwrap_or_default();
                let docker = docker.ok_or_else(|| TargetError::Absent("a container needs an engine".into()))?;
                let running = container::find(docker, &name).await?;
                let image = docker.image_facts(&running.name).await;
                target.facts.image = Some(image.map_err(ContainerError::from)?);
                target.facts.command = Some(running.description);
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

    fn start_process(
        &mut self,
        command: Vec<String>,
        scenario: &Scenario,
        env: &TargetEnv,
        log: &Path,
    ) -> Result<(), TargetError> {
        let mut variables = env.variables();
        // In a run without an engine the target keeps its own DOCKER_HOST.
        variables.extend(env.engine.clone().map(|engine| ("DOCKER_HOST".into(), engine)));
        variables.extend(scenario.target.env.iter().map(|(k, v)| (k.clone(), env.fill(v))));
        let cwd = scenario.target.cwd.as_ref().map(PathBuf::from);
        let process = Process::start(&command, &variables, cwd.as_deref(), log)?;
        self.pid = Some(process.pid());
        self.facts.pid = self.pid;
        self.facts.command = Some(command.join(" "));
        self.process = Some(process);
        Ok(())
    }

    /// Waits until the target is ready.
    ///
    /// # Errors
    /// If it ends, or is not ready in time.
    pub(crate) async fn wait_ready(&mut self) -> Result<(), TargetError> {
        let within = self.ready.within.map_or(READY_TIMEOUT, |w| w.0);
        let began = tokio::time::Instant::now();
        loop {
            let Some(missing) = self.missing_condition(began.elapsed()).await else {
                return Ok(());
            };
            if let Some(process) = &mut self.process
                && let Some(status) = process.exit_status()
            {
                return Err(TargetError::Died {
                    status: describe_exit(status),
                    log_tail: process.log_tail(5),
                });
            }
            if began.elapsed() >= within {
                return Err(TargetError::NotReady {
                    within,
                    missing,
                    log_tail: self.log_tail(5),
                });
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Describes the first condition of readiness that does not hold yet.
    async fn missing_condition(&mut self, waited: Duration) -> Option<String> {
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
            Port::Assigned => self.port,
        });
        if let Some(port) = port
            && let Err(error) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
        {
            return Some(format!("port {port} does not accept: {error}"));
        }
        if let (Some(text), Some(process)) = (&ready.log, &self.process) {
            let search = self.ready_text.get_or_insert_with(|| LogWait::new(process.log(), text));
            if !search.poll() {
                return Some(format!("`{text}` is not in its output"));
            }
        }
        None
    }

    /// The last `lines` lines of the target's output; empty if it is not our child.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        self.process.as_ref().map_or(String::new(), |p| p.log_tail(lines))
    }

    /// Describes how the target ended, if it has.
    pub(crate) fn exit_description(&mut self) -> Option<String> {
        if let Some(process) = &mut self.process {
            let status = process.exit_status()?;
            let tail = process.log_tail(3);
            return Some(format!("{}{}", describe_exit(status), quote_log_tail(&tail)));
        }
        let is_gone = self.pid.is_some_and(|pid| leakcheck_probe::Process::open(pid).is_err());
        is_gone.then(|| "its process is gone".to_owned())
    }

    /// Stops the target if it is our child. Returns a message if it had to be killed.
    pub(crate) async fn stop(&mut self) -> Option<String> {
        let is_killed = self.process.as_mut()?.stop(self.stop_within).await;
        is_killed.then(|| {
            format!(
                "the target did not stop within {} s of SIGTERM and was killed",
                self.stop_within.as_secs_f64()
            )
        })
    }
}

/// The command line of leakcheck's own capture daemon.
fn capture_command(scenario: &Scenario, env: &TargetEnv) -> Result<Vec<String>, TargetError> {
    let own_path = std::env::current_exe().map_err(|error| TargetError::Absent(error.to_string()))?;
    let mut words = vec![own_path.display().to_string(), "capture".into()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--docker-host", env.engine.clone().unwrap_or_default());
    option("--listen", format!("127.0.0.1:{}", env.port));
    option("--output", env.output.display().to_string());
    option("--label", format!("{RUN_LABEL}={}", env.run));
    if let Some(every) = scenario.target.rotate_every {
        option("--rotate-every", every.to_string());
    }
    words.extend(env.fill_all(&scenario.target.arguments));
    Ok(words)
}
