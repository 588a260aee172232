//! `result.json`: the outcome of a run, for scripts. A key without a value is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Attribution, EngineFacts, Phase, SelfCost, TargetFacts};
use crate::limit::{Limit, Statistic};
use crate::lines::LineCounts;
use crate::origins::Origin;
use crate::units::Unit;
use crate::verdict::{Reason, Verdict};

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// A growth per minute with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Most likely value.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The statistics of one metric over the judged part of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// `proc`, `engine`, `metrics`, `log`, `lines`, `csv`.
    pub source: String,
    /// Samples with a value.
    pub samples: u64,
    /// Samples without a value.
    pub missing: u64,
    /// First value of the judged part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Last value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<f64>,
    /// Smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Simple rate: (last - baseline) / minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_per_min: Option<f64>,
    /// Robust growth per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_min: Option<Growth>,
    /// Growth per rotation of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_rotation: Option<Growth>,
    /// Description of the series ("flat", "a step of +12 at 61 s").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Level after the load was removed, minus the level before it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained: Option<f64>,
    /// Smallest growth per minute that would have been detected if it began late in the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_late_leak_per_min: Option<f64>,
    /// Length of the end of the run that `smallest_late_leak_per_min` refers to, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_window_s: Option<f64>,
}

/// The detection limit of a passed metric for a leak that begins late.
#[derive(Clone, Debug, PartialEq)]
pub struct LateLeak<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Length of the end of the run in which the leak begins, in seconds.
    pub window_s: f64,
    /// Smallest growth per minute that would have been detected.
    pub per_min: f64,
    /// The unit of `per_min`.
    pub unit: Unit,
}

impl RunResult {
    /// Returns the detection limit for late leaks of each passed `growth_per_min` limit.
    #[must_use]
    pub fn late_leaks(&self) -> Vec<LateLeak<'_>> {
        self.limits
            .iter()
            .filter(|limit| limit.outcome == Verdict::Pass)
            .filter_map(|limit| {
                let rule = limit
                    .parsed()
                    .filter(|rule| rule.statistic == Statistic::GrowthPerMin)?;
                let metric = self.metrics.get(&limit.metric)?;
                Some(LateLeak {
                    metric: &limit.metric,
                    window_s: metric.late_window_s?,
                    per_min: metric.smallest_late_leak_per_min?,
                    unit: rule.unit,
                })
            })
            .collect()
    }
}

/// One limit with its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitResult {
    /// The metric.
    pub metric: String,
    /// The rule, as written.
    pub rule: String,
    /// The bound in the metric's unit, with `90% of expected` resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// The measured value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Lower end of the interval of `measured`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the interval of `measured`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The verdict on this limit.
    pub outcome: Verdict,
    /// The reason, unless it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl LimitResult {
    /// Parses the rule; `None` if a newer or older version wrote it in another form.
    #[must_use]
    pub fn parsed(&self) -> Option<Limit> {
        self.rule.parse().ok()
    }

    /// Returns the unit that the bound is written in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.parsed().map_or(Unit::Count, |rule| rule.unit)
    }
}

/// A row of the table of checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Seconds since the run began.
    pub t_s: f64,
    /// The phase of the run.
    pub phase: Phase,
    /// Value of each metric.
    pub values: BTreeMap<String, f64>,
    /// Simple rate of each metric since the baseline.
    pub endpoint_per_min: BTreeMap<String, f64>,
}

/// The engine that the load ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineResult {
    /// `docker` or `simulated`.
    pub kind: String,
    /// The version, as the engine reports it.
    pub version: String,
    /// Name of the process that serves it, if it runs on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Id of that process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

impl From<&EngineFacts> for EngineResult {
    fn from(facts: &EngineFacts) -> Self {
        Self {
            kind: facts.kind.clone(),
            version: facts.version.clone(),
            program: facts.program.clone(),
            pid: facts.pid,
        }
    }
}

/// The content of `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The format version, [`SCHEMA`].
    pub schema: u32,
    /// Id of the run.
    pub run_id: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The verdict of the run.
    pub verdict: Verdict,
    /// Exit code of the process.
    pub exit_code: u8,
    /// Reasons for the verdict, most important first; empty for a plain pass.
    pub reasons: Vec<Reason>,
    /// Observations that do not change the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
    /// Start of the run, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Time from the first sample to the last, in seconds.
    pub duration_s: f64,
    /// True if a certain failure ended the run early.
    pub stopped_early: bool,
    /// Seconds saved by stopping early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_s: Option<f64>,
    /// The engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineResult>,
    /// Planned number of containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<u64>,
    /// Rotations expected in the judged part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rotations: Option<f64>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetFacts>,
    /// Results by metric.
    pub metrics: BTreeMap<String, MetricResult>,
    /// Results by limit.
    pub limits: Vec<LimitResult>,
    /// The table of checkpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// Outcome of the line check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineCounts>,
    /// Origins of the growth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// Code that created what leaked, the largest growth first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// Resource usage of leakcheck itself.
    #[serde(default, rename = "self", skip_serializing_if = "Option::is_none")]
    pub self_cost: Option<SelfCost>,
    /// The command that repeats the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
