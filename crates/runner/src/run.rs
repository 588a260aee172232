//! A run from beginning to end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use leakcheck_judge::{judge, summarize};
use leakcheck_model::event::EventKind;
use leakcheck_model::{Record, RunResult, Scenario};
use leakcheck_probe::sight::Sight;
use leakcheck_report::RunFolder;
use tokio_util::sync::CancellationToken;

use crate::bring_down::{clear_away, drain, settle_accounts};
use crate::bring_up::bring_up;
use crate::build::{self, FirstLook};
use crate::engine::{self, EngineError};
use crate::journal::{Audience, Journal};
use crate::load::Churn;
use crate::measure::measure;
use crate::scratch::Scratch;
use crate::stage::{Ended, Props, Stage};
use crate::who;

/// What is to be run.
pub struct Request {
    /// The scenario, overrides applied.
    pub scenario: Scenario,
    /// Where run folders go (`reports`).
    pub reports: PathBuf,
    /// The engine's address, if the user named one.
    pub docker_host: Option<String>,
    /// The command that repeats the run.
    pub command: String,
    /// Who listens.
    pub audience: Box<dyn Audience>,
    /// The user's wish to end.
    pub stop: CancellationToken,
    /// If the user ends the measuring after at least this long, that is a normal end with a verdict; without it, any
    /// end by the user is an interruption.
    pub enough: Option<Duration>,
    /// Completes the scenario by what can be seen of the target once it is there.
    pub learn: Option<Learn>,
}

/// Completes a scenario by what can be seen of its target; says what people should know about it.
pub type Learn = Box<dyn FnOnce(&mut Scenario, &Sight) -> Result<Vec<String>, String> + Send + Sync>;

/// What a run came to.
pub struct Outcome {
    /// As in `result.json`.
    pub result: RunResult,
    /// What was judged.
    pub record: Record,
    /// Where everything is.
    pub folder: PathBuf,
}

/// A run that did not begin, or could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The run folder cannot be written.
    #[error(transparent)]
    Record(#[from] leakcheck_report::Error),
    /// The scenario cannot be written as TOML.
    #[error("failed to write the scenario as it is run")]
    Scenario(#[source] leakcheck_model::scenario::WriteError),
    /// What is wanted of the target is not there; nothing was measured, and there is no folder.
    #[error("{0}")]
    Mistaken(String),
    /// Judging or reporting broke, which is a defect of leakcheck.
    #[error("the report broke: {0}")]
    Broken(String),
    /// There is no room for sockets.
    #[error("failed to create a scratch folder at {path}")]
    Scratch {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs a scenario, and leaves nothing behind but its folder.
///
/// # Errors
/// If there is no engine and one is needed, or the record cannot be written. Everything else is a verdict.
pub async fn run(request: Request) -> Result<Outcome, RunError> {
    // Before the engine, which may have to be started itself.
    let first = build::first_look(&request.scenario).await;
    let mut stage = set_up(request, first.as_ref().is_some_and(FirstLook::ends)).await?;
    let walked = walk(&mut stage, first).await;
    let mistake = match &walked {
        Err(Ended::Mistaken(message)) => Some(message.clone()),
        _ => None,
    };
    let written = take_down(&mut stage, walked).await;
    clear_away(&mut stage).await?;
    written?;
    if let Some(message) = mistake {
        stage.journal.discard()?;
        return Err(RunError::Mistaken(message));
    }
    let cost = stage.self_cost();
    stage.journal.event(EventKind::SelfMeasured(cost))?;
    stage.journal.event(EventKind::Finished)?;
    let folder = stage.journal.folder().path().to_owned();
    let record = stage.journal.into_record();
    // Arithmetic and pixels take their time, which belongs to no async thread.
    let reported = tokio::task::spawn_blocking(move || {
        let result = summarize(&record, judge(&record));
        RunFolder::open(&folder)?.write_report(&result, &record)?;
        Ok(Outcome { result, record, folder })
    });
    reported.await.map_err(|error| RunError::Broken(error.to_string()))?
}

/// What a run stands on; one that ends before anything is started needs no engine.
async fn set_up(request: Request, ends: bool) -> Result<Stage, RunError> {
    let run_id = run_id();
    let scratch = Scratch::new(&run_id)?;
    let scenario = request.scenario;
    let asked = request.docker_host.as_deref().or(scenario.engine.host.as_deref());
    let engine = if !ends && (scenario.needs_engine() || asked.is_some()) {
        Some(engine::find(scenario.engine.kind, asked, scratch.path()).await?)
    } else {
        None
    };
    let folder = RunFolder::create(&request.reports, &scenario.name, &run_id)?;
    let text = scenario.to_toml().map_err(RunError::Scenario)?;
    folder.write_scenario(&text)?;
    let mut journal = Journal::new(folder, &scenario, request.audience);
    journal.event(EventKind::RunStarted {
        run_id: run_id.clone(),
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: request.command,
        host: machine(),
    })?;
    if let Some(engine) = &engine {
        journal.event(EventKind::EngineFound(engine.facts.clone()))?;
        if let Some(why) = &engine.fell_back {
            let message = format!("no Docker engine answered ({why}), so the load is simulated");
            journal.warn(leakcheck_model::ReasonCode::EngineUnreachable, message)?;
        }
    }
    let (docker, process) = engine.map_or((None, None), |e| (Some(e.docker), e.process));
    Ok(Stage::new(Props {
        scenario,
        run_id,
        journal,
        docker,
        engine: process,
        stop: request.stop,
        enough: request.enough,
        learn: request.learn,
        scratch,
    }))
}

/// The plan, walked: up, through the judged part, down to the drained target.
async fn walk(stage: &mut Stage, first: Option<FirstLook>) -> Result<(), Ended> {
    build::require(stage, first).await?;
    bring_up(stage).await?;
    who::before(stage).await?;
    let churn = stage.load.as_ref().map(crate::load::Load::begin_churn);
    let measured = measure(stage).await;
    who::at_end(stage).await?;
    build::describe_again(stage).await?;
    match measured {
        Ok(()) | Err(Ended::EarlyFail) => drain(stage, churn).await,
        Err(ended) => {
            end(churn).await;
            Err(ended)
        }
    }
}

async fn end(churn: Option<Churn>) {
    if let Some(churn) = churn {
        churn.end().await;
    }
}

/// Writes down how the walk ended, and counts what can be counted.
async fn take_down(stage: &mut Stage, walked: Result<(), Ended>) -> Result<(), leakcheck_report::Error> {
    match walked {
        Ok(()) | Err(Ended::EarlyFail | Ended::TargetDied | Ended::Mistaken(_)) => {}
        Err(Ended::Interrupted) => stage.journal.event(EventKind::Interrupted)?,
        Err(Ended::Impaired(reason)) => stage.journal.event(EventKind::Impaired { reason })?,
        Err(Ended::Record(error)) => return Err(error),
    }
    settle_accounts(stage).await
}

/// A name that sorts by time and is not taken: date, time, and a few letters of the clock and the process.
fn run_id() -> String {
    let now = jiff::Zoned::now();
    let noise = u64::from(now.timestamp().subsec_nanosecond().unsigned_abs()) ^ (u64::from(std::process::id()) << 20);
    let letters: String = (0..4)
        .map(|i| char::from(b"abcdefghjkmnpqrstuvwxyz23456789"[usize::try_from((noise >> (i * 5)) % 31).unwrap_or(0)]))
        .collect();
    format!("{}-{letters}", now.strftime("%Y%m%d-%H%M%S"))
}

/// The machine, for the report.
fn machine() -> BTreeMap<String, String> {
    let uname = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    BTreeMap::from([
        (
            "kernel".into(),
            format!(
                "{} {}",
                uname.sysname().to_string_lossy(),
                uname.release().to_string_lossy()
            ),
        ),
        ("machine".into(), uname.machine().to_string_lossy().into_owned()),
        ("cores".into(), cores.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::run_id;

    #[test]
    fn a_run_id_is_a_word_of_a_stamp_and_of_a_folder() {
        let id = run_id();
        assert_eq!(id.len(), 20, "{id}");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
    }
}
