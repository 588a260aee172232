//! The second half of a run: the load goes, the target drains and stops, lines are counted, everything is removed.

use std::time::Duration;

use leakcheck_model::event::{EventKind, Phase};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::error_chain;
use leakcheck_probe::Ledger;

use crate::load::{Churn, Load, remove_all};
use crate::stage::{Ended, Stage};

/// Share of the lines asked for that must have been written, for the load to count as delivered.
const DELIVERED: f64 = 0.8;

/// Stops the load and looks whether the target comes back to where it began.
///
/// # Errors
/// [`Ended`].
pub(crate) async fn drain(stage: &mut Stage, churn: Option<Churn>) -> Result<(), Ended> {
    if !stage.scenario.has_load() {
        return Ok(());
    }
    let ran_for = stage.launched_at.map(|at| at.elapsed());
    let (load, mut traffic) = (stage.load.clone(), stage.traffic.take());
    let stopping = {
        let load = load.clone();
        async move {
            if let Some(churn) = churn {
                churn.end().await;
            }
            let complaint = match &mut traffic {
                Some(traffic) => traffic.end().await,
                None => None,
            };
            if let Some(load) = load {
                load.stop().await;
            }
            (traffic, complaint)
        }
    };
    stage.begin(Phase::Drain)?;
    let (traffic, complaint) = stage.sampling_while("stopping the load", stopping).await?;
    stage.traffic = traffic;
    if let Some(message) = complaint {
        let reason = Reason::new(ReasonCode::LoadNotDelivered, message);
        stage.journal.event(EventKind::Impaired { reason })?;
    }
    if let Some(load) = load {
        take_stock(stage, &load, ran_for)?;
    }
    let drain = stage.scenario.schedule.drain.0;
    stage.sampling_for("draining", drain).await
}

/// What the load says it has written, against what was asked of it.
fn take_stock(stage: &mut Stage, load: &Load, ran_for: Option<Duration>) -> Result<(), Ended> {
    let (sent, _, troubles) = load.account();
    for trouble in troubles {
        stage.journal.warn(ReasonCode::LoadNotDelivered, trouble)?;
    }
    let written: u64 = sent.values().map(|s| s.stdout + s.stderr).sum();
    if let (Some(rate), Some(ran_for), true) = (
        stage.scenario.lines_per_second(),
        ran_for,
        stage.scenario.lines_are_stamped(),
    ) {
        let asked = rate * ran_for.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "2^53 lines are never written")]
        if (written as f64) < DELIVERED * asked {
            let message =
                format!("the load wrote {written} lines of {asked:.0} asked for: engine or machine is too slow for it");
            stage.journal.event(EventKind::Impaired {
                reason: Reason::new(ReasonCode::LoadNotDelivered, message),
            })?;
        }
    }
    Ok(())
}

/// Stops the target and counts the lines that it delivered. Never fails: what cannot be done stands in the journal.
pub(crate) async fn settle_accounts(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    if let Some(target) = &mut stage.target
        && let Some(message) = target.stop().await
    {
        stage.journal.warn(ReasonCode::NotDrained, message)?;
    }
    if let (Some(docker), Some(_)) = (&stage.docker, &stage.engine)
        && let Ok(dropped @ 1..) = docker.lines_dropped_unread().await
    {
        let message = format!(
            "the simulated engine had no room left for {dropped} lines that a client followed and had not read: if lines \
             are lost, this is where"
        );
        stage.journal.warn(ReasonCode::LinesUnaccounted, message)?;
    }
    count_lines(stage)?;
    if stage.scenario.load.is_empty() {
        // A folder in which nothing was delivered; it stays, with an error, if something was.
        let _ = std::fs::remove_dir(&stage.output);
    }
    Ok(())
}

fn count_lines(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    let (Some(load), Some(target)) = (&stage.load, &stage.target) else {
        return Ok(());
    };
    if !stage.scenario.lines_checked() || stage.journal.phase() != Phase::Drain {
        return Ok(());
    }
    let Some(delivered) = &target.delivered else {
        return Ok(());
    };
    let (sent, unaccounted, _) = load.account();
    let mut ledger = Ledger::new(&stage.run_id);
    if let Err(error) = ledger.read_all(delivered) {
        let reason = Reason::of(ReasonCode::LinesUnaccounted, "lines", error_chain(&error));
        return stage.journal.event(EventKind::Impaired { reason });
    }
    let mut counts = ledger.counts(&sent);
    counts.unaccounted = counts.unaccounted.max(unaccounted.len() as u64);
    let clean = counts.lost + counts.duplicated + counts.reordered + counts.torn == 0;
    stage.journal.event(EventKind::Lines(counts))?;
    // What was collected is evidence if something is wrong with it, and else only large.
    if clean && stage.scenario.target.kind == TargetKind::Capture {
        let _ = std::fs::remove_dir_all(&stage.output);
    }
    Ok(())
}

/// Removes whatever this run has created: containers by label, processes by handle, sockets by folder. Goes on where
/// one of them resists, and says which.
pub(crate) async fn clear_away(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    if let Some(traffic) = &mut stage.traffic {
        let _ = traffic.end().await;
    }
    if let Some(target) = &mut stage.target {
        let _ = target.stop().await;
    }
    if let (Some(docker), true) = (&stage.docker, stage.load.is_some()) {
        stage.journal.progress("removing containers", 0, 1);
        if let Err(error) = remove_all(docker, Some(&stage.run_id)).await {
            let message = format!("not everything is removed: {error}; `leakcheck clean` tries again");
            stage.journal.warn(ReasonCode::EngineLost, message)?;
        }
    }
    if let Some(wire) = &mut stage.wire {
        wire.cut().await;
    }
    if let Some(engine) = &mut stage.engine {
        let _ = engine.stop(Duration::from_secs(3)).await;
    }
    // What began or ended behind the last sample belongs to the record too.
    stage.hear_wire()?;
    Ok(())
}
