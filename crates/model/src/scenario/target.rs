//! `[target]`: what is tested.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::Metric;
use crate::units::Span;

/// What is tested, and how it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Which kind.
    pub kind: TargetKind,
    /// How often each stream is rotated (`capture` is told so; of others it is believed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Span>,
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
    /// `container`: its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Files in which the target writes what it collected (a glob), for the line check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
    /// The stale-build check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Whether it is started before the load (then `drained` compares with the level without load) or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// How long it may take to stop after SIGTERM, before SIGKILL.
    #[serde(default = "default_stop_within")]
    pub stop_within: Span,
}

fn default_stop_within() -> Span {
    Span::seconds(10)
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
    /// This TCP port of 127.0.0.1 accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A line with this text is in its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// This long has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Span>,
    /// Not ready within this long is a `fail`.
    pub within: Option<Span>,
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

/// What a preset maps: the name in limits, the series, whether it is a counter.
type PresetMetric = (&'static str, &'static str, bool);

/// The presets and the metrics that each maps.
pub const PRESETS: [(&str, &[PresetMetric]); 9] = [
    (
        "go",
        &[
            ("tasks", "go_goroutines", false),
            ("open_fds", "process_open_fds", false),
            ("heap", "go_memstats_heap_inuse_bytes", false),
        ],
    ),
    (
        "tokio",
        &[
            ("tasks", "tokio_alive_tasks", false),
            ("open_fds", "process_open_fds", false),
        ],
    ),
    (
        "python",
        &[
            ("open_fds", "process_open_fds", false),
            ("objects", "python_gc_objects_uncollectable_total", true),
        ],
    ),
    (
        "jvm",
        &[
            ("tasks", "jvm_threads_current", false),
            ("open_fds", "process_open_fds", false),
            ("heap", "jvm_memory_used_bytes", false),
        ],
    ),
    (
        "node",
        &[
            ("tasks", "nodejs_active_handles_total", false),
            ("open_fds", "process_open_fds", false),
            ("heap", "nodejs_heap_size_used_bytes", false),
        ],
    ),
    (
        "vector",
        &[
            ("streams", "vector_component_received_events_total", true),
            ("errors", "vector_component_errors_total", true),
        ],
    ),
    (
        "otel-collector",
        &[
            ("heap", "otelcol_process_runtime_heap_alloc_bytes", false),
            ("errors", "otelcol_receiver_refused_log_records", true),
        ],
    ),
    (
        "fluent-bit",
        &[
            ("records", "fluentbit_input_records_total", true),
            ("errors", "fluentbit_output_errors_total", true),
        ],
    ),
    (
        "prometheus",
        &[
            ("tasks", "go_goroutines", false),
            ("open_fds", "process_open_fds", false),
            ("series", "prometheus_tsdb_head_series", false),
        ],
    ),
];

/// What the capture core's /metrics are called in limits (names from the contract).
const CAPTURE: [PresetMetric; 6] = [
    ("tasks", "log_capturer_tasks", false),
    ("streams", "log_capturer_container_streams_active", false),
    ("rotations", "log_capturer_container_stream_rotations_total", true),
    ("errors", "log_capturer_stream_errors_total", true),
    ("captured_lines", "log_capturer_lines_total", true),
    ("queue", "log_capturer_dispatcher_queue_length", false),
];

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
        all.map(|(name, series, counter)| ((*name).to_owned(), Metric::of_metrics(series, *counter)))
            .collect()
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
