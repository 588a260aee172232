//! The events of a run.
//!
//! Events are shown as progress, written to `events.jsonl`, and folded into [`Facts`](crate::Facts). All input of the judge
//! that is not a sample is an event, so a killed run can be judged from its folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lines::LineCounts;
use crate::origins::Origins;
use crate::verdict::Reason;

/// A phase of a run; also the `phase` column of `samples.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The target runs without load. `drained` compares with the level of this phase.
    Idle,
    /// Containers are started.
    Launch,
    /// Load and target run; the target settles.
    WarmUp,
    /// The judged part.
    #[default]
    Measure,
    /// The extension of the judged part, after an inconclusive result.
    Extend,
    /// The load was removed.
    Drain,
}

impl Phase {
    /// Returns its name in `samples.csv`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Launch => "launch",
            Self::WarmUp => "warm-up",
            Self::Measure => "measure",
            Self::Extend => "extend",
            Self::Drain => "drain",
        }
    }

    /// Returns the phase with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Idle,
            Self::Launch,
            Self::WarmUp,
            Self::Measure,
            Self::Extend,
            Self::Drain,
        ]
        .into_iter()
        .find(|p| p.name() == name)
    }

    /// Returns true if growth is judged in this phase.
    #[must_use]
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Measure | Self::Extend)
    }
}

/// A line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the start of the run.
    pub t_s: f64,
    /// Wall-clock time, RFC 3339.
    pub at: String,
    /// The event with its details.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// An event with its details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run started.
    RunStarted {
        /// Id of the run, which also labels its containers.
        run_id: String,
        /// Name of the scenario.
        scenario: String,
        /// Version of leakcheck.
        version: String,
        /// Command that repeats the run.
        command: String,
        /// Properties of the machine: kernel, cores, memory.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        host: BTreeMap<String, String>,
    },
    /// An engine answered.
    EngineFound(EngineFacts),
    /// The image of the load is available.
    ImageReady {
        /// Name of the image.
        image: String,
        /// True if it was built for this run.
        made: bool,
    },
    /// Containers were started.
    Launched {
        /// Running containers.
        running: u64,
        /// Planned containers.
        planned: u64,
    },
    /// The target's process exists.
    TargetStarted(TargetFacts),
    /// The target's version and build were determined.
    TargetDescribed(TargetFacts),
    /// The target is ready.
    TargetReady {
        /// Seconds from its start.
        after_s: f64,
    },
    /// The target exited during the run.
    TargetDied {
        /// Description of its exit status or signal.
        status: String,
    },
    /// The target's process was replaced by another.
    TargetRestarted {
        /// Description of the change.
        message: String,
    },
    /// A phase began.
    PhaseBegan {
        /// The phase.
        phase: Phase,
    },
    /// A checkpoint was reached, for the progress display. The judge computes its own from the samples.
    Checkpoint {
        /// The phase of the run.
        phase: Phase,
        /// Value of each metric.
        values: BTreeMap<String, f64>,
    },
    /// A fault began.
    FaultBegan {
        /// Index in the scenario.
        index: usize,
        /// Description of the fault.
        what: String,
    },
    /// A fault ended.
    FaultEnded {
        /// Index in the scenario.
        index: usize,
        /// Streams, requests, events or connections that it affected. Absent in older runs.
        #[serde(default, rename = "struck", skip_serializing_if = "Option::is_none")]
        hits: Option<u64>,
    },
    /// The run has a problem that affects the verdict.
    Impaired {
        /// Reason against a plain pass.
        reason: Reason,
    },
    /// The run has an observation that does not affect the verdict.
    Warning {
        /// The observation.
        reason: Reason,
    },
    /// An interim analysis was certain of a failure.
    StoppedEarly {
        /// Seconds saved.
        saved_s: f64,
    },
    /// The line check is complete.
    Lines(LineCounts),
    /// The origins of the growth were determined.
    Attributed(Attribution),
    /// A second, traced run found the code that created what leaked.
    Explained(Origins),
    /// The resource usage of leakcheck was measured.
    SelfMeasured(SelfCost),
    /// The user ended the measurement after enough time for a verdict.
    EndedByUser {
        /// Length of the judged part, in seconds.
        measured_s: f64,
    },
    /// The user interrupted the run.
    Interrupted,
    /// The run is complete and cleaned up.
    Finished,
}

/// Properties of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// `docker` or `simulated`.
    pub kind: String,
    /// Version of the engine.
    pub version: String,
    /// Version of its API.
    #[serde(default)]
    pub api: String,
    /// Address of the engine.
    #[serde(default)]
    pub host: String,
    /// Name of the process that serves it, if it runs on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Id of that process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// Properties of the target: process and build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// `capture`, `command`, `pid`, `container`, `metrics`.
    pub kind: String,
    /// Id of its process, if it runs on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Version, as reported by the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Commit, as reported by the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// `fresh`, `stale` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Commit that is checked out in the repository of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
    /// Path of its executable or script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// Modification time of that file, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<String>,
    /// Build id of the executable, if the linker wrote one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Image of the container, for a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFacts>,
    /// Findings behind `build`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_notes: Vec<String>,
}

/// Properties of a container's image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Name of the image, as the container refers to it.
    pub name: String,
    /// Id of the image.
    pub id: String,
    /// Id that the name refers to now; `None` if the name no longer exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Creation time of the image, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Creation time of the container, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_created: Option<String>,
    /// Labels of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The origins of the growth, by kind of resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// Summary, one sentence per kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<String>,
    /// File descriptors by kind and peer, largest growth first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fds: Vec<GrownFds>,
    /// Threads or tasks by name and state, largest growth first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<GrownTasks>,
    /// Resident memory by kind of mapping, largest growth first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<GrownMemory>,
    /// Cost of the snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<AttributionCost>,
}

/// File descriptors of one kind and peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownFds {
    /// `unix-socket`, `tcp`, `pipe`, `inotify`, `eventfd`, `file`, `deleted`, …
    pub kind: String,
    /// The other end: `docker.sock`, `127.0.0.1:3100`, a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Growth since the baseline.
    pub grew_by: i64,
}

/// Threads or tasks of one name and state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownTasks {
    /// Name of the thread or task, or the top of a goroutine's stack.
    pub name: String,
    /// The state or function that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Growth since the baseline.
    pub grew_by: i64,
}

/// Resident memory of one kind of mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownMemory {
    /// `the heap`, `anonymous memory`, or the path of a mapped file.
    pub kind: String,
    /// Growth since the baseline, in bytes.
    pub grew_by: u64,
}

/// The cost of the snapshots for attribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttributionCost {
    /// Number of snapshots: at the baseline, at checkpoints with suspected growth, and at the end.
    #[serde(rename = "looks")]
    pub snapshots: u64,
    /// Longest snapshot, in milliseconds.
    pub longest_ms: f64,
    /// All snapshots together, in milliseconds.
    #[serde(rename = "all_ms")]
    pub total_ms: f64,
}

/// The resource usage of leakcheck.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfCost {
    /// Processor time of its process, in seconds.
    pub cpu_s: f64,
    /// Largest resident memory, in bytes.
    pub max_rss_bytes: u64,
    /// Time per sample.
    pub sample_us: SampleCost,
    /// Samples that could not be taken in time.
    pub missed_samples: u64,
    /// Failed scrapes of /metrics.
    #[serde(default)]
    pub failed_scrapes: u64,
}

/// The time per sample, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleCost {
    /// Median.
    pub median: f64,
    /// Maximum.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let event = Event {
            t_s: 30.0,
            at: "2026-01-01T00:00:00Z".into(),
            kind: EventKind::PhaseBegan { phase: Phase::WarmUp },
        };
        let line = serde_json::to_string(&event).expect("serializes");
        assert_eq!(
            line,
            r#"{"t_s":30.0,"at":"2026-01-01T00:00:00Z","event":"phase-began","phase":"warm-up"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).expect("reads back"), event);
    }

    #[test]
    fn every_phase_has_a_name() {
        for name in ["idle", "launch", "warm-up", "measure", "extend", "drain"] {
            assert_eq!(Phase::from_name(name).map(Phase::name), Some(name));
        }
        assert_eq!(Phase::from_name("lunch"), None);
    }
}
