//! A run on a machine that is busy with something else: no verdict for that reason alone, and so once more.

use std::process::Output;

use serde_json::Value;

/// Times that a run is tried; a machine that misses samples each time has to be looked at.
const TRIES: usize = 3;

/// What `run` comes to when this machine takes its samples in time. A run that came to no verdict only because samples were
/// missed is repeated; every other outcome stands.
pub(crate) fn undisturbed(mut run: impl FnMut() -> Output) -> Output {
    for _ in 1..TRIES {
        let output = run();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let reasons = result["reasons"].as_array().cloned().unwrap_or_default();
        let missed = !reasons.is_empty() && reasons.iter().all(|r| r["code"] == "samples-missed");
        if !(output.status.code() == Some(125) && missed) {
            return output;
        }
    }
    run()
}
