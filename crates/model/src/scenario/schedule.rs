//! `[schedule]`: how long, and how often it is looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// The run's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// At least this long before the baseline is taken.
    pub warm_up: HumanDuration,
    /// Length of the judged part.
    pub measure: HumanDuration,
    /// Between samples.
    pub sample_every: HumanDuration,
    /// Between checkpoints, which are labels in the report; every sample counts in the judgement.
    pub checkpoint_every: HumanDuration,
    /// After the load is gone: does the target come back to where it began.
    pub drain: HumanDuration,
    /// A certain fail ends the run; a pass always runs its full length.
    pub early_stop: bool,
    /// An undecided run goes on once, this much longer, before it says inconclusive.
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
