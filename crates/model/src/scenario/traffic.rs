//! `[traffic]`: what the target is given to do, beside containers or instead of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Work for the target: requests made by leakcheck, or a command that makes it. It begins when the target is ready and
/// ends with the judged part, so that `drained` sees whether the target comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Requests go here, each on a connection of its own; `{port}` and `{run}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many requests a second.
    #[serde(default = "default_per_second")]
    pub per_second: f64,
    /// Their method.
    #[serde(default = "default_method")]
    pub method: String,
    /// Their body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Instead of requests: a program that makes the work, until it is stopped. `{output}`, `{port}` and `{run}` are filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// Enough for hundreds of chances to leak in a minute, and nothing that a daemon would call load.
fn default_per_second() -> f64 {
    10.0
}

fn default_method() -> String {
    "GET".into()
}
