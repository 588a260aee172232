//! Records a run while it goes on.
//!
//! Every event and sample goes to the run folder first, so that a killed run leaves what it has measured.

use std::time::{Instant, SystemTime};

use leakcheck_model::event::{Event, EventKind, Phase};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Facts, Limit, Record, Sample, Samples, Scenario};
use leakcheck_report::RunFolder;

use crate::observer::{RunObserver, Update};

/// Judging the record for the observer takes at most one part in so many of the time.
const STANDINGS_SHARE: u32 = 50;

/// Clocks that are kept in step by slewing differ by less, in seconds.
const MAX_CLOCK_DIFFERENCE_S: f64 = 5.0;

/// The growing record of one run.
pub(crate) struct RunRecorder {
    folder: RunFolder,
    origin: Instant,
    /// The wall clock at `origin`; `None` once a jump is reported.
    wall_origin: Option<SystemTime>,
    phase: Phase,
    /// The input of the judge. It grows in place, because it is large and read often.
    record: Record,
    next_standings: Instant,
    observer: Box<dyn RunObserver>,
}

impl RunRecorder {
    /// Creates a recorder whose clock starts now.
    #[must_use]
    pub(crate) fn new(folder: RunFolder, scenario: &Scenario, observer: Box<dyn RunObserver>) -> Self {
        Self {
            folder,
            origin: Instant::now(),
            wall_origin: Some(SystemTime::now()),
            phase: Phase::Idle,
            record: Record::from_run(scenario, Samples::default(), Facts::default()),
            next_standings: Instant::now(),
            observer,
        }
    }

    /// Seconds since the run began.
    #[must_use]
    pub(crate) fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }

    /// The current phase.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The samples so far.
    #[must_use]
    pub(crate) fn samples(&self) -> &Samples {
        &self.record.samples
    }

    /// The number of faults that have begun.
    #[must_use]
    pub(crate) fn faults_begun(&self) -> u64 {
        self.record.facts.faults.len() as u64
    }

    /// The run folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The record so far.
    #[must_use]
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Records an event.
    ///
    /// # Errors
    /// If the folder cannot be written: a full disk must not pass for a quiet target.
    pub(crate) fn event(&mut self, kind: EventKind) -> Result<(), leakcheck_report::Error> {
        self.event_at(None, kind)
    }

    /// Records an event that happened at `t_s` of the run's clock, or now.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn event_at(&mut self, t_s: Option<f64>, kind: EventKind) -> Result<(), leakcheck_report::Error> {
        if let EventKind::PhaseBegan { phase } = &kind {
            self.phase = *phase;
        }
        let now = self.now();
        let t_s = t_s.map_or(now, |t_s| t_s.min(now));
        let ago = jiff::SignedDuration::try_from_secs_f64(now - t_s).unwrap_or_default();
        let at = jiff::Timestamp::now();
        let event = Event {
            t_s: round_ms(t_s),
            at: at.checked_sub(ago).unwrap_or(at).to_string(),
            kind,
        };
        self.folder.append_event(&event)?;
        self.observer.update(Update::Event(&event));
        self.record.apply(&event);
        Ok(())
    }

    /// Records the begin of a phase.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn begin_phase(&mut self, phase: Phase) -> Result<(), leakcheck_report::Error> {
        self.event(EventKind::PhaseBegan { phase })
    }

    /// Records a warning.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn warn(&mut self, code: ReasonCode, message: impl Into<String>) -> Result<(), leakcheck_report::Error> {
        let reason = Reason::new(code, message);
        self.event(EventKind::Warning { reason })
    }

    /// Records a reason for which the run cannot pass.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn impaired(
        &mut self,
        code: ReasonCode,
        message: impl Into<String>,
    ) -> Result<(), leakcheck_report::Error> {
        let reason = Reason::new(code, message);
        self.event(EventKind::Impaired { reason })
    }

    /// Replaces the scenario by its completed version.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn complete_scenario(&mut self, scenario: &Scenario, toml: &str) -> Result<(), leakcheck_report::Error> {
        self.folder.write_scenario(toml)?;
        let samples = std::mem::take(&mut self.record.samples);
        self.rebuild_record(scenario, samples);
        self.observer.scenario_completed(scenario);
        Ok(())
    }

    /// Starts the table of samples with these columns.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn begin_samples(
        &mut self,
        scenario: &Scenario,
        names: Vec<String>,
    ) -> Result<(), leakcheck_report::Error> {
        self.folder.begin_samples(&names)?;
        self.rebuild_record(scenario, Samples::new(names));
        Ok(())
    }

    /// Rebuilds the record, whose metrics depend on scenario and columns, and keeps its facts.
    fn rebuild_record(&mut self, scenario: &Scenario, samples: Samples) {
        let facts = std::mem::take(&mut self.record.facts);
        self.record = Record::from_run(scenario, samples, facts);
    }

    /// Records a sample taken at `t_s` of the run's clock.
    ///
    /// # Errors
    /// As [`RunRecorder::event`].
    pub(crate) fn sample(&mut self, t_s: f64, values: Vec<Option<f64>>) -> Result<(), leakcheck_report::Error> {
        self.check_clocks()?;
        let sample = Sample {
            t_s: round_ms(t_s),
            phase: self.phase,
            values,
        };
        self.folder.append_sample(&sample)?;
        self.record.samples.push(&sample);
        self.observer
            .update(Update::Sample(&self.record.samples.names, &sample));
        Ok(())
    }

    /// Records once if the wall clock and the run's clock diverge: stamps and times between samples are wrong then.
    fn check_clocks(&mut self) -> Result<(), leakcheck_report::Error> {
        let Some(wall_origin) = self.wall_origin else {
            return Ok(());
        };
        let wall_s = match SystemTime::now().duration_since(wall_origin) {
            Ok(passed) => passed.as_secs_f64(),
            Err(back) => -back.duration().as_secs_f64(),
        };
        let Some(message) = clock_jump(wall_s, self.now()) else {
            return Ok(());
        };
        self.wall_origin = None;
        self.impaired(ReasonCode::ClockJumped, message)
    }

    /// Shows progress to the observer. It is not recorded.
    pub(crate) fn progress(&mut self, what: &str, done: u64, of: u64) {
        self.observer.update(Update::Progress { what, done, of });
    }

    /// Applies `judge` to the record with the limits that `filter` selects.
    pub(crate) fn judge_limits<T>(&mut self, filter: impl Fn(&Limit) -> bool, judge: impl FnOnce(&Record) -> T) -> T {
        let all = std::mem::take(&mut self.record.limits);
        self.record.limits = all.iter().filter(|(_, limit)| filter(limit)).cloned().collect();
        let result = judge(&self.record);
        self.record.limits = all;
        result
    }

    /// Shows the standing of each limit to the observer, if it wants it and the last time is long enough ago.
    pub(crate) fn show_standings(&mut self) {
        let began = Instant::now();
        if self.observer.wants_standings() && began >= self.next_standings {
            let standings = leakcheck_judge::limit_results(&self.record);
            self.observer.standings(&standings);
            self.next_standings = began + began.elapsed() * STANDINGS_SHARE;
        }
    }

    /// Removes the run folder.
    ///
    /// # Errors
    /// If the folder cannot be removed.
    pub(crate) fn discard(self) -> Result<(), leakcheck_report::Error> {
        self.folder.discard()
    }

    /// Returns the record of the ended run.
    #[must_use]
    pub(crate) fn into_record(self) -> Record {
        self.record
    }
}

/// Describes a jump of the wall clock, given the seconds that both clocks have counted since they started together.
fn clock_jump(wall_s: f64, own_s: f64) -> Option<String> {
    let by_s = wall_s - own_s;
    (by_s.abs() > MAX_CLOCK_DIFFERENCE_S).then(|| {
        let direction = if by_s > 0.0 { "forward" } else { "back" };
        format!(
            "the wall clock jumped {direction} by {:.0} s during the run: it was set, or the machine slept",
            by_s.abs()
        )
    })
}

/// Rounds to milliseconds, which are precise enough and short in a file.
fn round_ms(t_s: f64) -> f64 {
    (t_s * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::clock_jump;

    #[test]
    fn clocks_that_differ_by_more_than_five_seconds_are_reported() {
        assert_eq!(clock_jump(100.0, 100.0), None);
        assert_eq!(clock_jump(105.0, 100.0), None);
        assert_eq!(clock_jump(95.0, 100.0), None);
        assert!(clock_jump(105.1, 100.0).is_some_and(|m| m.contains("forward by 5 s")));
        assert!(clock_jump(-3500.0, 100.0).is_some_and(|m| m.contains("back by 3600 s")));
    }
}
