//! `[engine]`: the Docker engine that the load runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Docker engine that the load runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Docker, the simulated engine, or the one that is available.
    pub kind: EngineKind,
    /// `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`. Default: `DOCKER_HOST`, then the default socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Concurrent calls while containers are started and removed. Measured: 4 is as fast as 8 on two cores.
    pub parallel: u16,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            kind: EngineKind::Auto,
            host: None,
            parallel: 4,
        }
    }
}

/// The kind of a Docker engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Docker if it answers, else the simulated engine. The report names the one that was used.
    #[default]
    Auto,
    /// A real Docker engine.
    Docker,
    /// The built-in simulated engine, without real containers.
    Simulated,
}
