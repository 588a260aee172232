//! Finds the engine of a run: a real one that answers, or a simulated one that is started.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use leakcheck_model::event::EngineFacts;
use leakcheck_model::scenario::EngineKind;

use crate::docker::{Docker, DockerError};
use crate::engine_address::{AddressError, EngineAddress};
use crate::process::{Process, ProcessError};

pub(crate) mod counts;

/// The simulated engine is up within milliseconds; a machine under load has taken 15 s.
const SIMULATED_START: Duration = Duration::from_secs(60);

/// Pause between two attempts to reach a starting engine.
const START_POLL: Duration = Duration::from_millis(20);

/// An engine that answers.
pub struct Engine {
    /// Its client.
    pub docker: Docker,
    /// Kind, version and address.
    pub facts: EngineFacts,
    /// Our child process, for a simulated engine.
    pub process: Option<Process>,
    /// The reason for falling back to a simulated engine.
    pub fallback_reason: Option<String>,
}

/// A missing engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The address is malformed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No engine answers at the address.
    #[error("{source}")]
    Unreachable {
        /// The failed call.
        #[source]
        source: DockerError,
    },
    /// The simulated engine ended or did not answer in time.
    #[error("the simulated engine did not start: {0}")]
    Simulated(String),
    /// The simulated engine cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// The address of the real engine: `requested`, else `DOCKER_HOST`, else the default socket.
///
/// # Errors
/// If the address is malformed.
pub fn address(requested: Option<&str>) -> Result<EngineAddress, AddressError> {
    let from_env = || std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty());
    match requested.map(str::to_owned).or_else(from_env) {
        Some(text) => text.parse(),
        None => Ok(EngineAddress::default()),
    }
}

/// Finds an engine of this kind. A simulated one puts its socket and log into `folder`.
///
/// # Errors
/// [`EngineError`].
pub async fn find(kind: EngineKind, requested: Option<&str>, folder: &Path) -> Result<Engine, EngineError> {
    let mut engine = reach(kind, requested, folder).await?;
    if let Some(process) = counts::process_of(engine.docker.address()).await {
        engine.facts.pid = Some(process.pid());
        engine.facts.program = process.name().ok();
    }
    Ok(engine)
}

async fn reach(kind: EngineKind, requested: Option<&str>, folder: &Path) -> Result<Engine, EngineError> {
    if kind == EngineKind::Simulated {
        return start_simulated(folder, None).await;
    }
    match ping(&address(requested)?).await {
        Ok((docker, facts)) => Ok(Engine {
            docker,
            facts,
            process: None,
            fallback_reason: None,
        }),
        Err(source) if kind == EngineKind::Docker => Err(EngineError::Unreachable { source }),
        Err(source) => start_simulated(folder, Some(source.to_string())).await,
    }
}

async fn ping(address: &EngineAddress) -> Result<(Docker, EngineFacts), DockerError> {
    let docker = Docker::connect(address.clone())?;
    let facts = docker.ping().await?;
    Ok((docker, facts))
}

async fn start_simulated(folder: &Path, fallback_reason: Option<String>) -> Result<Engine, EngineError> {
    let socket = folder.join("engine.sock");
    let own_path = std::env::current_exe().map_err(|e| EngineError::Simulated(e.to_string()))?;
    let command = [
        own_path.display().to_string(),
        "engine".into(),
        "--socket".into(),
        socket.display().to_string(),
    ];
    let mut process = Process::start(&command, &BTreeMap::new(), None, &folder.join("engine.log"))?;
    let address = EngineAddress::Unix(socket);
    let started = tokio::time::timeout(SIMULATED_START, async {
        loop {
            if let Ok(reached) = ping(&address).await {
                return Ok(reached);
            }
            if process.exit_status().is_some() {
                return Err(EngineError::Simulated(process.log_tail(3)));
            }
            tokio::time::sleep(START_POLL).await;
        }
    });
    let (docker, facts) = started.await.unwrap_or_else(|_| {
        let seconds = SIMULATED_START.as_secs();
        Err(EngineError::Simulated(format!("no answer within {seconds} s")))
    })?;
    Ok(Engine {
        docker,
        facts,
        process: Some(process),
        fallback_reason,
    })
}
