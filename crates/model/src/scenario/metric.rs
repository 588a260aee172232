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

/// Built-in metrics of the engine's own process, so that its leak is not put down to the target: the name in limits, and what
/// it is in a [`Metric::engine`].
pub const OF_ENGINE: [(&str, &str); 4] = [
    ("engine_fds", "fds"),
    ("engine_threads", "threads"),
    ("engine_rss", "rss"),
    ("engine_goroutines", "goroutines"),
];

/// The fewest rotations of any container, beside their sum `rotations`: a sum hides one that stopped.
pub const ROTATIONS_MIN: &str = "rotations_least";

/// Everything that the kernel shows of a process: its name in limits, where it comes from, and whether it is read only if
/// a limit asks for it. Of a container the control group is what one would ask for first.
pub(super) fn built_in(container: bool) -> impl Iterator<Item = (String, Metric, bool)> {
    let of_proc = BUILT_IN.map(|(name, on_demand)| (name.to_owned(), Metric::of_proc(name), on_demand));
    let of_cgroup = CGROUP.map(|name| (format!("cgroup_{name}"), Metric::of_cgroup(name), !container));
    of_proc.into_iter().chain(of_cgroup)
}

/// What is read of the control group that the target lives in; as metrics of their own they are called `cgroup_memory` and
/// `cgroup_pids`.
pub const CGROUP: [&str; 2] = ["memory", "pids"];

/// Where one metric comes from: exactly one of `proc`, `cgroup`, `metrics`, `log`, `engine`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metric {
    /// A built-in of /proc: `threads`, `fds`, `rss`, `pss`, `cpu`, `children`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proc: Option<String>,
    /// Of the target's control group, a container's for example: `memory` (without the page cache that can be had back), `pids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// A series of the target's /metrics; several that match are combined by `aggregate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Other names that the series has, in other versions of what exposes it; the first that is there counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<String>,
    /// A pattern (regular expression) in the target's own output; its value is how often it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// A count of the engine's own process: `fds`, `threads`, `rss`, `goroutines`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
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

    /// A count of the engine's own process.
    #[must_use]
    pub fn of_engine(name: &str) -> Self {
        Self {
            engine: Some(name.into()),
            ..Self::default()
        }
    }

    /// Of the target's control group.
    #[must_use]
    pub fn of_cgroup(controller: &str) -> Self {
        Self {
            cgroup: Some(controller.into()),
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
        let counted = self.proc.as_deref().or(self.engine.as_deref());
        let charged = self.cgroup.as_deref() == Some("memory");
        let memory = charged
            || matches!(counted, Some("rss" | "pss"))
            || self.metrics.as_deref().is_some_and(|m| m.ends_with("_bytes"));
        let source = if self.proc.is_some() {
            "proc"
        } else if self.engine.is_some() {
            "engine"
        } else if self.cgroup.is_some() {
            "cgroup"
        } else if self.metrics.is_some() {
            "metrics"
        } else {
            "log"
        };
        let quantum = match counted {
            Some("rss" | "pss") => 4096.0,
            Some("cpu") => 0.01,
            _ if charged => 4096.0,
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
