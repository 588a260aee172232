//! The record as it grows: every event and sample goes to the folder, to the audience and to the facts, in that order,
//! so that a run that is killed has left what it had measured.

use std::time::Instant;

use leakcheck_model::event::{Event, Happening, Phase};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::{Facts, Record, Sample, Samples, Scenario};
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
    phase: Phase,
    facts: Facts,
    samples: Samples,
    audience: Box<dyn Audience>,
}

impl Journal {
    /// A journal whose clock begins now.
    #[must_use]
    pub(crate) fn new(folder: RunFolder, audience: Box<dyn Audience>) -> Self {
        Self {
            folder,
            origin: Instant::now(),
            phase: Phase::Idle,
            facts: Facts::default(),
            samples: Samples::default(),
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
        &self.samples
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
    pub(crate) fn event(&mut self, what: Happening) -> Result<(), leakcheck_report::Error> {
        if let Happening::PhaseBegan { phase } = &what {
            self.phase = *phase;
        }
        let event = Event {
            t_s: round_ms(self.now()),
            at: jiff::Timestamp::now().to_string(),
            what,
        };
        self.folder.append_event(&event)?;
        self.audience.notice(Notice::Event(&event));
        self.facts.learn(&event);
        Ok(())
    }

    /// Writes down that people should know something.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn warn(&mut self, code: ReasonCode, message: impl Into<String>) -> Result<(), leakcheck_report::Error> {
        self.event(Happening::Warning {
            reason: Reason::new(code, message),
        })
    }

    /// Writes the scenario again, completed, and shows it to the audience.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn learned(&mut self, scenario: &Scenario, toml: &str) -> Result<(), leakcheck_report::Error> {
        self.folder.write_scenario(toml)?;
        self.audience.learned(scenario);
        Ok(())
    }

    /// Begins the table with these columns.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn begin_samples(&mut self, names: Vec<String>) -> Result<(), leakcheck_report::Error> {
        self.folder.begin_samples(&names)?;
        self.samples = Samples::new(names);
        Ok(())
    }

    /// Writes down a row, taken at `t_s` of the run's clock.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub(crate) fn sample(&mut self, t_s: f64, values: Vec<Option<f64>>) -> Result<(), leakcheck_report::Error> {
        let sample = Sample {
            t_s: round_ms(t_s),
            phase: self.phase,
            values,
        };
        self.folder.append_sample(&sample)?;
        self.samples.push(&sample);
        self.audience.notice(Notice::Sample(&self.samples.names, &sample));
        Ok(())
    }

    /// Tells how far something is; not written down.
    pub(crate) fn progress(&mut self, what: &str, done: u64, of: u64) {
        self.audience.notice(Notice::Progress { what, done, of });
    }

    /// The record so far, as the judge sees it.
    #[must_use]
    pub(crate) fn record(&self, scenario: &Scenario) -> Record {
        Record::of_run(scenario, self.samples.clone(), self.facts.clone())
    }
}

/// Milliseconds are enough, and short in a file.
fn round_ms(t_s: f64) -> f64 {
    (t_s * 1000.0).round() / 1000.0
}
