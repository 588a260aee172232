//! `[target]`: what is tested.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::preset::{CAPTURE, PRESETS};
use crate::units::HumanDuration;

/// What is tested, and how it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Which kind.
    pub kind: TargetKind,
    /// How often each stream is rotated (`capture` is told so; of others it is believed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<HumanDuration>,
    /// `command`: the program and its arguments. `{engine}`, `{output}`, `{port}` and `{run}` are filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `capture`: more arguments for the daemon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Environment of the process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working folder of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// How it is known that the target is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Where its metrics are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    /// Names of metrics that this kind of program is known to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// `pid`: the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// `container`: its name, its id, or the name of its service in a Compose project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Whether all descendants of its process count, added up: threads, descriptors, memory, processor time. Left out, they
    /// do for a container and do not otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<bool>,
    /// Files in which the target writes what it collected (a glob), for the line check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
    /// The stale-build check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Whether it is looked at closely, so that the report can say who leaks.
    #[serde(default)]
    pub attribution: AttributionMode,
    /// Whether it is started before the load (then `drained` compares with the level without load) or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// How long it may take to stop after SIGTERM, before SIGKILL.
    #[serde(default = "default_stop_within")]
    pub stop_within: HumanDuration,
}

fn default_stop_within() -> HumanDuration {
    HumanDuration::seconds(10)
}

/// What kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// leakcheck's own capture core.
    Capture,
    /// A command started here.
    Command,
    /// A process that is running already.
    Pid,
    /// A container that is running already.
    Container,
    /// Only an exposition of metrics.
    Metrics,
}

impl TargetKind {
    /// As in a scenario.
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

/// Whether a target is looked at closely: each of its descriptors, threads and mappings, some 10 µs for each, without
/// stopping it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttributionMode {
    /// At the baseline, where growth is suspected, and at the end; descriptors only up to 50,000.
    #[default]
    Auto,
    /// Also if it has more descriptors than that.
    Always,
    /// Not at all.
    Never,
}

/// When the target is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Before the first container.
    BeforeLoad,
    /// When all containers run.
    AfterLoad,
}

/// How it is known that a target is ready; without any, that its process lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// This URL answers with 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// This TCP port of 127.0.0.1 accepts: a number, or `"{port}"` for the one that the target is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// A line with this text is in its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// This long has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<HumanDuration>,
    /// Not ready within this long is a `fail`.
    pub within: Option<HumanDuration>,
}

/// A TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a port's number, or \"{port}\" for the one that the target is told"
)]
pub enum Port {
    /// This one.
    Number(u16),
    /// The one that the target is told.
    #[serde(with = "given")]
    #[schemars(with = "String")]
    Given,
}

/// `"{port}"`, as it stands in commands too.
mod given {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    const WORD: &str = "{port}";

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(WORD)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        let word = String::deserialize(deserializer)?;
        (word == WORD).then_some(()).ok_or_else(|| D::Error::custom(WORD))
    }
}

/// The stale-build check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The source's git repository.
    pub repo: String,
    /// The executable, if it is not the command's first word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    /// A command that prints the target's version and commit, for a target that does not serve them:
    /// `["./agent", "--version"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version_command: Vec<String>,
    /// What makes the run `invalid` before anything starts.
    pub require: Vec<BuildRequirement>,
}

/// What a build must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuildRequirement {
    /// No uncommitted change in the source.
    Committed,
    /// The binary is newer than the source's last change, and is the one that runs.
    Fresh,
}

impl Target {
    /// The metrics that come with the kind or the preset.
    pub(super) fn metrics(&self) -> BTreeMap<String, Metric> {
        let preset = PRESETS
            .iter()
            .find(|(name, _)| Some(*name) == self.preset.as_deref())
            .map(|(_, m)| *m);
        let own: &[_] = if self.kind == TargetKind::Capture {
            &CAPTURE
        } else {
            &[]
        };
        let all = own.iter().chain(preset.unwrap_or_default());
        all.map(|known| (known.name.to_owned(), known.metric())).collect()
    }

    /// Whether its descendants count too: of a container they are what runs in it.
    #[must_use]
    pub fn counts_tree(&self) -> bool {
        self.tree.unwrap_or(self.kind == TargetKind::Container)
    }

    /// Whether load is known to move this metric: of the capture core, each stream costs a task and a descriptor.
    #[must_use]
    pub fn moves_with_load(&self, metric: &str) -> bool {
        self.kind == TargetKind::Capture && matches!(metric, "tasks" | "fds" | "streams")
    }

    /// When it is started: our own before the load, so that the level without load is known; a command after it,
    /// because many look only at what runs when they start.
    #[must_use]
    pub fn starts(&self) -> Start {
        self.start.unwrap_or(if self.kind == TargetKind::Capture {
            Start::BeforeLoad
        } else {
            Start::AfterLoad
        })
    }
}
