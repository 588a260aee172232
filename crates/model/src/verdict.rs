//! The four verdicts, and the coded reasons for them.

use serde::{Deserialize, Serialize};

/// What a run, or one limit of it, comes to. Doubt is never `Pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every limit holds, and the data could have shown otherwise.
    Pass,
    /// A limit is exceeded.
    Fail,
    /// The data could not have shown a leak.
    Invalid,
    /// The interval straddles a limit.
    Inconclusive,
}

impl Verdict {
    /// As in `result.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The process's exit code; `git bisect run` skips on 125.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid | Self::Inconclusive => 125,
        }
    }

    /// The run's verdict from its parts: one `fail` fails; else one `invalid` is invalid; else one doubt is doubt.
    /// No part at all is `Invalid`: nothing was looked at.
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

/// Why. The codes are documented in the README; scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// A limit is exceeded.
    LimitExceeded,
    /// A level or count that must be reached was not (`streams >= 53`, rotations, delivered lines).
    FloorMissed,
    /// After the load was gone the target did not come back to where it began.
    NotDrained,
    /// The target ended by itself.
    TargetDied,
    /// The target did not come up in time.
    TargetNotReady,
    /// Another process, or the same with a new start time, was measured.
    TargetRestarted,
    /// The target's executable is not built from the source that it claims.
    StaleBuild,
    /// A limit's metric never appeared.
    MetricAbsent,
    /// A limit's metric was seen in fewer than 95 % of the samples.
    MetricSparse,
    /// A metric never moved though the load should have moved it.
    MetricStuck,
    /// Fewer samples were taken than planned.
    SamplesMissed,
    /// The clock jumped, or time did not increase.
    ClockJumped,
    /// Containers or lines did not come as planned.
    LoadNotDelivered,
    /// Lines could not be checked (the target's output cannot be read, or an emitter's count is unknown).
    LinesUnaccounted,
    /// The engine went away during the run.
    EngineLost,
    /// No engine answered.
    EngineUnreachable,
    /// The interval of the growth contains the limit.
    Straddles,
    /// Growth was seen and stopped late; a longer run would tell.
    GrowthStopped,
    /// A bounded growth above the budget: the level rose once and stayed.
    OverBudget,
    /// The checkpoint interval and the rotation period hide each other.
    Aliased,
    /// Too few samples, minutes or rotations for a `pass`.
    TooShort,
    /// Rotations were counted, and each container had fewer than a `pass` needs: a leak of theirs could not have shown.
    TooFewRotations,
    /// A statistic cannot be computed from this metric.
    NotComputable,
    /// The run was interrupted.
    Interrupted,
    /// No limit was given, so nothing was judged.
    NoLimits,
}

impl ReasonCode {
    /// As in `result.json`.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// One reason for the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For scripts.
    pub code: ReasonCode,
    /// Which metric, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// For people.
    pub message: String,
}

impl Reason {
    /// A reason about a metric.
    pub fn of(code: ReasonCode, metric: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            metric: Some(metric.into()),
            message: message.into(),
        }
    }

    /// A reason about the run as a whole.
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
    fn nothing_judged_is_not_a_pass() {
        assert_eq!(Verdict::worst([]), Verdict::Invalid);
    }

    #[test]
    fn a_certain_leak_outweighs_a_blind_metric_and_doubt_outweighs_a_pass() {
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
