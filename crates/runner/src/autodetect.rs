//! Completes a scenario from the running target, before the first sample.

use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_probe::discovery::TargetCapabilities;

use crate::abort::RunAbort;
use crate::context::RunContext;
use crate::process::quote_log_tail;

/// Time for a command to open the port with its metrics.
const METRICS_TIMEOUT: Duration = Duration::from_secs(3);

/// Completes a scenario from what was discovered of its target. Returns notes for the user.
pub type Autodetect = Box<dyn FnOnce(&mut Scenario, &TargetCapabilities) -> Result<Vec<String>, String> + Send + Sync>;

/// Discovers what can be measured of the target, and completes the scenario.
///
/// # Errors
/// [`RunAbort`]: the target is gone, or lacks what the user asked for.
pub(crate) async fn autodetect(ctx: &mut RunContext, complete: Autodetect) -> Result<(), RunAbort> {
    let Some(pid) = ctx.sources.target.as_ref().and_then(|t| t.pid) else {
        return Ok(());
    };
    let timeout = match ctx.scenario.target.kind {
        TargetKind::Command => METRICS_TIMEOUT,
        _ => Duration::ZERO,
    };
    let discovered = tokio::select! {
        discovered = TargetCapabilities::discover(pid, timeout) => discovered,
        () = ctx.stop.cancelled() => return Err(RunAbort::Interrupted),
    };
    let capabilities = discovered.map_err(|error| {
        let tail = ctx
            .sources
            .target
            .as_ref()
            .map_or(String::new(), |target| target.log_tail(3));
        RunAbort::impaired(ReasonCode::TargetDied, format!("{error}{}", quote_log_tail(&tail)))
    })?;
    let mut completed = ctx.scenario.clone();
    let notes = complete(&mut completed, &capabilities).map_err(RunAbort::Usage)?;
    let toml = checked_toml(&completed).map_err(|why| RunAbort::impaired(ReasonCode::MetricAbsent, why))?;
    if let Some(target) = &mut ctx.sources.target {
        target.metrics_url.clone_from(&completed.target.metrics_url);
    }
    ctx.scenario = completed;
    ctx.recorder.complete_scenario(&ctx.scenario, &toml)?;
    for note in notes {
        ctx.recorder.warn(ReasonCode::MetricAbsent, note)?;
    }
    Ok(())
}

/// Writes the scenario as TOML that parses again, so that the run can be judged from its folder.
fn checked_toml(scenario: &Scenario) -> Result<String, String> {
    let text = scenario.to_toml().map_err(|error| error.to_string())?;
    match Scenario::parse(&text) {
        Ok(_) => Ok(text),
        Err(problems) => Err(problems.first().map_or_else(String::new, |p| p.message.clone())),
    }
}
