//! `[engine]`: which Docker engine the load runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which engine, and how hard it is driven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Docker, the simulated engine, or whichever is there.
    pub kind: EngineKind,
    /// `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`; else `DOCKER_HOST`, else the default socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Calls in flight while containers are started and removed (measured: 4 is as fast as 8 on two cores).
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

/// Which engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Docker if it answers, else simulated: said aloud and in the report.
    #[default]
    Auto,
    /// A real Docker engine.
    Docker,
    /// Ours, with no containers behind it.
    Simulated,
}
