//! The promises of a schedule that a verdict depends on.

/// The planned length, sampling and load of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// Length of the judged part, in seconds.
    pub measure_s: f64,
    /// Longest possible judged part, with its extension, in seconds.
    pub max_s: f64,
    /// Ends the run once a failure is certain, and so allows interim analyses.
    pub early_stop: bool,
    /// Seconds between samples.
    pub sample_every_s: f64,
    /// Seconds between checkpoints.
    pub checkpoint_every_s: f64,
    /// Containers in all load groups.
    pub containers: u64,
    /// Rotations a second of all containers together, if the target rotates its streams.
    pub rotations_per_s: Option<f64>,
    /// The line check can be made.
    pub lines_checked: bool,
}

impl RunPlan {
    /// Shortens the judged part to `measured_s`, for a run that the user ended.
    pub fn end_at(&mut self, measured_s: f64) {
        self.measure_s = self.measure_s.min(measured_s);
        self.max_s = self.max_s.min(measured_s).max(self.measure_s);
    }
}
