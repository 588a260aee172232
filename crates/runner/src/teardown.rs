//! The second half of a run: the load stops, the target drains and stops, lines are checked, everything is removed.

use std::time::Duration;

use leakcheck_model::error_chain;
use leakcheck_model::event::{EventKind, Phase};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::LineChecker;

use crate::abort::RunAbort;
use crate::context::RunContext;
use crate::load::{Load, remove_containers};

/// Share of the load that must be delivered: of the lines, and of the replaced containers.
const MIN_DELIVERED: f64 = 0.8;

/// Time for the simulated engine to stop.
const ENGINE_STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Stops the load and samples while the target returns to its baseline.
///
/// # Errors
/// [`RunAbort`].
pub(crate) async fn drain(ctx: &mut RunContext) -> Result<(), RunAbort> {
    if !ctx.scenario.has_load() {
        return Ok(());
    }
    let (load, mut traffic) = (ctx.sources.load.clone(), ctx.sources.traffic.take());
    let ran_for = load.as_ref().and_then(Load::running_for);
    let stopping = {
        let load = load.clone();
        async move {
            if let Some(load) = &load {
                load.finish_starting().await;
            }
            let shortfall = match &mut traffic {
                Some(traffic) => traffic.stop().await,
                None => None,
            };
            if let Some(load) = &load {
                load.stop().await;
            }
            (traffic, shortfall)
        }
    };
    ctx.recorder.begin_phase(Phase::Drain)?;
    let (traffic, shortfall) = ctx.sample_while("stopping the load", stopping).await?;
    ctx.sources.traffic = traffic;
    if let Some(message) = shortfall {
        ctx.recorder.impaired(ReasonCode::LoadNotDelivered, message)?;
    }
    if let Some(load) = load {
        check_load_volume(ctx, &load, ran_for)?;
    }
    ctx.sample_for("draining", ctx.scenario.schedule.drain.0).await
}

/// Compares the lines that the load wrote, and the containers that it replaced, with the scenario.
fn check_load_volume(ctx: &mut RunContext, load: &Load, ran_for: Option<Duration>) -> Result<(), RunAbort> {
    let account = load.account();
    for error in account.stop_errors.into_iter().chain(account.replacements.errors()) {
        ctx.recorder.warn(ReasonCode::LoadNotDelivered, error)?;
    }
    if let Some(message) = account.replacements.shortfall(MIN_DELIVERED) {
        ctx.recorder.impaired(ReasonCode::LoadNotDelivered, message)?;
    }
    let written: u64 = account.sent.values().map(|s| s.stdout + s.stderr).sum();
    let rate = ctx
        .scenario
        .lines_per_second()
        .filter(|_| ctx.scenario.lines_are_stamped());
    if let Some((rate, ran_for)) = rate.zip(ran_for) {
        let expected = rate * ran_for.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "2^53 lines are never written")]
        if (written as f64) < MIN_DELIVERED * expected {
            let message =
                format!("the load wrote {written} of {expected:.0} lines: engine or machine is too slow for it");
            ctx.recorder.impaired(ReasonCode::LoadNotDelivered, message)?;
        }
    }
    Ok(())
}

/// Stops the target and checks the lines that it delivered.
///
/// # Errors
/// If the record cannot be written; everything else is recorded.
pub(crate) async fn stop_and_check_lines(ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
    if let Some(target) = &mut ctx.sources.target
        && let Some(message) = target.stop().await
    {
        ctx.recorder.warn(ReasonCode::NotDrained, message)?;
    }
    if let (Some(docker), Some(_)) = (&ctx.docker, &ctx.engine)
        && let Ok(dropped @ 1..) = docker.lines_dropped_unread().await
    {
        let message = format!(
            "the simulated engine dropped {dropped} lines from full buffers before their client had read them: lost lines may be \
             among them"
        );
        ctx.recorder.warn(ReasonCode::LinesUnaccounted, message)?;
    }
    check_lines(ctx)?;
    if ctx.scenario.load.is_empty() {
        // Removes an empty folder only; with delivered files in it this fails.
        let _ = std::fs::remove_dir(&ctx.output);
    }
    Ok(())
}

fn check_lines(ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
    let (Some(load), Some(target)) = (&ctx.sources.load, &ctx.sources.target) else {
        return Ok(());
    };
    if !ctx.scenario.lines_checked() || ctx.recorder.phase() != Phase::Drain {
        return Ok(());
    }
    let Some(delivered) = &target.delivered else {
        return Ok(());
    };
    let account = load.account();
    let mut checker = LineChecker::new(&ctx.run_id);
    if let Err(error) = checker.read_all(delivered) {
        let reason = Reason::of(ReasonCode::LinesUnaccounted, "lines", error_chain(&error));
        return ctx.recorder.event(EventKind::Impaired { reason });
    }
    let mut counts = checker.counts(&account.sent);
    counts.unaccounted = counts.unaccounted.max(account.unaccounted.len() as u64);
    let is_clean = counts.lost + counts.duplicated + counts.reordered + counts.torn == 0;
    ctx.recorder.event(EventKind::Lines(counts))?;
    // The collected files are kept as evidence of wrong lines only, because they are large.
    if is_clean && ctx.scenario.target.kind == TargetKind::Capture {
        let _ = std::fs::remove_dir_all(&ctx.output);
    }
    Ok(())
}

/// Removes everything that the run has created: containers by label, child processes, sockets.
///
/// # Errors
/// If the record cannot be written. What cannot be removed is recorded.
pub(crate) async fn cleanup(ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
    if let Some(traffic) = &mut ctx.sources.traffic {
        traffic.stop().await;
    }
    if let Some(target) = &mut ctx.sources.target {
        target.stop().await;
    }
    if let (Some(docker), Some(load)) = (&ctx.docker, &ctx.sources.load) {
        ctx.recorder.progress("removing containers", 0, 1);
        // A create call in flight would otherwise leave its container behind.
        load.finish_starting().await;
        if let Err(error) = remove_containers(docker, Some(&ctx.run_id)).await {
            let message = format!("not every container could be removed: {error}; `leakcheck clean` tries again");
            ctx.recorder.warn(ReasonCode::EngineLost, message)?;
        }
    }
    if let Some(proxy) = &mut ctx.sources.fault_proxy {
        proxy.stop().await;
    }
    if let Some(engine) = &mut ctx.engine {
        engine.stop(ENGINE_STOP_TIMEOUT).await;
    }
    // Faults that began or ended after the last sample.
    ctx.sources.record_faults(&mut ctx.recorder)
}
