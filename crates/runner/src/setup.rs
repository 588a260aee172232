//! The first half of a run: load image, target, load, warm-up.

use std::path::Path;
use std::time::{Duration, Instant};

use leakcheck_judge::Series;
use leakcheck_judge::stationarity::{Stationarity, test_stationarity};
use leakcheck_model::event::{EventKind, Phase};
use leakcheck_model::limit::Statistic;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_model::{Unit, error_chain};
use leakcheck_probe::build::BuildFinding;
use tracing::Instrument as _;

use crate::abort::RunAbort;
use crate::autodetect::{Autodetect, autodetect};
use crate::build;
use crate::context::RunContext;
use crate::engine_address::EngineAddress;
use crate::fault_proxy::FaultProxy;
use crate::image;
use crate::load::{Load, LoadError};
use crate::port_conflict::port_conflicts;
use crate::target::{Target, TargetError, free_port};
use crate::target_env::TargetEnv;
use crate::traffic::Traffic;

/// Length of the phase without load.
const IDLE: Duration = Duration::from_secs(3);

/// Pause between two checks for a stationary baseline.
const STATIONARITY_EVERY: Duration = Duration::from_secs(2);

/// Length of the end of the warm-up that must be stationary, in seconds.
const STATIONARY_S: f64 = 10.0;

/// Rotations lengthen that window up to this many seconds each.
const MAX_ROTATION_S: f64 = 30.0;

/// Memory moves by many pages at once, where a count moves by one.
const MEMORY_TOLERANCE_QUANTA: f64 = 64.0;

/// The results of earlier steps, and options of the request, that the set-up needs.
#[derive(Default)]
pub(crate) struct SetupInput {
    /// Completes the scenario from the running target.
    pub autodetect: Option<Autodetect>,
    /// Findings about the target's build from before it was started.
    pub build_findings: Vec<BuildFinding>,
}

/// Starts everything that the scenario needs and waits for a stationary baseline.
///
/// # Errors
/// [`RunAbort`].
pub(crate) async fn setup(ctx: &mut RunContext, input: SetupInput) -> Result<(), RunAbort> {
    let engine = start_fault_proxy(ctx)?;
    prepare_load(ctx).await?;
    // With a level without load, the target must start before the load.
    let env = if ctx.scenario.has_level_without_load() {
        let env = start_target(ctx, engine, input).await?;
        ctx.recorder.begin_phase(Phase::Idle)?;
        let idle = IDLE.max(ctx.scenario.schedule.sample_every.0 * 3);
        ctx.sample_for("measuring the target without load", idle).await?;
        launch_load(ctx).await?;
        env
    } else {
        launch_load(ctx).await?;
        start_target(ctx, engine, input).await?
    };
    start_traffic(ctx, &env)?;
    warm_up(ctx).instrument(tracing::info_span!("warm-up")).await
}

/// Starts the fault proxy, if there are faults. Returns the engine's address for the target, which may be the proxy's.
fn start_fault_proxy(ctx: &mut RunContext) -> Result<Option<String>, RunAbort> {
    let Some(docker) = &ctx.docker else { return Ok(None) };
    if ctx.scenario.fault.is_empty() {
        return Ok(Some(docker.address().to_string()));
    }
    let socket = ctx.scratch.path().join("proxy.sock");
    let proxy = FaultProxy::start(&socket, docker.address(), &ctx.scenario.fault)
        .map_err(|error| RunAbort::impaired(ReasonCode::EngineUnreachable, error_chain(&error)))?;
    ctx.sources.fault_proxy = Some(proxy);
    Ok(Some(EngineAddress::Unix(socket).to_string()))
}

/// Prepares the load, with its image if a group has none of its own.
async fn prepare_load(ctx: &mut RunContext) -> Result<(), RunAbort> {
    let Some(docker) = ctx.docker.clone().filter(|_| !ctx.scenario.load.is_empty()) else {
        return Ok(());
    };
    let needs_image = ctx.scenario.load.iter().any(|l| l.image.is_none());
    let image = if needs_image {
        ctx.recorder.progress("load image", 0, 1);
        let (image, made) = image::ensure(&docker)
            .await
            .map_err(|error| RunAbort::impaired(ReasonCode::LoadNotDelivered, error_chain(&error)))?;
        let event = EventKind::ImageReady {
            image: image.clone(),
            made,
        };
        ctx.recorder.event(event)?;
        image
    } else {
        String::new()
    };
    ctx.sources.load = Some(Load::new(docker, &ctx.scenario, &ctx.run_id, &image));
    Ok(())
}

async fn launch_load(ctx: &mut RunContext) -> Result<(), RunAbort> {
    let Some(load) = ctx.sources.load.clone() else {
        return Ok(());
    };
    ctx.recorder.begin_phase(Phase::Launch)?;
    let launched = ctx.sample_while("containers", load.launch()).await?;
    let (running, planned) = load.running();
    ctx.recorder.event(EventKind::Launched { running, planned })?;
    launched.map_err(|error| match error {
        LoadError::Interrupted => RunAbort::Interrupted,
        LoadError::Start { .. } => RunAbort::impaired(ReasonCode::LoadNotDelivered, error.to_string()),
    })
}

/// Starts the target, waits until it is ready, and begins to sample it.
async fn start_target(ctx: &mut RunContext, engine: Option<String>, input: SetupInput) -> Result<TargetEnv, RunAbort> {
    let not_ready = |message: String| RunAbort::impaired(ReasonCode::TargetNotReady, message);
    let port = free_port().map_err(|e| not_ready(format!("no free port on 127.0.0.1: {e}")))?;
    report_port_conflicts(ctx).await?;
    std::fs::create_dir_all(&ctx.output)
        .map_err(|e| not_ready(format!("failed to create {}: {e}", ctx.output.display())))?;
    let env = TargetEnv {
        engine,
        output: std::path::absolute(&ctx.output).unwrap_or_else(|_| ctx.output.clone()),
        port,
        run: ctx.run_id.clone(),
    };
    let log = ctx.recorder.folder().target_log();
    let began = Instant::now();
    let started = Target::start(&ctx.scenario, &env, ctx.docker.as_ref(), &log).await;
    let target = started.map_err(|error| target_failed(&error))?;
    ctx.recorder.event(EventKind::TargetStarted(target.facts.clone()))?;
    let ready = tokio::select! {
        ready = ctx.sources.target.insert(target).wait_ready() => ready,
        () = ctx.stop.cancelled() => return Err(RunAbort::Interrupted),
    };
    ready.map_err(|error| target_failed(&error))?;
    build::describe(ctx, &input.build_findings).await?;
    if let Some(complete) = input.autodetect {
        autodetect(ctx, complete).await?;
    }
    let after_s = began.elapsed().as_secs_f64();
    ctx.recorder.event(EventKind::TargetReady { after_s })?;
    ctx.start_sampling().await?;
    Ok(env)
}

/// Ends the run if another process serves the port of the readiness check, and warns of other ports in use.
async fn report_port_conflicts(ctx: &mut RunContext) -> Result<(), RunAbort> {
    for conflict in port_conflicts(&ctx.scenario).await {
        let message = conflict.to_string();
        if conflict.is_readiness() {
            return Err(RunAbort::impaired(ReasonCode::TargetNotReady, message));
        }
        ctx.recorder.warn(ReasonCode::TargetNotReady, message)?;
    }
    Ok(())
}

fn target_failed(error: &TargetError) -> RunAbort {
    let code = if matches!(error, TargetError::Died { .. }) {
        ReasonCode::TargetDied
    } else {
        ReasonCode::TargetNotReady
    };
    RunAbort::impaired(code, error_chain(error))
}

fn start_traffic(ctx: &mut RunContext, env: &TargetEnv) -> Result<(), RunAbort> {
    let Some(settings) = &ctx.scenario.traffic else {
        return Ok(());
    };
    let cwd = ctx.scenario.target.cwd.as_deref().map(Path::new);
    let log = ctx.recorder.folder().traffic_log();
    let traffic = Traffic::start(settings, cwd, env, &log)
        .map_err(|error| RunAbort::impaired(ReasonCode::LoadNotDelivered, error_chain(&error)))?;
    ctx.sources.traffic = Some(traffic);
    Ok(())
}

/// Samples for the warm-up, and up to the same time again while a limited metric is not stationary.
async fn warm_up(ctx: &mut RunContext) -> Result<(), RunAbort> {
    ctx.recorder.begin_phase(Phase::WarmUp)?;
    let warm_up = ctx.scenario.schedule.warm_up.0;
    ctx.sample_for("warming up", warm_up).await?;
    let deadline = Instant::now() + warm_up;
    while let Some(metric) = moving_metric(ctx) {
        if Instant::now() >= deadline {
            let message = format!("`{metric}` was still moving after twice the warm-up; the judgement allows for it");
            ctx.recorder.warn(ReasonCode::TooShort, message)?;
            break;
        }
        ctx.sample_for("waiting for a stationary baseline", STATIONARITY_EVERY)
            .await?;
    }
    Ok(())
}

/// Returns a metric with a growth limit that is not stationary yet.
fn moving_metric(ctx: &RunContext) -> Option<String> {
    let rotation_s = ctx.scenario.rotation_period_s().unwrap_or(0.0).min(MAX_ROTATION_S);
    let from_s = ctx.recorder.now() - STATIONARY_S.max(2.0 * rotation_s);
    let metrics = ctx.scenario.all_metrics();
    let limits = ctx.scenario.all_limits().into_iter();
    let growing = limits.filter(|(_, limit)| limit.statistic == Statistic::GrowthPerMin);
    growing.map(|(metric, _)| metric).find(|metric| {
        let (t, v): (Vec<f64>, Vec<f64>) = ctx
            .recorder
            .samples()
            .series(metric, |p| p == Phase::WarmUp)
            .filter(|(t, _)| *t >= from_s)
            .unzip();
        let tolerance = metrics.get(metric).map_or(1.0, |metric| {
            let info = metric.info();
            let quanta = if info.unit == Unit::Bytes {
                MEMORY_TOLERANCE_QUANTA
            } else {
                1.0
            };
            info.quantum * quanta
        });
        let Ok(series) = Series::new(t, v) else { return false };
        matches!(
            test_stationarity(&series, tolerance),
            Stationarity::Falling { .. } | Stationarity::Rising { .. }
        )
    })
}
