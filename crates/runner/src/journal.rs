//! The record as it grows: every event and sample goes to the folder, to the audience and to the facts, in that order,
//! so that a run that is killed has left what it had measured.

use std::time::{Instant, SystemTime};

use leakcheck_model::event::{Event, EventKind, Phase};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Facts, Limit, Record, Sample, Samples, Scenario};
use leakcheck_report::RunFolder;

/// What an audience is told.
#[derive(Debug)]
pub enum Notice<'a> {
    /// Something happened.
    Event(&'a Event),
    /// A sample was taken: the column names, the row.
    Sample(&'a [String], &'a Sample),
    /// How far something is.
    Progress {
        /// What, in a word or two.
        what: &'a str,
        /// Done.
        done: u64,
        /// Of how many.
        of: u64,
    },
}

/// Who listens while a run goes on: the door's progress display. It must not block.
pub trait Audience: Send + Sync {
    /// Something to show, or to leave.
    fn notice(&mut self, notice: Notice<'_>);

    /// Whether it wants to know how the limits stand while the run goes on.
    fn follows(&self) -> bool {
        false
    }

    /// How each limit stands by what was measured so far.
    fn standing(&mut self, _: &[LimitResult]) {}

    /// The scenario was completed by what was seen of the target.
    fn learned(&mut self, _: &Scenario) {}
}

/// An audience that shows nothing.
pub struct Nobody;

impl Audience for Nobody {
    fn notice(&mut self, _: Notice<'_>) {}
}

/// The record of one run, as it grows.
pub(crate) struct Journal {
    folder: RunFolder,
    origin: Instant,
    /// The wall clock when the run's own began; `None` once it was told that they parted.
    wall_origin: Option<SystemTime>,
    phase: Phase,
    /// What the judge would see now. It grows in place: a copy of a long run would be large, and it is looked at often.
    record: Record,
    next_standing: Instant,
    audience: Box<dyn Audience>,
}

impl Journal {
    /// A journal whose clock begins now.
    #[must_use]
    pub(crate) fn new(folder: RunFolder, scenario: &Scenario, audience: Box<dyn Audience>) -> Self {
        Self {
            folder,
            origin: Instant::now(),
            wall_origin: Some(SystemTime::now()),
            phase: Phase::Idle,
            record: Record::from_run(scenario, Samples::default(), Facts::default()),
            next_standing: Instant::now(),
            audience,
        }
    }

    /// Seconds since the run began.
    #[must_use]
    pub(crate) fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }

    /// What the run is doing.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The samples so far.
    #[must_use]
    pub(crate) fn samples(&self) -> &Samples {
        &self.record.samples
    }

    /// How many faults have begun on the wire.
    #[must_use]
    pub(crate) fn faults_begun(&self) -> u64 {
        self.record.facts.faults.len() as u64
    }

    /// The run's folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Writes down that something happened.
    ///
    /// # Errors
    /// If the folder cannot be written (a full disk must not pass for a quiet target).
    pub(crate) fn event(&mut self, kind: EventKind) -> Result<(), leakcheck_report::Error> {
        self.event_at(None, kind)
    }

    /// Writes down that something happened at `t_s` of the run's clock, which is a little while ago.
    ///
    /// # Errors
    /// As [`Journal::event`].
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
        self.audience.notice(Notice::Event(&event));
        self.record.apply(&event);
        Ok(())
    }

    /// Writes down that people should know something.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn warn(&mut self, code: ReasonCode, message: impl Into<String>) -> Result<(), leakcheck_report::Error> {
        self.event(EventKind::Warning {
            reason: Reason::new(code, message),
        })
    }

    /// Writes the scenario again, completed, and shows it to the audience.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn learned(&mut self, scenario: &Scenario, toml: &str) -> Result<(), leakcheck_report::Error> {
        self.folder.write_scenario(toml)?;
        let samples = std::mem::take(&mut self.record.samples);
        self.begin_record(scenario, samples);
        self.audience.learned(scenario);
        Ok(())
    }

    /// The record anew, with what is known already: which metrics it has depends on the scenario and on the columns.
    fn begin_record(&mut self, scenario: &Scenario, samples: Samples) {
        let facts = std::mem::take(&mut self.record.facts);
        self.record = Record::from_run(scenario, samples, facts);
    }

    /// Begins the table with these columns.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn begin_samples(
        &mut self,
        scenario: &Scenario,
        names: Vec<String>,
    ) -> Result<(), leakcheck_report::Error> {
        self.folder.begin_samples(&names)?;
        self.begin_record(scenario, Samples::new(names));
        Ok(())
    }

    /// Writes down a row, taken at `t_s` of the run's clock.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn sample(&mut self, t_s: f64, values: Vec<Option<f64>>) -> Result<(), leakcheck_report::Error> {
        self.compare_clocks()?;
        let sample = Sample {
            t_s: round_ms(t_s),
            phase: self.phase,
            values,
        };
        self.folder.append_sample(&sample)?;
        self.record.samples.push(&sample);
        self.audience
            .notice(Notice::Sample(&self.record.samples.names, &sample));
        Ok(())
    }

    /// The wall clock against the run's own: one that was set, or a machine that slept, parts them, and then neither the stamps of
    /// lines nor the time between samples is what it seems.
    fn compare_clocks(&mut self) -> Result<(), leakcheck_report::Error> {
        let Some(wall_origin) = self.wall_origin else {
            return Ok(());
        };
        // A wall clock before its own origin went back by all of that.
        let wall_s = match SystemTime::now().duration_since(wall_origin) {
            Ok(passed) => passed.as_secs_f64(),
            Err(back) => -back.duration().as_secs_f64(),
        };
        let Some(message) = parted(wall_s, self.now()) else {
            return Ok(());
        };
        self.wall_origin = None;
        self.event(EventKind::Impaired {
            reason: Reason::new(ReasonCode::ClockJumped, message),
        })
    }

    /// Tells how far something is; not written down.
    pub(crate) fn progress(&mut self, what: &str, done: u64, of: u64) {
        self.audience.notice(Notice::Progress { what, done, of });
    }

    /// The record so far, as the judge sees it.
    #[must_use]
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// What `judge` says of the record if only these limits are asked about.
    pub(crate) fn judged_by<T>(&mut self, asked: impl Fn(&Limit) -> bool, judge: impl FnOnce(&Record) -> T) -> T {
        let all = std::mem::take(&mut self.record.limits);
        self.record.limits = all.iter().filter(|(_, limit)| asked(limit)).cloned().collect();
        let answer = judge(&self.record);
        self.record.limits = all;
        answer
    }

    /// Removes what was written: nothing was measured.
    ///
    /// # Errors
    /// If the folder cannot be removed.
    pub(crate) fn discard(self) -> Result<(), leakcheck_report::Error> {
        self.folder.discard()
    }

    /// Shows the audience how each limit stands, if it follows. A long record takes its time to judge: no more than a
    /// fiftieth of the run's is spent on it.
    pub(crate) fn tell_standing(&mut self) {
        let began = Instant::now();
        if self.audience.follows() && began >= self.next_standing {
            let standing = leakcheck_judge::limit_results(&self.record);
            self.audience.standing(&standing);
            self.next_standing = began + began.elapsed() * 50;
        }
    }

    /// The record as it has become; the run is over.
    #[must_use]
    pub(crate) fn into_record(self) -> Record {
        self.record
    }
}

/// Two clocks that are slewed into step differ by less, seconds.
const CLOCKS_APART_S: f64 = 5.0;

/// What is to be said of a wall clock and the run's own that began together, if they parted.
fn parted(wall_s: f64, own_s: f64) -> Option<String> {
    let by_s = wall_s - own_s;
    (by_s.abs() > CLOCKS_APART_S).then(|| {
        let way = if by_s > 0.0 { "forward" } else { "back" };
        format!(
            "the wall clock jumped {way} by {:.0} s during the run: it was set, or the machine slept",
            by_s.abs()
        )
    })
}

/// Milliseconds are enough, and short in a file.
fn round_ms(t_s: f64) -> f64 {
    (t_s * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::parted;

    #[test]
    fn clocks_that_part_by_more_than_five_seconds_are_told() {
        assert_eq!(parted(100.0, 100.0), None);
        assert_eq!(parted(105.0, 100.0), None);
        assert_eq!(parted(95.0, 100.0), None);
        assert!(parted(105.1, 100.0).is_some_and(|m| m.contains("forward by 5 s")));
        assert!(parted(-3500.0, 100.0).is_some_and(|m| m.contains("back by 3600 s")));
    }
}
