//! Which engine the load runs on: a real one that answers, or ours, started for this run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leakcheck_model::event::EngineFacts;
use leakcheck_model::scenario::EngineKind;

use crate::docker::{Docker, DockerError};
use crate::host::{Host, HostError};
use crate::process::{Process, ProcessError};

pub(crate) mod counts;

/// The simulated engine is up within milliseconds; a machine under load has taken 15 s.
const SIMULATED_WITHIN: Duration = Duration::from_secs(60);

/// An engine to run on.
pub struct Engine {
    /// Its client.
    pub docker: Docker,
    /// Who it is.
    pub facts: EngineFacts,
    /// The simulated engine's process, which is ours.
    pub process: Option<Process>,
    /// Why the simulated one was taken though Docker was not ruled out.
    pub fell_back: Option<String>,
}

/// No engine to run on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The address is none.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nobody answers.
    #[error("{source}")]
    Unreachable {
        /// The call that failed.
        #[source]
        source: DockerError,
    },
    /// The simulated engine did not come up.
    #[error("the simulated engine did not come up: {0}")]
    Simulated(String),
    /// It cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Where a real engine is looked for: as asked, else `DOCKER_HOST`, else the default socket.
///
/// # Errors
/// If the address is none.
pub fn host(asked: Option<&str>) -> Result<Host, HostError> {
    match asked
        .map(str::to_owned)
        .or_else(|| std::env::var("DOCKER_HOST").ok().filter(|h| !h.is_empty()))
    {
        Some(text) => text.parse(),
        None => Ok(Host::default()),
    }
}

/// Finds an engine of the wanted kind; `folder` is where a simulated one puts its socket and log.
///
/// # Errors
/// [`EngineError`].
pub async fn find(kind: EngineKind, asked: Option<&str>, folder: &Path) -> Result<Engine, EngineError> {
    let mut engine = reach(kind, asked, folder).await?;
    if let Some(process) = counts::process_of(engine.docker.host()).await {
        engine.facts.pid = Some(process.pid());
        engine.facts.program = process.name().ok();
    }
    Ok(engine)
}

async fn reach(kind: EngineKind, asked: Option<&str>, folder: &Path) -> Result<Engine, EngineError> {
    if kind == EngineKind::Simulated {
        return simulated(folder, None).await;
    }
    let docker = Docker::new(host(asked)?);
    match docker.hello().await {
        Ok(facts) => Ok(Engine {
            docker,
            facts,
            process: None,
            fell_back: None,
        }),
        Err(source) if kind == EngineKind::Docker => Err(EngineError::Unreachable { source }),
        Err(source) => simulated(folder, Some(source.to_string())).await,
    }
}

async fn simulated(folder: &Path, fell_back: Option<String>) -> Result<Engine, EngineError> {
    let socket: PathBuf = folder.join("engine.sock");
    let ourselves = std::env::current_exe().map_err(|e| EngineError::Simulated(e.to_string()))?;
    let command = [
        ourselves.display().to_string(),
        "engine".into(),
        "--socket".into(),
        socket.display().to_string(),
    ];
    let mut process = Process::start(&command, &BTreeMap::new(), None, &folder.join("engine.log"))?;
    let docker = Docker::new(Host::Unix(socket));
    let waited = tokio::time::timeout(SIMULATED_WITHIN, async {
        loop {
            if let Ok(facts) = docker.hello().await {
                return Ok(facts);
            }
            if process.ended().is_some() {
                return Err(EngineError::Simulated(process.last_words(3)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let facts = match waited {
        Ok(answered) => answered?,
        Err(_) => {
            return Err(EngineError::Simulated(format!(
                "no answer within {} s",
                SIMULATED_WITHIN.as_secs()
            )));
        }
    };
    Ok(Engine {
        docker,
        facts,
        process: Some(process),
        fell_back,
    })
}
