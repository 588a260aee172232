//! `[schedule]`: the lengths of the phases, and the sampling interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// The lengths of the phases, and the sampling interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Minimum time for the target to settle before the baseline is taken.
    pub warm_up: HumanDuration,
    /// Length of the judged part.
    pub measure: HumanDuration,
    /// Interval between samples.
    pub sample_every: HumanDuration,
    /// Interval between checkpoints, the rows of the report's table. Every sample is judged.
    pub checkpoint_every: HumanDuration,
    /// Time after the load was removed, in which the target should return to its initial level.
    pub drain: HumanDuration,
    /// Ends the run once a failure is certain. A passing run always has its full length.
    pub early_stop: bool,
    /// One-time extension of the judged part when the result is inconclusive.
    pub extend: HumanDuration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            warm_up: HumanDuration::seconds(30),
            measure: HumanDuration::seconds(300),
            sample_every: HumanDuration::seconds(1),
            checkpoint_every: HumanDuration::seconds(30),
            drain: HumanDuration::seconds(15),
            early_stop: true,
            extend: HumanDuration::seconds(120),
        }
    }
}
