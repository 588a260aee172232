//! `[target]`: the program under test.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::preset::{CAPTURE, PRESETS};
use crate::units::HumanDuration;

/// The program under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Kind of the target.
    pub kind: TargetKind,
    /// Interval between rotations of each stream. leakcheck sets it for `capture`; for others it describes the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<HumanDuration>,
    /// `command`: the program and its arguments. `{engine}`, `{output}`, `{port}` and `{run}` are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `capture`: additional arguments of the daemon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Environment of the process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working folder of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Condition for the target to be ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Address of its metrics in the Prometheus format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    /// Set of well-known metrics: `go`, `jvm`, `python` and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// `pid`: id of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// `container`: name, id, or service name in a Compose project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Adds up threads, descriptors, memory and processor time of all descendants. Default: true for a container only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<bool>,
    /// Glob of the files that the target writes its collected lines to, for the line check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
    /// Check of the target's build against its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Inspection of the target's resources, by which the report names the origin of a leak.
    #[serde(default)]
    pub attribution: AttributionMode,
    /// `command`: tracing of the code that leaked, in a second, short run.
    #[serde(default)]
    pub origins: OriginsMode,
    /// Start before or after the load. `drained` needs a start before the load. Default: before for `capture`, else after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartOrder>,
    /// Time to stop after SIGTERM, before SIGKILL.
    #[serde(default = "default_stop_within")]
    pub stop_within: HumanDuration,
}

fn default_stop_within() -> HumanDuration {
    HumanDuration::seconds(10)
}

/// The kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// The built-in log capture daemon.
    Capture,
    /// A command that leakcheck starts.
    Command,
    /// A running process.
    Pid,
    /// A running container.
    Container,
    /// An address of metrics, without a process.
    Metrics,
}

impl TargetKind {
    /// Returns its name in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Command => "command",
            Self::Pid => "pid",
            Self::Container => "container",
            Self::Metrics => "metrics",
        }
    }
}

/// The inspection of a target's descriptors, threads and mappings.
///
/// It takes about 10 µs for each of them, and does not stop the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttributionMode {
    /// At the baseline, at suspected growth and at the end, unless there are more than 50,000 descriptors.
    #[default]
    Auto,
    /// Like `auto`, with any number of descriptors.
    Always,
    /// No inspection.
    Never,
}

/// The tracing of the code that created what leaked. Judged runs are never traced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OriginsMode {
    /// After a failure on descriptors, threads or children.
    #[default]
    OnFail,
    /// After every run.
    Always,
    /// Never.
    Never,
}

/// The order in which target and load start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartOrder {
    /// The target starts before the first container.
    BeforeLoad,
    /// The target starts when all containers run.
    AfterLoad,
}

/// The condition for a target to be ready. Default: its process is alive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// This URL answers with 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// This TCP port of 127.0.0.1 accepts connections: a number, or `"{port}"` for the port assigned to the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// Its output has a line with this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// This time has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<HumanDuration>,
    /// Deadline, after which the run fails.
    pub within: Option<HumanDuration>,
}

/// A TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a port number, or \"{port}\" for the port assigned to the target"
)]
pub enum Port {
    /// A fixed port.
    Number(u16),
    /// The port that leakcheck assigns to the target, `"{port}"` in its command.
    #[serde(with = "assigned")]
    #[schemars(with = "String")]
    Assigned,
}

/// The text form of [`Port::Assigned`].
mod assigned {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    const PLACEHOLDER: &str = "{port}";

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(PLACEHOLDER)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        let text = String::deserialize(deserializer)?;
        (text == PLACEHOLDER)
            .then_some(())
            .ok_or_else(|| D::Error::custom(PLACEHOLDER))
    }
}

/// The check of the target's build against its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// Git repository of the source.
    pub repo: String,
    /// Executable, if it is not the first word of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    /// Command that prints version and commit of a target that does not serve them: `["./agent", "--version"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version_command: Vec<String>,
    /// Requirements; a run that does not meet them is `invalid` before anything starts.
    pub require: Vec<BuildRequirement>,
}

/// A requirement on a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuildRequirement {
    /// The source has no uncommitted change.
    Committed,
    /// The running executable is the one on disk, and newer than the last change of the source.
    Fresh,
}

impl Target {
    /// Makes a target of this kind with defaults.
    #[must_use]
    pub fn new(kind: TargetKind) -> Self {
        Self {
            kind,
            rotate_every: None,
            command: Vec::new(),
            arguments: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            ready: None,
            metrics_url: None,
            preset: None,
            pid: None,
            container: None,
            tree: None,
            delivered: None,
            build: None,
            attribution: AttributionMode::default(),
            origins: OriginsMode::default(),
            start: None,
            stop_within: default_stop_within(),
        }
    }

    /// Makes the target of a command that leakcheck starts.
    #[must_use]
    pub fn command(command: Vec<String>) -> Self {
        Self {
            command,
            ..Self::new(TargetKind::Command)
        }
    }

    /// Makes the target of a running process.
    #[must_use]
    pub fn process(pid: u32) -> Self {
        Self {
            pid: Some(pid),
            ..Self::new(TargetKind::Pid)
        }
    }

    /// Makes the target of a running container.
    #[must_use]
    pub fn container(name: impl Into<String>) -> Self {
        Self {
            container: Some(name.into()),
            ..Self::new(TargetKind::Container)
        }
    }

    /// Makes the target of an address of metrics.
    #[must_use]
    pub fn metrics_only(url: impl Into<String>) -> Self {
        Self {
            metrics_url: Some(url.into()),
            ..Self::new(TargetKind::Metrics)
        }
    }

    /// Returns the metrics of the kind and the preset.
    pub(super) fn metrics(&self) -> BTreeMap<String, Metric> {
        let preset = PRESETS
            .iter()
            .find(|(name, _)| Some(*name) == self.preset.as_deref())
            .map(|(_, m)| *m);
        let own: &[_] = match self.kind {
            TargetKind::Capture => &CAPTURE,
            _ => &[],
        };
        let all = own.iter().chain(preset.unwrap_or_default());
        all.map(|known| (known.name.to_owned(), known.metric())).collect()
    }

    /// Returns true if the descendants of its process are added up.
    #[must_use]
    pub fn counts_tree(&self) -> bool {
        self.tree.unwrap_or(self.kind == TargetKind::Container)
    }

    /// Returns true if load is known to change this metric. Each stream of the capture daemon has a task and a descriptor.
    #[must_use]
    pub fn moves_with_load(&self, metric: &str) -> bool {
        self.kind == TargetKind::Capture && matches!(metric, "tasks" | "fds" | "streams")
    }

    /// Returns the start order. Many programs only look at the containers that run when they start, so a command
    /// starts after the load by default.
    #[must_use]
    pub fn start_order(&self) -> StartOrder {
        self.start.unwrap_or(if self.kind == TargetKind::Capture {
            StartOrder::BeforeLoad
        } else {
            StartOrder::AfterLoad
        })
    }
}
