//! `[traffic]`: requests for the target, in addition to containers or instead of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Work for the target: requests by leakcheck, or a command that makes them.
///
/// It begins when the target is ready and ends with the judged part, so that `drained` can compare the levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Address of the requests, each on its own connection. `{port}` and `{run}` are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Requests per second.
    #[serde(default = "default_per_second")]
    pub per_second: f64,
    /// Request method.
    #[serde(default = "default_method")]
    pub method: String,
    /// Request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Program that makes the work until it is stopped, instead of requests. `{output}`, `{port}` and `{run}` are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// Returns 10: hundreds of chances to leak per minute, and little load for any daemon.
fn default_per_second() -> f64 {
    10.0
}

fn default_method() -> String {
    "GET".into()
}
