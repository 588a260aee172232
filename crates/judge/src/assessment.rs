//! The result for one series.

/// The verdict on one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The whole interval is below the limit, and the data could have shown otherwise.
    Pass,
    /// The whole interval is above the limit.
    Fail,
    /// The data do not decide.
    Inconclusive,
    /// The data could not have shown a leak.
    Invalid,
}

/// The reason for an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Growth is inside the limit.
    WithinLimit,
    /// Growth is above the limit.
    LimitExceeded,
    /// Few checkpoints, but two consecutive rises far above the limit.
    ConsecutiveRises,
    /// The interval straddles the limit.
    StraddlesLimit,
    /// The value still falls faster than the limit allows it to rise, so there is no baseline yet.
    StillFalling,
    /// The value grew and stopped growing in the second half of the run; it may grow again.
    GrowthStopped,
    /// The run is shorter than planned or than needed.
    TooShort,
    /// Too few rotations for a verdict.
    TooFewRotations,
    /// Too few checkpoints for a verdict.
    TooFewSamples,
    /// At this sampling, the sawtooth of the rotation may look like growth.
    Aliased,
    /// No samples, or too few to fit anything.
    NoData,
    /// The test specification is invalid.
    InvalidSpec,
}

/// A reason code with a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The reason code.
    pub code: Code,
    /// A lower-case fragment for people.
    pub sentence: String,
}

/// Growth per minute (or per rotation) with its interval.
///
/// The growth lies below `low` with the error probability that a `fail` may spend, and above `high` with the one that
/// a `pass` may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Posterior median.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Lower 1 % bound, whatever the length of the run.
    pub low_99: f64,
}

/// The form of a series over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// No growth and no other change.
    Flat,
    /// Steady growth, or a staircase.
    Linear,
    /// A lasting change of level.
    Step {
        /// Size, in units of the value.
        size: f64,
        /// Time of the step, seconds.
        at_s: f64,
    },
    /// Two lasting changes of level.
    TwoSteps {
        /// Size of the first step.
        first_size: f64,
        /// Time of the first step, seconds.
        first_at_s: f64,
        /// Size of the second step.
        second_size: f64,
        /// Time of the second step, seconds.
        second_at_s: f64,
    },
    /// Growth that began or increased during the run.
    LateOnset {
        /// Time of the change, seconds.
        at_s: f64,
        /// Growth before the change.
        before: f64,
    },
    /// Growth that ended or decreased during the run.
    StoppedGrowing {
        /// Time of the change, seconds.
        at_s: f64,
        /// Growth before the change.
        before: f64,
    },
    /// An exponential approach to a level.
    WarmUp {
        /// Total change, in units of the value; negative if the value falls.
        size: f64,
        /// Time after which 63 % of the change is done, seconds.
        time_constant_s: f64,
    },
    /// An exponential approach to a level, and a step.
    WarmUpAndStep {
        /// Total change of the approach, in units of the value.
        size: f64,
        /// Time after which 63 % of the approach is done, seconds.
        time_constant_s: f64,
        /// Size of the step.
        step_size: f64,
        /// Time of the step, seconds.
        step_at_s: f64,
    },
    /// A periodic swing with the rotation.
    Sawtooth {
        /// Highest minus lowest mean level within a rotation.
        swing: f64,
        /// Period, seconds.
        period_s: f64,
    },
}

/// A shape and its posterior probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedShape {
    /// The shape.
    pub shape: Shape,
    /// Posterior probability; 1 for a sawtooth, which is measured.
    pub weight: f64,
}

/// The noise of a series, as the power formulas take it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseEstimate {
    /// Long-run variance S₀: the integral of the autocovariance, units² · seconds.
    pub s0: f64,
    /// Correlation time, seconds.
    pub tau_s: f64,
}

/// The sensitivity to a leak that begins late in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LateLeak {
    /// Length of the last part of the run, seconds.
    pub window_s: f64,
    /// Smallest growth per minute, beginning with that part, that the run would have detected.
    pub per_min: f64,
}

/// The result of [`crate::assess`].
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The verdict.
    pub outcome: Outcome,
    /// The reason for the verdict.
    pub reason: Reason,
    /// Growth with its interval; `None` if nothing could be fitted.
    pub growth: Option<Growth>,
    /// True if the posterior probability of growth above 0 exceeds 99 %.
    pub growing: bool,
    /// Posterior probability that growth is above the limit.
    pub above_limit: f64,
    /// Shapes of the series, the dominant one first.
    pub shapes: Vec<WeightedShape>,
    /// Noise of the series; `None` if nothing could be fitted.
    pub noise: Option<NoiseEstimate>,
    /// Smallest growth per minute that a run of this length and noise can prove to be above the limit (error 1 %,
    /// power 99 %).
    pub smallest_provable_per_min: Option<f64>,
    /// Smallest leak, beginning in the last eighth of the run, that would have been detected.
    pub smallest_late_leak: Option<LateLeak>,
    /// Estimated effect of one container, if the number of containers was given. The effect was removed.
    pub per_container: Option<f64>,
}

impl Assessment {
    /// Returns an assessment that has no figures.
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
