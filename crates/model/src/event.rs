//! What happens in a run, in order: announced to the progress display, written to `events.jsonl`, and folded into
//! [`Facts`](crate::Facts) for the judge. Whatever the judge must know and is not a sample travels as an event, so that
//! a run that was killed can be judged from its folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lines::LineCounts;
use crate::verdict::Reason;

/// What a run is doing; also the `phase` column of `samples.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The target is up and there is no load yet: the level that `drained` comes back to.
    Idle,
    /// Containers are being started.
    Launch,
    /// Everything is up; the target is settling.
    WarmUp,
    /// The judged part.
    #[default]
    Measure,
    /// The judged part, made longer once because it was undecided.
    Extend,
    /// The load is gone.
    Drain,
}

impl Phase {
    /// As in `samples.csv`.
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

    /// The phase of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
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

    /// Whether growth is judged in it.
    #[must_use]
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Measure | Self::Extend)
    }
}

/// A line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the run began.
    pub t_s: f64,
    /// Wall clock, RFC 3339.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// An event with its details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// Its id, which also labels its containers.
        run_id: String,
        /// The scenario's name.
        scenario: String,
        /// leakcheck's version.
        version: String,
        /// The command that repeats the run.
        command: String,
        /// The machine, for the report: kernel, cores, memory.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        host: BTreeMap<String, String>,
    },
    /// An engine answered.
    EngineFound(EngineFacts),
    /// The image of the load is there.
    ImageReady {
        /// Its name.
        image: String,
        /// Whether it had to be made.
        made: bool,
    },
    /// How many containers are up.
    Launched {
        /// Running now.
        running: u64,
        /// Planned in all.
        planned: u64,
    },
    /// The target's process is there.
    TargetStarted(TargetFacts),
    /// More is known of the target: what it says of itself, how its build compares.
    TargetDescribed(TargetFacts),
    /// The target is ready.
    TargetReady {
        /// How long it took.
        after_s: f64,
    },
    /// The target ended by itself.
    TargetDied {
        /// Its exit status or signal, in words.
        status: String,
    },
    /// The target's process is another one than before.
    TargetRestarted {
        /// What was noticed.
        message: String,
    },
    /// A phase begins.
    PhaseBegan {
        /// Which.
        phase: Phase,
    },
    /// A checkpoint: a line for people; the judge computes its own from the samples.
    Checkpoint {
        /// What the run was doing.
        phase: Phase,
        /// Each metric's value.
        values: BTreeMap<String, f64>,
    },
    /// A fault begins on the wire.
    FaultBegan {
        /// Index in the scenario.
        index: usize,
        /// In words.
        what: String,
    },
    /// A fault ends.
    FaultEnded {
        /// Index in the scenario.
        index: usize,
        /// Streams, requests, events or connections that it affected. Absent in older runs.
        #[serde(default, rename = "struck", skip_serializing_if = "Option::is_none")]
        hits: Option<u64>,
    },
    /// Something that the judge must know and that has a code already.
    Impaired {
        /// Why the run cannot be a plain pass.
        reason: Reason,
    },
    /// Something that people should know.
    Warning {
        /// What.
        reason: Reason,
    },
    /// An early look at the data was certain of a fail.
    StoppedEarly {
        /// What it saved.
        saved_s: f64,
    },
    /// The outcome of the line check.
    Lines(LineCounts),
    /// Who leaked.
    Attributed(Attribution),
    /// What the harness cost.
    SelfMeasured(SelfCost),
    /// The user ended the measuring when there was enough for a verdict: the judged part is this long.
    EndedByUser {
        /// Seconds that were measured.
        measured_s: f64,
    },
    /// The user ended the run.
    Interrupted,
    /// Everything planned was done, everything started is removed.
    Finished,
}

/// The engine that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    /// `docker` or `simulated`.
    pub kind: String,
    /// The engine's version.
    pub version: String,
    /// The API's version.
    #[serde(default)]
    pub api: String,
    /// Where it was found.
    #[serde(default)]
    pub host: String,
    /// The name of the process that serves it, if it is one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// That process's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The target's process and build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// `capture`, `command`, `pid`, `container`, `metrics`.
    pub kind: String,
    /// Its process id, if it has one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its command line, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// As it reports itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// As it reports itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// `fresh`, `stale` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The commit that is checked out in the source's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
    /// The file that it was built into, or is read from, as it is on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// When that file was written, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<String>,
    /// Its build id, if its linker gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// The image that it runs, if it is a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFacts>,
    /// What was compared for `build`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_notes: Vec<String>,
}

/// The image that a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// As the container names it.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The id that the name means now; `None` if the name is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When the container was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_created: Option<String>,
    /// The labels of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Who leaked: what grew, by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// In one sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<String>,
    /// File descriptors by kind and peer, those that grew most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fds: Vec<GrownFds>,
    /// Threads or tasks by name and state, those that grew most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<GrownTasks>,
    /// Resident memory by kind of mapping, that which grew most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<GrownMemory>,
    /// What the looks have cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<AttributionCost>,
}

/// File descriptors of one kind and peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownFds {
    /// `unix-socket`, `tcp`, `pipe`, `inotify`, `eventfd`, `file`, `deleted`, …
    pub kind: String,
    /// What is at the other end (`docker.sock`, `127.0.0.1:3100`, a path).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// How many more than at the baseline.
    pub grew_by: i64,
}

/// Threads or tasks of one name and state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownTasks {
    /// Thread name, task name, or the top of a goroutine's stack.
    pub name: String,
    /// What it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How many more than at the baseline.
    pub grew_by: i64,
}

/// Resident memory of one kind of mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownMemory {
    /// `the heap`, `anonymous memory`, the path of a file that is mapped.
    pub kind: String,
    /// How many bytes more than at the baseline.
    pub grew_by: u64,
}

/// What it cost to look at who holds what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttributionCost {
    /// How often it was looked: at the baseline, at checkpoints where growth was suspected, at the end.
    #[serde(rename = "looks")]
    pub snapshots: u64,
    /// The longest look, milliseconds.
    pub longest_ms: f64,
    /// All looks together, milliseconds.
    #[serde(rename = "all_ms")]
    pub total_ms: f64,
}

/// What the harness itself cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfCost {
    /// CPU seconds of the harness's own process.
    pub cpu_s: f64,
    /// Its largest resident set.
    pub max_rss_bytes: u64,
    /// How long one sample took.
    pub sample_us: SampleCost,
    /// Ticks at which no sample could be taken.
    pub missed_samples: u64,
    /// Scrapes of /metrics that failed.
    #[serde(default)]
    pub failed_scrapes: u64,
}

/// How long one sample took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleCost {
    /// Half took less.
    pub median: f64,
    /// The longest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_line_that_reads_back() {
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
    fn every_phase_is_found_by_its_name() {
        for name in ["idle", "launch", "warm-up", "measure", "extend", "drain"] {
            assert_eq!(Phase::named(name).map(Phase::name), Some(name));
        }
        assert_eq!(Phase::named("lunch"), None);
    }
}
