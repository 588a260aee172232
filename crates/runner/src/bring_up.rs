//! The first half of a run: image, target, load, a settled baseline.

use std::path::Path;
use std::time::{Duration, Instant};

use leakcheck_judge::Series;
use leakcheck_judge::stationarity::{Stationarity, test_stationarity};
use leakcheck_model::event::{EventKind, Phase};
use leakcheck_model::limit::Statistic;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::error_chain;

use crate::build;
use crate::host::Host;
use crate::image;
use crate::learn::learn;
use crate::load::{Load, LoadError};
use crate::stage::{Ended, Stage};
use crate::taken::taken;
use crate::target::{Surroundings, Target, TargetError, free_port};
use crate::traffic::Traffic;
use crate::wire::Wire;

/// How long the level without load is looked at.
const IDLE: Duration = Duration::from_secs(3);

/// Between two looks whether the baseline is settled.
const SETTLE_EVERY: Duration = Duration::from_secs(2);

/// The part of the warm-up in which a baseline must lie still.
const SETTLE_WINDOW_S: f64 = 10.0;

/// A target that starts before its load is up before it comes; one that starts after it finds it there.
///
/// # Errors
/// [`Ended`].
pub(crate) async fn bring_up(stage: &mut Stage) -> Result<(), Ended> {
    let before = stage.scenario.has_level_without_load();
    lay_wire(stage)?;
    make_image(stage).await?;
    if before {
        target(stage).await?;
        stage.begin(Phase::Idle)?;
        let idle = IDLE.max(stage.scenario.schedule.sample_every.0 * 3);
        stage.sampling_for("looking at the target without load", idle).await?;
    }
    launch(stage).await?;
    if !before {
        target(stage).await?;
    }
    traffic(stage)?;
    settle(stage).await
}

/// Puts the wire that breaks between engine and target, if there are faults.
fn lay_wire(stage: &mut Stage) -> Result<(), Ended> {
    let Some(docker) = stage.docker.as_ref().filter(|_| !stage.scenario.fault.is_empty()) else {
        return Ok(());
    };
    let socket = stage.scratch.path().join("wire.sock");
    let wire = Wire::lay(&socket, docker.host(), &stage.scenario.fault);
    stage.wire =
        Some(wire.map_err(|error| Ended::Impaired(Reason::new(ReasonCode::EngineUnreachable, error_chain(&error))))?);
    stage.engine_for_target = Some(Host::Unix(socket).to_string());
    Ok(())
}

async fn make_image(stage: &mut Stage) -> Result<(), Ended> {
    let Some(docker) = stage.docker.clone().filter(|_| !stage.scenario.load.is_empty()) else {
        return Ok(());
    };
    let image = if stage.scenario.load.iter().any(|l| l.image.is_none()) {
        stage.journal.progress("load image", 0, 1);
        let (image, made) = image::ensure(&docker)
            .await
            .map_err(|error| Ended::Impaired(Reason::new(ReasonCode::LoadNotDelivered, error_chain(&error))))?;
        stage.journal.event(EventKind::ImageReady {
            image: image.clone(),
            made,
        })?;
        image
    } else {
        String::new()
    };
    stage.load = Some(Load::new(docker, &stage.scenario, &stage.run_id, &image));
    Ok(())
}

async fn launch(stage: &mut Stage) -> Result<(), Ended> {
    let Some(load) = stage.load.clone() else { return Ok(()) };
    stage.begin(Phase::Launch)?;
    let work = {
        let load = load.clone();
        async move { load.launch().await }
    };
    let launched = stage.sampling_while("containers", work).await?;
    let (running, planned) = load.running();
    stage.journal.event(EventKind::Launched { running, planned })?;
    stage.launched_at = Some(Instant::now());
    match launched {
        Ok(()) => Ok(()),
        Err(LoadError::Interrupted) => Err(Ended::Interrupted),
        Err(error) => Err(Ended::Impaired(Reason::new(
            ReasonCode::LoadNotDelivered,
            error.to_string(),
        ))),
    }
}

async fn target(stage: &mut Stage) -> Result<(), Ended> {
    let impaired = |code, message: String| Ended::Impaired(Reason::new(code, message));
    let port =
        free_port().map_err(|e| impaired(ReasonCode::TargetNotReady, format!("no free port on 127.0.0.1: {e}")))?;
    refuse_strangers(stage).await?;
    std::fs::create_dir_all(&stage.output).map_err(|e| {
        impaired(
            ReasonCode::TargetNotReady,
            format!("failed to create {}: {e}", stage.output.display()),
        )
    })?;
    let output = std::path::absolute(&stage.output).unwrap_or_else(|_| stage.output.clone());
    let around = Surroundings {
        engine: stage.engine_for_target.clone(),
        output,
        port,
        run: stage.run_id.clone(),
    };
    let log = stage.journal.folder().target_log();
    let began = Instant::now();
    let brought = Target::bring_up(&stage.scenario, &around, stage.docker.as_ref(), &log).await;
    let mut target = brought.map_err(|error| not_ready(&error))?;
    stage.journal.event(EventKind::TargetStarted(target.facts.clone()))?;
    let ready = tokio::select! {
        ready = target.await_ready() => ready,
        () = stage.stop.cancelled() => {
            stage.target = Some(target);
            return Err(Ended::Interrupted);
        }
    };
    stage.target = Some(target);
    stage.around = Some(around);
    ready.map_err(|error| not_ready(&error))?;
    build::describe(stage).await?;
    learn(stage).await?;
    stage.journal.event(EventKind::TargetReady {
        after_s: began.elapsed().as_secs_f64(),
    })?;
    stage.begin_sampling().await
}

/// Ends the run if somebody else would be taken for the target, and warns where something else is asked of somebody else.
async fn refuse_strangers(stage: &mut Stage) -> Result<(), Ended> {
    for taken in taken(&stage.scenario).await {
        let message = taken.to_string();
        if taken.is_readiness() {
            return Err(Ended::Impaired(Reason::new(ReasonCode::TargetNotReady, message)));
        }
        stage.journal.warn(ReasonCode::TargetNotReady, message)?;
    }
    Ok(())
}

/// Gives the target something to do, if the scenario has work for it.
fn traffic(stage: &mut Stage) -> Result<(), Ended> {
    let (Some(wanted), Some(around)) = (&stage.scenario.traffic, &stage.around) else {
        return Ok(());
    };
    let cwd = stage.scenario.target.cwd.as_deref().map(Path::new);
    let log = stage.journal.folder().traffic_log();
    let begun = Traffic::begin(wanted, cwd, around, &log);
    stage.traffic =
        Some(begun.map_err(|e| Ended::Impaired(Reason::new(ReasonCode::LoadNotDelivered, error_chain(&e))))?);
    Ok(())
}

fn not_ready(error: &TargetError) -> Ended {
    let code = if matches!(error, TargetError::Died { .. }) {
        ReasonCode::TargetDied
    } else {
        ReasonCode::TargetNotReady
    };
    Ended::Impaired(Reason::new(code, error_chain(error)))
}

/// The warm-up, and as much longer (up to the same again) as the limited metrics still fall or rise: a baseline that is
/// settled, not merely later.
async fn settle(stage: &mut Stage) -> Result<(), Ended> {
    stage.begin(Phase::WarmUp)?;
    let warm_up = stage.scenario.schedule.warm_up.0;
    stage.sampling_for("warming up", warm_up).await?;
    let deadline = Instant::now() + warm_up;
    loop {
        let moving = unsettled(stage);
        let Some(metric) = moving else { return Ok(()) };
        if Instant::now() >= deadline {
            let message = format!(
                "`{metric}` was still moving when the warm-up had taken twice its time; the judgement allows for it"
            );
            return Ok(stage.journal.warn(ReasonCode::TooShort, message)?);
        }
        stage
            .sampling_for("waiting for a settled baseline", SETTLE_EVERY)
            .await?;
    }
}

/// A metric with a growth limit that is not settled yet.
fn unsettled(stage: &Stage) -> Option<String> {
    let samples = stage.journal.samples();
    let from =
        stage.journal.now() - SETTLE_WINDOW_S.max(2.0 * stage.scenario.rotation_period_s().unwrap_or(0.0).min(30.0));
    let known = stage.scenario.all_metrics();
    let growing = stage
        .scenario
        .all_limits()
        .into_iter()
        .filter(|(_, l)| l.statistic == Statistic::GrowthPerMin);
    growing.map(|(metric, _)| metric).find(|metric| {
        let (t, v): (Vec<f64>, Vec<f64>) = samples
            .series(metric, |p| p == Phase::WarmUp)
            .filter(|(t, _)| *t >= from)
            .unzip();
        // Memory moves by pages all the time; a count moves by ones.
        let tolerance = known.get(metric).map_or(1.0, |m| m.info().quantum)
            * if known.get(metric).is_some_and(|m| m.info().unit == leakcheck_model::Unit::Bytes) {
                64.0
            } else {
                1.0
            };
        let Ok(series) = Series::new(t, v) else { return false };
        matches!(
            test_stationarity(&series, tolerance),
            Stationarity::Falling { .. } | Stationarity::Rising { .. }
        )
    })
}
