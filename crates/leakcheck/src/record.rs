//! The record's rows, the classic leaks and the other gates, each with the verdict and the reasons that it must come out with,
//! and no others, and with what must be said of who leaked.

use leakcheck_model::verdict::{ReasonCode, Verdict};

use blame::DUE;
pub(crate) use blame::{Blame, wrong as wrongly_blamed};

mod blame;
#[cfg(test)]
mod tests;

/// One row.
pub(crate) struct Row {
    /// The scenario's name.
    pub(crate) name: &'static str,
    /// The scenario file.
    pub(crate) scenario: &'static str,
    /// What it must come to.
    pub(crate) verdict: Verdict,
    /// For these reasons, each with its metric (empty: of the run as a whole).
    pub(crate) reasons: &'static [(ReasonCode, &'static str)],
    /// Who must be said to have leaked, and nobody else.
    pub(crate) blames: &'static [Blame],
    /// Words that the reasons must have.
    pub(crate) says: &'static [&'static str],
    /// The limits that must have fired, and no others; as the reasons tell, if there are none.
    pub(crate) fires: &'static [&'static str],
    /// It must end by itself, for certain, after so many seconds of the judged part.
    pub(crate) within_s: Option<f64>,
}

impl Row {
    const fn saying(self, says: &'static [&'static str]) -> Self {
        Self { says, ..self }
    }

    const fn firing(self, fires: &'static [&'static str]) -> Self {
        Self { fires, ..self }
    }

    const fn within(self, seconds: f64) -> Self {
        Self {
            within_s: Some(seconds),
            ..self
        }
    }
}

const LEAK: ReasonCode = ReasonCode::LimitExceeded;
const FLOOR: ReasonCode = ReasonCode::FloorMissed;
const ABSENT: ReasonCode = ReasonCode::MetricAbsent;
const SPARSE: ReasonCode = ReasonCode::MetricSparse;
const LEFT_OVER: ReasonCode = ReasonCode::NotDrained;
const BOTH: &[(ReasonCode, &str)] = &[(LEAK, "fds"), (LEAK, "tasks")];
const LEFT: &[(ReasonCode, &str)] = &[(LEFT_OVER, "fds"), (LEFT_OVER, "tasks")];
const LINES: &[(ReasonCode, &str)] = &[(LEAK, "lines")];
const DEADLINES: (ReasonCode, &str) = (LEAK, "deadline_errors");

/// Half of the containers are idle, and only their readers stay behind.
const HALF: Option<(f64, &str)> = Some((0.5, "rotation"));
const EACH: Option<(f64, &str)> = Some((1.0, "rotation"));
const THIRD: Option<(f64, &str)> = Some((0.333, "rotation"));
const FIFTIETH: Option<(f64, &str)> = Some((0.02, "rotation"));
/// Rotations that are never completed, or whose metric is gone, are counted by nobody: those that were due are.
const HALF_DUE: Option<(f64, &str)> = Some((0.5, DUE));
const EACH_DUE: Option<(f64, &str)> = Some((1.0, DUE));
const TWO_DUE: Option<(f64, &str)> = Some((2.0, DUE));
/// The watchdog gives a loop up after 36 intervals, which end when about a third of the judged part is over.
const LAST_DUE: Option<(f64, &str)> = Some((0.63, DUE));
const TWO_LAST_DUE: Option<(f64, &str)> = Some((1.27, DUE));
const EACH_START: Option<(f64, &str)> = Some((1.0, "container start"));
const EACH_FAULT: Option<(f64, &str)> = Some((6.0, "fault"));
const ENTRY: Option<(f64, &str)> = Some((256.0 * 1024.0, "rotation"));

/// The engine's socket: Docker's, the simulated one's.
const ENGINE: &[&str] = &["docker.sock", "engine.sock"];

/// What is left of a stream that has ended at the other end.
const ENDED: &[&str] = &["closed by the other end"];

/// A stream that has ended may have left its connection open, for the next request.
const EITHER: &[&str] = &["docker.sock", "engine.sock", "closed by the other end"];

const STREAMS: &[&str] = &["unix-socket"];

const fn streams(each: Option<(f64, &'static str)>) -> Blame {
    Blame::of("fds", STREAMS, each).to(ENGINE)
}

const fn tasks(names: &'static [&'static str], each: Option<(f64, &'static str)>) -> Blame {
    Blame::of("tasks", names, each)
}

macro_rules! row {
    ($name:literal, $verdict:ident, $reasons:expr, $blames:expr) => {
        Row {
            name: $name,
            scenario: include_str!(concat!("../../../scenarios/record/", $name, ".toml")),
            verdict: Verdict::$verdict,
            reasons: $reasons,
            blames: const { $blames },
            says: &[],
            fires: &[],
            within_s: None,
        }
    };
}

/// Every row.
pub(crate) const ROWS: [Row; 32] = [
    row!("pre-fase", Fail, BOTH, &[streams(HALF), tasks(&["reader"], HALF)]),
    row!("fase-6", Fail, BOTH, &[streams(HALF), tasks(&["reader"], HALF)]),
    row!("fase-6b", Invalid, &[(ReasonCode::StaleBuild, "")], &[]).saying(&[
        "agent was built",
        "before the last change of",
        "agent.go",
    ]),
    row!("fase-6c", Fail, &[(FLOOR, "rotations")], &[]).within(20.0),
    row!(
        "fase-6c-explosion",
        Fail,
        &[DEADLINES, (LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(LAST_DUE), tasks(&["loop", "reader"], TWO_LAST_DUE)]
    ),
    row!(
        "fase-6d",
        Fail,
        &[DEADLINES, (LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(EACH_DUE), tasks(&["waiter", "reader"], TWO_DUE)]
    ),
    row!(
        "fase-6e",
        Fail,
        &[(LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(EACH_DUE), tasks(&["attempt", "reader"], TWO_DUE)]
    ),
    row!(
        "fase-6e-early",
        Fail,
        &[(LEFT_OVER, "fds"), (FLOOR, "rotations"), (LEFT_OVER, "tasks")],
        &[streams(None), tasks(&["attempt", "reader"], None)]
    )
    .within(15.0),
    // How often a stream that ends at once is tried, until its container is known to be gone, is the engine's pace.
    row!(
        "fase-6f",
        Fail,
        LEFT,
        &[streams(None).to(EITHER), tasks(&["watcher"], None)]
    ),
    row!(
        "fase-6g",
        Fail,
        &[
            (LEAK, "fds"),
            (ABSENT, "rotations"),
            (ABSENT, "streams"),
            (LEAK, "tasks")
        ],
        &[streams(HALF_DUE), tasks(&["reader"], HALF_DUE)]
    ),
    row!("fase-6h", Pass, &[], &[]),
    row!("fd-only", Fail, &[(LEAK, "fds")], &[streams(EACH)])
        .firing(&["fds: growth_per_min < 30", "fds: per_rotation < 0.2"]),
    row!("tasks-only", Fail, &[(LEAK, "tasks")], &[tasks(&["heartbeat"], EACH)]),
    row!(
        "memory-only",
        Fail,
        &[(LEAK, "rss")],
        &[Blame::of("memory", &["anonymous memory"], ENTRY)]
    ),
    // Others on the machine may have taken most of the 128 watchers, so how many it gets is not known.
    row!(
        "inotify-only",
        Fail,
        &[(LEFT_OVER, "fds")],
        &[Blame::of("fds", &["inotify"], None)]
    ),
    row!(
        "threads",
        Fail,
        &[(LEAK, "threads")],
        &[Blame::of("threads", &["rotation"], EACH)]
    ),
    row!(
        "zombies",
        Fail,
        &[(LEAK, "children")],
        &[Blame::of("children", &["true"], EACH)]
    ),
    row!(
        "per-container-start",
        Fail,
        LEFT,
        &[streams(EACH_START).to(EITHER), tasks(&["forgotten"], EACH_START)]
    ),
    // Each fault breaks the streams of all six containers.
    row!(
        "only-under-fault",
        Fail,
        LEFT,
        &[streams(EACH_FAULT).to(ENDED), tasks(&["forgotten"], EACH_FAULT)]
    ),
    row!(
        "one-in-fifty",
        Fail,
        LEFT,
        &[streams(FIFTIETH), tasks(&["forgotten"], FIFTIETH)]
    ),
    row!(
        "late-onset",
        Fail,
        BOTH,
        &[
            streams(THIRD).when("checkpoint"),
            tasks(&["forgotten"], THIRD).when("checkpoint")
        ]
    ),
    row!("loses-lines", Fail, LINES, &[]).firing(&["lines: lost == 0"]),
    row!("repeats-lines", Fail, LINES, &[]).firing(&["lines: duplicated == 0"]),
    row!("reorders-lines", Fail, LINES, &[]).firing(&["lines: reordered == 0"]),
    row!("tears-lines", Fail, LINES, &[]).firing(&["lines: lost == 0", "lines: torn == 0"]),
    row!("dies", Fail, &[(ReasonCode::TargetDied, "")], &[]),
    row!("dead-reader", Fail, &[(FLOOR, "rotations"), (FLOOR, "streams")], &[])
        .firing(&["streams: min >= 5", "rotations: increase >= 90% of expected"]),
    row!("counts-the-dead", Fail, &[(LEAK, "streams")], &[]).firing(&["streams: max <= 7"]),
    row!("freezes", Invalid, &[(ReasonCode::MetricStuck, "tasks")], &[]),
    row!("answers-rarely", Invalid, &[(SPARSE, "tasks")], &[]),
    row!("logs-errors", Fail, &[DEADLINES], &[]).firing(&["deadline_errors: increase < 1"]),
    row!("ceiling", Fail, &[(LEAK, "fds")], &[streams(EACH)]).firing(&[
        "fds: max < 60",
        "fds: mean < 60",
        "fds: growth < 20",
        "fds: endpoint_per_min < 30",
    ]),
];
