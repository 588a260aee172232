//! The four verdicts, and the reasons for them.

use serde::{Deserialize, Serialize};

/// The verdict on a run or a limit. Doubt is never `Pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All limits hold, and the data could have shown a violation.
    Pass,
    /// A limit is exceeded.
    Fail,
    /// The data could not have shown a leak.
    Invalid,
    /// The interval of the measured value contains the limit.
    Inconclusive,
}

impl Verdict {
    /// Returns its name in `result.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Returns the exit code of the process. `git bisect run` skips on 125.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid | Self::Inconclusive => 125,
        }
    }

    /// Returns the most severe of several verdicts: `Fail`, then `Invalid`, then `Inconclusive`, then `Pass`.
    ///
    /// Without any verdict it is `Invalid`.
    pub fn worst(parts: impl IntoIterator<Item = Self>) -> Self {
        let rank = |v: Self| match v {
            Self::Pass => 0,
            Self::Inconclusive => 1,
            Self::Invalid => 2,
            Self::Fail => 3,
        };
        parts.into_iter().max_by_key(|v| rank(*v)).unwrap_or(Self::Invalid)
    }
}

/// The reason for a verdict, as a stable code for scripts (docs/verdicts.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// A limit is exceeded.
    LimitExceeded,
    /// A required level or count was not reached (`streams >= 53`, rotations, delivered lines).
    FloorMissed,
    /// The target did not return to its initial level after the load was removed.
    NotDrained,
    /// The target exited during the run.
    TargetDied,
    /// The target was not ready in time.
    TargetNotReady,
    /// The target was replaced by another process or restarted.
    TargetRestarted,
    /// The target's executable is not built from its current source.
    StaleBuild,
    /// The metric of a limit never had a value.
    MetricAbsent,
    /// The metric of a limit has a value in fewer than 95 % of the samples.
    MetricSparse,
    /// A metric is constant although the load should have changed it.
    MetricStuck,
    /// There are fewer samples than planned.
    SamplesMissed,
    /// The clock jumped, or the times do not increase.
    ClockJumped,
    /// There were fewer containers or lines than planned.
    LoadNotDelivered,
    /// Lines could not be checked: the target's output is unreadable, or an emitter's count is unknown.
    LinesUnaccounted,
    /// The engine became unreachable during the run.
    EngineLost,
    /// No engine answered.
    EngineUnreachable,
    /// The interval of the growth contains the limit.
    Straddles,
    /// Growth stopped late in the run; a longer run would decide.
    GrowthStopped,
    /// The level rose once by more than the budget and stayed.
    OverBudget,
    /// The sampling interval and the rotation period can hide a growth from each other.
    Aliased,
    /// There are too few samples, minutes or rotations for a `pass`.
    TooShort,
    /// The containers had too few rotations for a leak per rotation to appear.
    TooFewRotations,
    /// The statistic cannot be computed from this metric.
    NotComputable,
    /// The run was interrupted.
    Interrupted,
    /// There is no limit, so nothing was judged.
    NoLimits,
}

impl ReasonCode {
    /// Returns its name in `result.json`.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// A reason for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Code, for scripts.
    pub code: ReasonCode,
    /// The metric, unless it is about the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Message, for people.
    pub message: String,
}

impl Reason {
    /// Makes a reason about a metric.
    pub fn of(code: ReasonCode, metric: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            metric: Some(metric.into()),
            message: message.into(),
        }
    }

    /// Makes a reason about the whole run.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self {
            code,
            metric: None,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_verdicts_are_invalid() {
        assert_eq!(Verdict::worst([]), Verdict::Invalid);
    }

    #[test]
    fn the_most_severe_verdict_counts() {
        use Verdict::{Fail, Inconclusive, Invalid, Pass};
        assert_eq!(Verdict::worst([Pass, Invalid, Fail]), Fail);
        assert_eq!(Verdict::worst([Pass, Inconclusive, Invalid]), Invalid);
        assert_eq!(Verdict::worst([Pass, Inconclusive]), Inconclusive);
        assert_eq!(Verdict::worst([Pass, Pass]), Pass);
    }

    #[test]
    fn codes_are_kebab_case() {
        assert_eq!(ReasonCode::LimitExceeded.name(), "limit-exceeded");
    }
}
