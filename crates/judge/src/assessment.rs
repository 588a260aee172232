//! What the judge says of one series.

/// One of the four verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The whole interval is inside the limit, and the data could have shown otherwise.
    Pass,
    /// The whole interval is outside the limit.
    Fail,
    /// The data cannot tell.
    Inconclusive,
    /// The data could not have outcome_of.
    Invalid,
}

/// Why the outcome is what it is. Stable: reports and scripts refer to it by [`Code::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Growth is inside the limit.
    WithinLimit,
    /// Growth is above the limit.
    LimitExceeded,
    /// Few checkpoints, but two rises in a row far above the limit.
    ConsecutiveRises,
    /// The interval straddles the limit.
    StraddlesLimit,
    /// The value still falls faster than the limit allows it to rise: it is no baseline yet.
    StillFalling,
    /// Growth was there and stopped in the second half: it may come back.
    GrowthStopped,
    /// The planned length is not reached.
    TooShort,
    /// Fewer rotations than a verdict needs.
    TooFewRotations,
    /// Fewer checkpoints than a verdict needs.
    TooFewSamples,
    /// The rotation's sawtooth may appear as growth at this sampling.
    Aliased,
    /// There is no sample, or too little is left to fit anything.
    NoData,
    /// The spec cannot be answered.
    InvalidSpec,
}

/// A code and the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For machines.
    pub code: Code,
    /// For people: a lower-case fragment.
    pub sentence: String,
}

/// Growth per minute (or per rotation), with an interval: below `low` with the error that a `fail` may spend, above `high`
/// with the error that a `pass` may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Median of the posterior.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Bound below which growth lies with 1 %, whatever the length of the run.
    pub low_99: f64,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Neither growth nor anything else.
    Flat,
    /// Steady growth, or a staircase.
    Linear,
    /// A change of level that stayed.
    Step {
        /// Size, in units of the value.
        size: f64,
        /// Time, seconds.
        at_s: f64,
    },
    /// Two changes of level.
    TwoSteps {
        /// Size of the first.
        first_size: f64,
        /// Time of the first, seconds.
        first_at_s: f64,
        /// Size of the second.
        second_size: f64,
        /// Time of the second, seconds.
        second_at_s: f64,
    },
    /// Growth that began, or grew, at a time.
    LateOnset {
        /// Time, seconds.
        at_s: f64,
        /// Growth before it.
        before: f64,
    },
    /// Growth that ended, or shrank, at a time.
    StoppedGrowing {
        /// Time, seconds.
        at_s: f64,
        /// Growth before it.
        before: f64,
    },
    /// An approach to a level: `size` above where it began (below, if negative).
    WarmUp {
        /// From begin to end, in units of the value.
        size: f64,
        /// Seconds in which 63 % of it are done.
        time_constant_s: f64,
    },
    /// An approach to a level, and a change of level.
    WarmUpAndStep {
        /// From begin to end, in units of the value.
        size: f64,
        /// Seconds in which 63 % of it are done.
        time_constant_s: f64,
        /// Size of the step.
        step_size: f64,
        /// Time of the step, seconds.
        step_at_s: f64,
    },
    /// A swing with the rotation.
    Sawtooth {
        /// Highest minus lowest mean level within a rotation.
        swing: f64,
        /// Seconds.
        period_s: f64,
    },
}

/// A shape and how much of the posterior says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedShape {
    /// What.
    pub shape: Shape,
    /// Share of the posterior; 1 for what was measured rather than believed.
    pub weight: f64,
}

/// Noise of the series, as the planning formulas want it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Long-run variance: integral of the autocovariance, units² · seconds.
    pub s0: f64,
    /// Correlation time, seconds.
    pub tau_s: f64,
}

/// A leak that begins late in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LateLeak {
    /// The run's last so many seconds.
    pub window_s: f64,
    /// The smallest growth per minute that would have been seen beginning there.
    pub per_min: f64,
}

/// Everything that is said of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The verdict.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Growth with its interval; absent if nothing could be fitted.
    pub growth: Option<Growth>,
    /// True if growth above 0 is believed with more than 99 %, whatever the limit.
    pub growing: bool,
    /// Posterior that growth is above the limit.
    pub above_limit: f64,
    /// What was seen, the dominant shape first.
    pub shapes: Vec<WeightedShape>,
    /// Noise of the series; absent if nothing could be fitted.
    pub noise: Option<Noise>,
    /// Smallest growth per minute that a run of this length and noise proves to be above the limit (error 1 %, power 99 %).
    pub smallest_provable_per_min: Option<f64>,
    /// Smallest leak that would have been seen beginning in the last eighth of the run.
    pub smallest_late_leak: Option<LateLeak>,
    /// Effect of one container that was taken out, if the number of containers was given.
    pub per_container: Option<f64>,
}

impl Assessment {
    /// An assessment without figures.
    pub(crate) fn without_figures(outcome: Outcome, code: Code, sentence: String) -> Self {
        Self {
            outcome,
            reason: Reason { code, sentence },
            growth: None,
            growing: false,
            above_limit: f64::NAN,
            shapes: Vec::new(),
            noise: None,
            smallest_provable_per_min: None,
            smallest_late_leak: None,
            per_container: None,
        }
    }
}
