//! `[metrics]`: where a number comes from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::MetricInfo;

/// Built-in metrics from /proc, and whether they are read only if a limit asks for them (because they cost more).
pub const BUILT_IN: [(&str, bool); 6] = [
    ("threads", false),
    ("fds", false),
    ("rss", false),
    ("cpu", false),
    ("pss", true),
    ("children", true),
];

/// [`BUILT_IN`], to iterate over.
pub(super) fn built_in() -> impl Iterator<Item = (&'static str, bool)> {
    BUILT_IN.into_iter()
}

/// Where one metric comes from: exactly one of `proc`, `metrics`, `log`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metric {
    /// A built-in of /proc: `threads`, `fds`, `rss`, `pss`, `cpu`, `children`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proc: Option<String>,
    /// A series of the target's /metrics; several that match are combined by `aggregate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// A pattern (regular expression) in the target's own output; its value is how often it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Labels that a series must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How several matching series become one number.
    pub aggregate: Aggregate,
    /// It only goes up; a fall is a restart from zero.
    pub counter: bool,
}

/// How several matching series become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// How many there are.
    Count,
}

impl Metric {
    /// A built-in of /proc.
    #[must_use]
    pub fn of_proc(name: &str) -> Self {
        Self {
            proc: Some(name.into()),
            counter: name == "cpu",
            ..Self::default()
        }
    }

    /// A series of /metrics.
    #[must_use]
    pub fn of_metrics(series: &str, counter: bool) -> Self {
        Self {
            metrics: Some(series.into()),
            counter,
            ..Self::default()
        }
    }

    /// What the judge must know of it.
    #[must_use]
    pub fn info(&self) -> MetricInfo {
        let memory = matches!(self.proc.as_deref(), Some("rss" | "pss"))
            || self.metrics.as_deref().is_some_and(|m| m.ends_with("_bytes"));
        let source = if self.proc.is_some() {
            "proc"
        } else if self.metrics.is_some() {
            "metrics"
        } else {
            "log"
        };
        let quantum = match self.proc.as_deref() {
            Some("rss" | "pss") => 4096.0,
            Some("cpu") => 0.01,
            _ => 1.0,
        };
        MetricInfo {
            source: source.into(),
            counter: self.counter || self.log.is_some(),
            quantum,
            unit: if memory { "B" } else { "" },
            moves_with_load: false,
        }
    }
}
