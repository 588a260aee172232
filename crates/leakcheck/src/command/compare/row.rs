//! A run in a comparison. It is judged again, so that all runs are judged by the same version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use leakcheck_judge::{judge, summarize};
use leakcheck_model::limit::Statistic;
use leakcheck_model::result::{Growth, LimitResult};
use leakcheck_model::{Limit, RunResult, Unit};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::run_folder;

/// A judged run.
pub(super) struct Row {
    folder: PathBuf,
    /// Start time, if it is recorded.
    pub(super) began: Option<jiff::Timestamp>,
    /// The result.
    pub(super) result: RunResult,
    units: BTreeMap<String, Unit>,
}

impl Row {
    /// Reads and judges a run's folder.
    ///
    /// # Errors
    /// If the folder is not a run, or cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let record = run_folder::record(path)?;
        let units = record.metrics.iter().map(|(n, m)| (n.clone(), m.unit)).collect();
        let result = summarize(&record, judge(&record));
        Ok(Self {
            folder: path.to_owned(),
            began: result.started_at.as_ref().and_then(|at| at.parse().ok()),
            result,
            units,
        })
    }

    /// A row of a result without a folder.
    #[cfg(test)]
    pub(super) fn of(result: RunResult) -> Self {
        Self {
            folder: PathBuf::from(&result.run_id),
            began: None,
            result,
            units: BTreeMap::new(),
        }
    }

    /// The run's id.
    pub(super) fn name(&self) -> &str {
        &self.result.run_id
    }

    /// The commit that the target reports, else that of its source, else its version.
    pub(super) fn build(&self) -> Option<String> {
        let target = self.result.target.as_ref()?;
        let short = |commit: &String| commit.chars().take(12).collect();
        let commit = target.commit.as_ref().or(target.source_commit.as_ref());
        commit.map(short).or_else(|| target.version.clone())
    }

    /// The unit of a metric.
    pub(super) fn unit(&self, metric: &str) -> Unit {
        self.units.get(metric).copied().unwrap_or_default()
    }

    /// Growth per minute of a metric.
    pub(super) fn growth(&self, metric: &str) -> Option<Growth> {
        self.result.metrics.get(metric)?.growth_per_min
    }

    /// The metrics whose growth is compared: those with a limit on growth, and tasks and descriptors.
    pub(super) fn growing(&self) -> Vec<&str> {
        let limited = |name: &str| self.growth_limit(name).is_some();
        let names = self.result.metrics.keys().map(String::as_str);
        names
            .filter(|name| limited(name) || matches!(*name, "tasks" | "fds"))
            .filter(|name| self.growth(name).is_some())
            .collect()
    }

    /// The metrics that have samples.
    pub(super) fn sampled(&self) -> impl Iterator<Item = &str> {
        self.result
            .metrics
            .keys()
            .map(String::as_str)
            .filter(|name| self.has(name))
    }

    /// Returns whether a metric has samples.
    pub(super) fn has(&self, metric: &str) -> bool {
        self.result.metrics.get(metric).is_some_and(|m| m.samples > 0)
    }

    /// The limit on a metric's growth per minute.
    pub(super) fn growth_limit(&self, metric: &str) -> Option<f64> {
        self.limit(metric, Statistic::GrowthPerMin)?.bound
    }

    fn limit(&self, metric: &str, statistic: Statistic) -> Option<&LimitResult> {
        let of = |l: &&LimitResult| l.rule.parse::<Limit>().is_ok_and(|rule| rule.statistic == statistic);
        self.result.limits.iter().filter(|l| l.metric == metric).find(of)
    }

    /// The number of rotations: as its limit counted them, else from the first sample to the last.
    pub(super) fn rotations(&self) -> Option<f64> {
        let counted = self.limit("rotations", Statistic::Increase).and_then(|l| l.measured);
        let metric = self.result.metrics.get("rotations");
        counted.or_else(|| metric.and_then(|m| Some(m.last? - m.baseline?)))
    }

    /// The share of the expected rotations that happened.
    pub(super) fn rotation_share(&self) -> Option<f64> {
        let expected = self.result.expected_rotations.filter(|e| *e > 0.0)?;
        Some(self.rotations()? / expected)
    }

    /// Descriptors at the end minus those at the baseline.
    pub(super) fn fd_growth(&self) -> Option<f64> {
        let fds = self.result.metrics.get("fds")?;
        Some(fds.last? - fds.baseline?)
    }

    /// The row as JSON, without unknown values.
    pub(super) fn as_json(&self) -> Value {
        let growth: BTreeMap<_, _> = self.growing().into_iter().map(|m| (m, self.growth(m))).collect();
        let mut row = json!({
            "run_id": self.name(),
            "folder": self.folder.display().to_string(),
            "scenario": self.result.scenario,
            "verdict": self.result.verdict,
            "growth_per_min": growth,
        });
        let mut put = |key: &str, value: Option<Value>| {
            if let (Some(row), Some(value)) = (row.as_object_mut(), value) {
                row.insert(key.to_owned(), value);
            }
        };
        let target = self.result.target.as_ref();
        put("started_at", self.result.started_at.as_ref().map(|at| json!(at)));
        put("commit", target.and_then(|t| t.commit.as_ref()).map(|c| json!(c)));
        put(
            "source_commit",
            target.and_then(|t| t.source_commit.as_ref()).map(|c| json!(c)),
        );
        put("version", target.and_then(|t| t.version.as_ref()).map(|v| json!(v)));
        put("rotations", self.rotations().map(|r| json!(r)));
        put("expected_rotations", self.result.expected_rotations.map(|r| json!(r)));
        put("fd_growth", self.fd_growth().map(|g| json!(g)));
        put("lines", self.result.lines.as_ref().map(|l| json!(l)));
        row
    }
}
