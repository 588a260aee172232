//! The judged part of a run: its planned length, looks on the way, and one extension if it is undecided.

use std::time::Duration;

use leakcheck_judge::interim_analysis::interim_times_s;
use leakcheck_model::Limit;
use leakcheck_model::event::{EventKind, Phase};

use crate::stage::{Ended, Stage};
use crate::who;

/// Between looks at floors and ceilings, whose fail is certain at once.
const PLAIN_LOOK: Duration = Duration::from_secs(5);

/// Measures for the planned length, and once longer if it is undecided. If the user ends it when there is enough for a
/// verdict, that is its end.
///
/// # Errors
/// [`Ended`].
pub(crate) async fn measure(stage: &mut Stage) -> Result<(), Ended> {
    stage.begin(Phase::Measure)?;
    let began = stage.journal.now();
    let ended = as_planned(stage).await;
    let measured_s = stage.journal.now() - began;
    match (ended, stage.enough) {
        (Err(Ended::Interrupted), Some(enough)) if measured_s >= enough.as_secs_f64() => {
            Ok(stage.journal.event(EventKind::EndedByUser { measured_s })?)
        }
        (ended, _) => ended,
    }
}

async fn as_planned(stage: &mut Stage) -> Result<(), Ended> {
    let schedule = stage.scenario.schedule.clone();
    let now = stage.journal.now();
    if let Some(wire) = &mut stage.wire {
        wire.begin(now);
    }
    judged(stage, schedule.measure.0, 0.0).await?;
    if !schedule.extend.0.is_zero() && leakcheck_judge::needs_extension(stage.journal.record()) {
        stage.begin(Phase::Extend)?;
        judged(stage, schedule.extend.0, schedule.measure.as_secs()).await?;
    }
    Ok(())
}

/// Samples for `length`, writes checkpoints down, and ends early on a certain fail. `before_s` were measured already.
async fn judged(stage: &mut Stage, length: Duration, before_s: f64) -> Result<(), Ended> {
    let schedule = stage.scenario.schedule.clone();
    let began = tokio::time::Instant::now();
    let mut checkpoints = Every::new(schedule.checkpoint_every.0);
    let mut plain = Every::new(PLAIN_LOOK);
    let mut looks = looks_within(before_s, length.as_secs_f64(), stage.scenario.rotation_period_s());
    // The last sample belongs to the end of the phase: half a tick more lets it in.
    let end = length + schedule.sample_every.0 / 2;
    loop {
        let elapsed = began.elapsed();
        if elapsed >= end {
            return Ok(());
        }
        let next = checkpoints.next.min(plain.next).min(end);
        stage.sampling_for("measuring", next.saturating_sub(elapsed)).await?;
        let elapsed = began.elapsed();
        let (told, looked) = (checkpoints.is_due(elapsed), plain.is_due(elapsed));
        if told || looked {
            stage.journal.tell_standing();
        }
        if told {
            stage.count_engine().await?;
            checkpoint(stage)?;
            who::at_checkpoint(stage).await?;
        }
        if schedule.early_stop && looked && elapsed + PLAIN_LOOK < length {
            let passed = before_s + elapsed.as_secs_f64();
            let growth = looks.first().is_some_and(|at| *at <= passed);
            looks.retain(|at| *at > passed);
            look(stage, growth, length.saturating_sub(elapsed))?;
        }
    }
}

/// Seconds of the judged part at which growth is looked at in `length_s` of it, of which `before_s` went before.
fn looks_within(before_s: f64, length_s: f64, period_s: Option<f64>) -> Vec<f64> {
    let mut looks = interim_times_s(before_s + length_s, period_s);
    looks.retain(|at| *at > before_s);
    looks
}

fn look(stage: &mut Stage, growth: bool, rest: Duration) -> Result<(), Ended> {
    let asked = |limit: &Limit| growth || !limit.statistic.is_growth();
    let certain = stage
        .journal
        .judged_by(asked, |record| !leakcheck_judge::certain_failures(record).is_empty());
    if !certain {
        return Ok(());
    }
    stage.journal.event(EventKind::StoppedEarly {
        saved_s: rest.as_secs_f64().round(),
    })?;
    Err(Ended::EarlyFail)
}

/// Announces the last sample as a checkpoint.
fn checkpoint(stage: &mut Stage) -> Result<(), Ended> {
    let samples = stage.journal.samples();
    let Some(last) = samples.len().checked_sub(1) else {
        return Ok(());
    };
    let values = samples
        .names
        .iter()
        .zip(&samples.columns)
        .filter_map(|(n, c)| Some((n.clone(), c[last]?)))
        .collect();
    let phase = stage.journal.phase();
    Ok(stage.journal.event(EventKind::Checkpoint { phase, values })?)
}

/// A moment that comes again and again.
struct Every {
    period: Duration,
    next: Duration,
}

impl Every {
    fn new(period: Duration) -> Self {
        Self { period, next: period }
    }

    fn is_due(&mut self, now: Duration) -> bool {
        let due = now >= self.next;
        while now >= self.next {
            self.next += self.period;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planned_length_is_looked_at_each_minute_from_the_second_on() {
        assert_eq!(looks_within(0.0, 300.0, None), [120.0, 180.0, 240.0]);
        assert_eq!(looks_within(0.0, 300.0, Some(45.0)), [180.0, 240.0]);
        assert_eq!(looks_within(0.0, 120.0, None), [0.0; 0]);
    }

    #[test]
    fn an_extension_is_looked_at_to_its_own_end() {
        // Longer than what went before, and shorter.
        assert_eq!(looks_within(120.0, 300.0, None), [180.0, 240.0, 300.0, 360.0]);
        assert_eq!(looks_within(300.0, 120.0, None), [360.0]);
        // Four rotations are counted from the beginning.
        assert_eq!(looks_within(120.0, 300.0, Some(60.0)), [240.0, 300.0, 360.0]);
    }

    #[test]
    fn a_moment_missed_is_not_made_up_for() {
        let mut every = Every::new(Duration::from_secs(5));
        assert!(!every.is_due(Duration::from_secs(4)));
        assert!(every.is_due(Duration::from_secs(17)));
        assert!(!every.is_due(Duration::from_secs(19)));
        assert!(every.is_due(Duration::from_secs(20)));
    }
}
