//! `result.json`: the outcome of a run, as scripts read it. Keys that a run cannot fill are absent, not zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Attribution, EngineFacts, Phase, SelfCost, TargetFacts};
use crate::lines::LineCounts;
use crate::verdict::{Reason, Verdict};

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// A growth per minute with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The most likely value.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What was measured of one metric over the judged part of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// `proc`, `engine`, `metrics`, `log`, `lines`, `csv`.
    pub source: String,
    /// Samples seen.
    pub samples: u64,
    /// Samples that should have been there and were not.
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
    /// FASE's rate: (last - baseline) / minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_per_min: Option<f64>,
    /// Robust growth per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_min: Option<Growth>,
    /// Growth for each rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_rotation: Option<Growth>,
    /// What the series looks like, in words ("flat", "a step of +12 at 61 s").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Level after the load was gone less the level before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained: Option<f64>,
    /// A leak that began in the last minutes would have had to be larger than this, per minute, to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_late_leak_per_min: Option<f64>,
    /// How long the end of the run is that this is said of, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_window_s: Option<f64>,
}

/// What a pass does not exclude: a leak that began late and is smaller than this.
#[derive(Clone, Debug, PartialEq)]
pub struct LateLeak<'a> {
    /// Which metric passed.
    pub metric: &'a str,
    /// It began in the last so many seconds.
    pub window_s: f64,
    /// From this growth per minute on it would have been seen.
    pub per_min: f64,
    /// Whether the metric is in bytes.
    pub is_bytes: bool,
}

impl RunResult {
    /// For each limit on growth per minute that passed, the smallest late leak that would have been seen.
    #[must_use]
    pub fn late_leaks(&self) -> Vec<LateLeak<'_>> {
        let passed = self
            .limits
            .iter()
            .filter(|l| l.outcome == Verdict::Pass && l.rule.starts_with("growth_per_min"));
        passed
            .filter_map(|limit| {
                let metric = self.metrics.get(&limit.metric)?;
                Some(LateLeak {
                    metric: &limit.metric,
                    window_s: metric.late_window_s?,
                    per_min: metric.smallest_late_leak_per_min?,
                    is_bytes: limit.rule.contains('B'),
                })
            })
            .collect()
    }
}

/// One limit and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitResult {
    /// Its metric.
    pub metric: String,
    /// As written.
    pub rule: String,
    /// The bound in the metric's unit (`90% of expected` resolved).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// What was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// What it comes to.
    pub outcome: Verdict,
    /// Why, unless it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A row of the FASE table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Seconds since the run began.
    pub t_s: f64,
    /// What the run was doing.
    pub phase: Phase,
    /// Each metric's value.
    pub values: BTreeMap<String, f64>,
    /// Each metric's rate since the baseline, FASE's way.
    pub endpoint_per_min: BTreeMap<String, f64>,
}

/// Which engine the load ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineResult {
    /// `docker` or `simulated`.
    pub kind: String,
    /// As the engine says it.
    pub version: String,
    /// The name of the process that serves it, if it is one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// That process's id.
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

/// `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's id.
    pub run_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The process's exit code.
    pub exit_code: u8,
    /// Why, most important first; empty for a plain pass.
    pub reasons: Vec<Reason>,
    /// What should be known and does not change the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// From the first sample to the last, in seconds.
    pub duration_s: f64,
    /// Whether a certain fail ended the run before its time.
    pub stopped_early: bool,
    /// What early stopping saved, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_s: Option<f64>,
    /// Which engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineResult>,
    /// Containers planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<u64>,
    /// Rotations that the schedule leads one to expect in the judged part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rotations: Option<f64>,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetFacts>,
    /// Each metric.
    pub metrics: BTreeMap<String, MetricResult>,
    /// Each limit.
    pub limits: Vec<LimitResult>,
    /// The FASE table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// The line check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineCounts>,
    /// Who leaked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// What the harness itself cost.
    #[serde(default, rename = "self", skip_serializing_if = "Option::is_none")]
    pub self_cost: Option<SelfCost>,
    /// The command that repeats the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
