//! A run from beginning to end.

use std::path::PathBuf;
use std::time::Duration;

use leakcheck_judge::{judge, summarize};
use leakcheck_model::event::EventKind;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_model::{Record, RunResult, Scenario};
use leakcheck_report::{IncompleteReport, RunFolder};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};

use crate::abort::RunAbort;
use crate::attribution::Attribution;
use crate::autodetect::Autodetect;
use crate::build;
use crate::build::before::{BuildCheck, check_before_start, require};
use crate::context::RunContext;
use crate::engine::{self, Engine, EngineError};
use crate::measure::measure;
use crate::observer::RunObserver;
use crate::recorder::RunRecorder;
use crate::run_info::{host_facts, new_run_id};
use crate::sampling::{Sampling, Sources};
use crate::scratch::{Scratch, ScratchError};
use crate::setup::{SetupInput, setup};
use crate::teardown::{cleanup, drain, stop_and_check_lines};

/// A request to run a scenario.
pub struct Request {
    /// The scenario, with overrides applied.
    pub scenario: Scenario,
    /// Parent of the run folders (`reports`).
    pub reports: PathBuf,
    /// The engine's address, if the user gave one.
    pub docker_host: Option<String>,
    /// The command that repeats the run.
    pub command: String,
    /// Receiver of updates.
    pub observer: Box<dyn RunObserver>,
    /// Cancelled when the user ends the run.
    pub stop: CancellationToken,
    /// Time after which the user's end is a normal end with a verdict. `None` makes it always an interruption.
    pub min_measured: Option<Duration>,
    /// Completes the scenario from the running target.
    pub autodetect: Option<Autodetect>,
}

/// The outcome of a run.
pub struct Outcome {
    /// The content of `result.json`.
    pub result: RunResult,
    /// The judged record.
    pub record: Record,
    /// The run folder.
    pub folder: PathBuf,
    /// The error if a file of the report could not be written. The verdict does not depend on it.
    pub report_error: Option<IncompleteReport>,
}

/// A run without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No engine answers.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The record cannot be written.
    #[error(transparent)]
    RunFolder(#[from] leakcheck_report::Error),
    /// The scenario cannot be written as TOML.
    #[error("failed to write the scenario")]
    Scenario(#[source] leakcheck_model::scenario::WriteError),
    /// The request is wrong for this target. Nothing was measured, and the run folder is removed.
    #[error("{0}")]
    Usage(String),
    /// Judging or reporting panicked, a defect of leakcheck.
    #[error("the report failed: {0}")]
    Internal(String),
    /// There is no folder for sockets.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

/// Runs a scenario, and leaves nothing behind but the run folder.
///
/// # Errors
/// If no engine answers and one is needed, or the record cannot be written. Everything else is a verdict.
pub async fn run(mut request: Request) -> Result<Outcome, RunError> {
    // Before the engine, which may have to be started.
    let build_check = check_before_start(&request.scenario).await;
    let (autodetect, min_measured) = (request.autodetect.take(), request.min_measured);
    let mut ctx = open(request, build_check.as_ref()).await?;
    let ended = run_phases(&mut ctx, build_check, autodetect, min_measured).await;
    let usage_error = close(&mut ctx, ended).instrument(info_span!("teardown")).await?;
    if let Some(message) = usage_error {
        ctx.recorder.discard()?;
        return Err(RunError::Usage(message));
    }
    ctx.recorder.event(EventKind::SelfMeasured(ctx.sampling.cost()))?;
    ctx.recorder.event(EventKind::Finished)?;
    report(ctx.recorder).await
}

/// Finds the engine and creates the run folder. A run that ends with the build check needs no engine.
async fn open(request: Request, build_check: Option<&BuildCheck>) -> Result<RunContext, RunError> {
    let run_id = new_run_id();
    let scratch = Scratch::new(&run_id)?;
    let scenario = request.scenario;
    let address = request.docker_host.as_deref().or(scenario.engine.host.as_deref());
    let is_engine_used = scenario.needs_engine() || address.is_some();
    let engine = if is_engine_used && !build_check.is_some_and(BuildCheck::is_broken) {
        Some(engine::find(scenario.engine.kind, address, scratch.path()).await?)
    } else {
        None
    };
    let folder = RunFolder::create(&request.reports, &scenario.name, &run_id)?;
    folder.write_scenario(&scenario.to_toml().map_err(RunError::Scenario)?)?;
    let mut recorder = RunRecorder::new(folder, &scenario, request.observer);
    recorder.event(EventKind::RunStarted {
        run_id: run_id.clone(),
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: request.command,
        host: host_facts(),
    })?;
    if let Some(engine) = &engine {
        record_engine(&mut recorder, engine)?;
    }
    let (docker, engine) = engine.map_or((None, None), |engine| (Some(engine.docker), engine.process));
    Ok(RunContext {
        sampling: Sampling::new(scenario.schedule.sample_every.0),
        sources: Sources::default(),
        output: recorder.folder().path().join("delivered"),
        scenario,
        run_id,
        stop: request.stop,
        recorder,
        docker,
        engine,
        scratch,
    })
}

fn record_engine(recorder: &mut RunRecorder, engine: &Engine) -> Result<(), leakcheck_report::Error> {
    recorder.event(EventKind::EngineFound(engine.facts.clone()))?;
    let Some(reason) = &engine.fallback_reason else {
        return Ok(());
    };
    let message = format!("no Docker engine answered ({reason}), so the load is simulated");
    recorder.warn(ReasonCode::EngineUnreachable, message)
}

/// Runs the phases from the build check to the drained target.
async fn run_phases(
    ctx: &mut RunContext,
    build_check: Option<BuildCheck>,
    autodetect: Option<Autodetect>,
    min_measured: Option<Duration>,
) -> Result<(), RunAbort> {
    let build_findings = require(ctx, build_check).await?;
    let input = SetupInput {
        autodetect,
        build_findings,
    };
    setup(ctx, input).instrument(info_span!("setup")).await?;
    let mut attribution = Attribution::take_baseline(ctx).await?;
    if let Some(load) = &ctx.sources.load {
        load.start_churn();
    }
    let measured = measure(ctx, &mut attribution, min_measured)
        .instrument(info_span!("measure"))
        .await;
    attribution.at_end(ctx).await?;
    build::check_again(ctx).await?;
    match measured {
        Ok(()) | Err(RunAbort::EarlyFail) => drain(ctx).instrument(info_span!("drain")).await,
        Err(abort) => Err(abort),
    }
}

/// Records how the phases ended, checks the lines, and removes what the run created. Returns the message of a wrong request.
async fn close(ctx: &mut RunContext, ended: Result<(), RunAbort>) -> Result<Option<String>, leakcheck_report::Error> {
    let recorded = match &ended {
        Err(RunAbort::Interrupted) => ctx.recorder.event(EventKind::Interrupted),
        Err(RunAbort::Impaired(reason)) => {
            let reason = reason.clone();
            ctx.recorder.event(EventKind::Impaired { reason })
        }
        _ => Ok(()),
    };
    let checked = match recorded {
        Ok(()) => stop_and_check_lines(ctx).await,
        Err(error) => Err(error),
    };
    cleanup(ctx).await?;
    checked?;
    match ended {
        Err(RunAbort::RunFolder(error)) => Err(error),
        Err(RunAbort::Usage(message)) => Ok(Some(message)),
        _ => Ok(None),
    }
}

/// Judges the record and writes the reports, off the async threads.
async fn report(recorder: RunRecorder) -> Result<Outcome, RunError> {
    let folder = recorder.folder().path().to_owned();
    let record = recorder.into_record();
    let reporting = tokio::task::spawn_blocking(move || {
        let result = summarize(&record, judge(&record));
        let written = RunFolder::open(&folder)
            .map_err(IncompleteReport::from)
            .and_then(|folder| folder.write_report(&result, &record));
        Outcome {
            result,
            record,
            folder,
            report_error: written.err(),
        }
    });
    reporting.await.map_err(|error| RunError::Internal(error.to_string()))
}
