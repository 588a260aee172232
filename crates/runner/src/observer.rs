//! Updates for a display while a run goes on.

use leakcheck_model::event::Event;
use leakcheck_model::result::LimitResult;
use leakcheck_model::{Sample, Scenario};

/// One update of a run.
#[derive(Debug)]
pub enum Update<'a> {
    /// An event was recorded.
    Event(&'a Event),
    /// A sample was recorded: column names and row.
    Sample(&'a [String], &'a Sample),
    /// The progress of an activity.
    Progress {
        /// Name of the activity.
        what: &'a str,
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
    },
}

/// A receiver of updates, such as the progress display of the CLI. It must not block.
pub trait RunObserver: Send + Sync {
    /// Receives an update.
    fn update(&mut self, update: Update<'_>);

    /// Returns true to receive [`RunObserver::standings`].
    fn wants_standings(&self) -> bool {
        false
    }

    /// Receives the result of each limit for the measurements so far.
    fn standings(&mut self, _: &[LimitResult]) {}

    /// Receives the scenario once it is completed from the target.
    fn scenario_completed(&mut self, _: &Scenario) {}
}

/// An observer that ignores all updates.
pub struct NoopObserver;

impl RunObserver for NoopObserver {
    fn update(&mut self, _: Update<'_>) {}
}
