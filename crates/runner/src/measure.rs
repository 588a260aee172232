//! The judged part of a run: its planned length, looks on the way, and one extension if it is undecided.

use std::time::Duration;

use leakcheck_judge::looks::looks_s;
use leakcheck_model::event::{Happening, Phase};

use crate::stage::{Ended, Stage};

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
            Ok(stage.journal.event(Happening::EndedByUser { measured_s })?)
        }
        (ended, _) => ended,
    }
}

async fn as_planned(stage: &mut Stage) -> Result<(), Ended> {
    let schedule = stage.scenario.schedule.clone();
    if let Some(wire) = &stage.wire {
        wire.begin();
    }
    judged(stage, schedule.measure.0, 0.0).await?;
    let record = stage.journal.record(&stage.scenario);
    if !schedule.extend.0.is_zero() && leakcheck_judge::would_more_help(&record) {
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
    let mut looks = looks_s(
        before_s + schedule.measure.as_secs(),
        stage.scenario.rotation_period_s(),
    );
    looks.retain(|at| *at > before_s);
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
        if checkpoints.is_due(elapsed) {
            checkpoint(stage)?;
        }
        if schedule.early_stop && plain.is_due(elapsed) && elapsed + PLAIN_LOOK < length {
            let passed = before_s + elapsed.as_secs_f64();
            let growth = looks.first().is_some_and(|at| *at <= passed);
            looks.retain(|at| *at > passed);
            look(stage, growth, length.saturating_sub(elapsed))?;
        }
    }
}

fn look(stage: &mut Stage, growth: bool, rest: Duration) -> Result<(), Ended> {
    let mut record = stage.journal.record(&stage.scenario);
    if !growth {
        record.limits.retain(|(_, l)| !l.statistic.is_growth());
    }
    if leakcheck_judge::certain_fails(&record).is_empty() {
        return Ok(());
    }
    stage.journal.event(Happening::StoppedEarly {
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
    Ok(stage.journal.event(Happening::Checkpoint { phase, values })?)
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
    fn a_moment_missed_is_not_made_up_for() {
        let mut every = Every::new(Duration::from_secs(5));
        assert!(!every.is_due(Duration::from_secs(4)));
        assert!(every.is_due(Duration::from_secs(17)));
        assert!(!every.is_due(Duration::from_secs(19)));
        assert!(every.is_due(Duration::from_secs(20)));
    }
}
