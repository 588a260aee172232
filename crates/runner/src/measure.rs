//! The judged part of a run: its planned length, interim analyses, and one extension if it is inconclusive.

use std::time::Duration;

use leakcheck_judge::interim_analysis::interim_times_s;
use leakcheck_model::Limit;
use leakcheck_model::event::{EventKind, Phase};

use crate::abort::RunAbort;
use crate::attribution::Attribution;
use crate::context::RunContext;

/// Time between two checks of limits on values, whose failure is certain at once.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Measures for the planned length, and once longer if the result is inconclusive.
///
/// If the user ends the run after at least `min_measured`, the run ends normally there.
///
/// # Errors
/// [`RunAbort`].
pub(crate) async fn measure(
    ctx: &mut RunContext,
    attribution: &mut Attribution,
    min_measured: Option<Duration>,
) -> Result<(), RunAbort> {
    ctx.recorder.begin_phase(Phase::Measure)?;
    let began_s = ctx.recorder.now();
    let result = measure_and_extend(ctx, attribution).await;
    let measured_s = ctx.recorder.now() - began_s;
    match (result, min_measured) {
        (Err(RunAbort::Interrupted), Some(min)) if measured_s >= min.as_secs_f64() => {
            Ok(ctx.recorder.event(EventKind::EndedByUser { measured_s })?)
        }
        (result, _) => result,
    }
}

async fn measure_and_extend(ctx: &mut RunContext, attribution: &mut Attribution) -> Result<(), RunAbort> {
    let schedule = ctx.scenario.schedule.clone();
    let now_s = ctx.recorder.now();
    if let Some(proxy) = &mut ctx.sources.fault_proxy {
        proxy.start_faults(now_s);
    }
    measure_for(ctx, attribution, schedule.measure.0, 0.0).await?;
    if !schedule.extend.0.is_zero() && leakcheck_judge::needs_extension(ctx.recorder.record()) {
        ctx.recorder.begin_phase(Phase::Extend)?;
        measure_for(ctx, attribution, schedule.extend.0, schedule.measure.as_secs()).await?;
    }
    Ok(())
}

/// Samples for `length`, records checkpoints, and ends early once a failure is certain. `before_s` were measured already.
async fn measure_for(
    ctx: &mut RunContext,
    attribution: &mut Attribution,
    length: Duration,
    before_s: f64,
) -> Result<(), RunAbort> {
    let schedule = ctx.scenario.schedule.clone();
    let began = tokio::time::Instant::now();
    let mut checkpoints = Periodic::new(schedule.checkpoint_every.0);
    let mut checks = Periodic::new(CHECK_EVERY);
    let mut interim = interim_times_within(before_s, length.as_secs_f64(), ctx.scenario.rotation_period_s());
    // Half a tick more, so that the last sample falls into the phase.
    let end = length + schedule.sample_every.0 / 2;
    loop {
        let elapsed = began.elapsed();
        if elapsed >= end {
            return Ok(());
        }
        let next = checkpoints.next.min(checks.next).min(end);
        ctx.sample_for("measuring", next.saturating_sub(elapsed)).await?;
        let elapsed = began.elapsed();
        let (is_checkpoint, is_check) = (checkpoints.is_due(elapsed), checks.is_due(elapsed));
        if is_checkpoint || is_check {
            ctx.recorder.show_standings();
        }
        if is_checkpoint {
            ctx.refresh_engine_counts().await?;
            record_checkpoint(ctx)?;
            attribution.at_checkpoint(ctx).await?;
        }
        if schedule.early_stop && is_check && elapsed + CHECK_EVERY < length {
            let measured_s = before_s + elapsed.as_secs_f64();
            let with_growth = interim.first().is_some_and(|at| *at <= measured_s);
            interim.retain(|at| *at > measured_s);
            stop_if_certain(ctx, with_growth, length.saturating_sub(elapsed))?;
        }
    }
}

/// The times of interim analyses, in seconds of the judged part, within `length_s` after `before_s`.
fn interim_times_within(before_s: f64, length_s: f64, period_s: Option<f64>) -> Vec<f64> {
    let mut times = interim_times_s(before_s + length_s, period_s);
    times.retain(|at| *at > before_s);
    times
}

/// Ends the run if a limit is exceeded for certain; limits on growth count only `with_growth`.
fn stop_if_certain(ctx: &mut RunContext, with_growth: bool, remaining: Duration) -> Result<(), RunAbort> {
    let is_checked = |limit: &Limit| with_growth || !limit.statistic.is_growth();
    let is_certain = ctx.recorder.judge_limits(is_checked, |record| {
        !leakcheck_judge::certain_failures(record).is_empty()
    });
    if !is_certain {
        return Ok(());
    }
    let saved_s = remaining.as_secs_f64().round();
    ctx.recorder.event(EventKind::StoppedEarly { saved_s })?;
    Err(RunAbort::EarlyFail)
}

/// Records the last sample as a checkpoint.
fn record_checkpoint(ctx: &mut RunContext) -> Result<(), RunAbort> {
    let samples = ctx.recorder.samples();
    let Some(last) = samples.len().checked_sub(1) else {
        return Ok(());
    };
    let values = samples
        .names
        .iter()
        .zip(&samples.columns)
        .filter_map(|(name, column)| Some((name.clone(), column[last]?)))
        .collect();
    let phase = ctx.recorder.phase();
    Ok(ctx.recorder.event(EventKind::Checkpoint { phase, values })?)
}

/// A recurring time; missed ones are skipped.
struct Periodic {
    period: Duration,
    next: Duration,
}

impl Periodic {
    fn new(period: Duration) -> Self {
        Self { period, next: period }
    }

    fn is_due(&mut self, now: Duration) -> bool {
        let is_due = now >= self.next;
        while now >= self.next {
            self.next += self.period;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_analyses_come_each_minute_from_the_second_on() {
        assert_eq!(interim_times_within(0.0, 300.0, None), [120.0, 180.0, 240.0]);
        assert_eq!(interim_times_within(0.0, 300.0, Some(45.0)), [180.0, 240.0]);
        assert_eq!(interim_times_within(0.0, 120.0, None), [0.0; 0]);
    }

    #[test]
    fn an_extension_has_interim_analyses_to_its_own_end() {
        // Longer than the first part, and shorter.
        assert_eq!(interim_times_within(120.0, 300.0, None), [180.0, 240.0, 300.0, 360.0]);
        assert_eq!(interim_times_within(300.0, 120.0, None), [360.0]);
        // Four rotations are counted from the beginning.
        assert_eq!(interim_times_within(120.0, 300.0, Some(60.0)), [240.0, 300.0, 360.0]);
    }

    #[test]
    fn a_missed_time_is_skipped() {
        let mut periodic = Periodic::new(Duration::from_secs(5));
        assert!(!periodic.is_due(Duration::from_secs(4)));
        assert!(periodic.is_due(Duration::from_secs(17)));
        assert!(!periodic.is_due(Duration::from_secs(19)));
        assert!(periodic.is_due(Duration::from_secs(20)));
    }
}
