//! A target that nobody described: what can be seen of it completes the scenario, before the first sample is taken.

use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::sight::Sight;

use crate::stage::{Ended, Stage};
use crate::target::quoted;

/// How long a command that was started just now has to open the port with its metrics.
const PATIENCE: Duration = Duration::from_secs(3);

/// Completes the scenario, if somebody asked for it.
///
/// # Errors
/// [`Ended`]: the target has gone, or what is wanted of it cannot be seen.
pub(crate) async fn learn(stage: &mut Stage) -> Result<(), Ended> {
    let Some(learn) = stage.learn.take() else { return Ok(()) };
    let Some(pid) = stage.target.as_ref().and_then(|t| t.pid) else {
        return Ok(());
    };
    let patience = match stage.scenario.target.kind {
        TargetKind::Command => PATIENCE,
        _ => Duration::ZERO,
    };
    let seen = tokio::select! {
        seen = Sight::of(pid, patience) => seen,
        () = stage.stop.cancelled() => return Err(Ended::Interrupted),
    };
    let impaired = |code, message| Ended::Impaired(Reason::new(code, message));
    let sight = seen.map_err(|error| {
        let process = stage.target.as_ref().and_then(|target| target.process.as_ref());
        let last_words = process.map_or(String::new(), |process| process.last_words(3));
        impaired(ReasonCode::TargetDied, format!("{error}{}", quoted(&last_words)))
    })?;
    let mut completed = stage.scenario.clone();
    let notes = learn(&mut completed, &sight).map_err(Ended::Mistaken)?;
    let text = checked(&completed).map_err(|why| impaired(ReasonCode::MetricAbsent, why))?;
    if let Some(target) = &mut stage.target {
        target.metrics_url.clone_from(&completed.target.metrics_url);
    }
    stage.scenario = completed;
    stage.journal.learned(&stage.scenario, &text)?;
    for note in notes {
        stage.journal.warn(ReasonCode::MetricAbsent, note)?;
    }
    Ok(())
}

/// The scenario as TOML that reads back: a run that cannot be judged again from its folder is none.
fn checked(scenario: &Scenario) -> Result<String, String> {
    let text = scenario.to_toml().map_err(|error| error.to_string())?;
    match Scenario::parse(&text) {
        Ok(_) => Ok(text),
        Err(problems) => Err(problems.first().map_or_else(String::new, |p| p.message.clone())),
    }
}
