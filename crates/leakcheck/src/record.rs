//! The record's rows and the classic leaks, each with the verdict and the reasons that it must come out with, and no others.

use leakcheck_model::verdict::{ReasonCode, Verdict};

/// One row.
pub(crate) struct Row {
    /// The scenario's name, and the replica's.
    pub(crate) name: &'static str,
    /// The scenario file.
    pub(crate) scenario: &'static str,
    /// What it must come to.
    pub(crate) verdict: Verdict,
    /// For these reasons, each with its metric (empty: of the run as a whole).
    pub(crate) reasons: &'static [(ReasonCode, &'static str)],
}

const LEAK: ReasonCode = ReasonCode::LimitExceeded;
const FLOOR: ReasonCode = ReasonCode::FloorMissed;
const BOTH: &[(ReasonCode, &str)] = &[(LEAK, "fds"), (LEAK, "tasks")];
const LEFT: &[(ReasonCode, &str)] = &[(ReasonCode::NotDrained, "fds"), (ReasonCode::NotDrained, "tasks")];

macro_rules! row {
    ($name:literal, $verdict:ident, $reasons:expr) => {
        Row {
            name: $name,
            scenario: include_str!(concat!("../../../scenarios/record/", $name, ".toml")),
            verdict: Verdict::$verdict,
            reasons: $reasons,
        }
    };
}

/// Every row.
pub(crate) const ROWS: [Row; 19] = [
    row!("pre-fase", Fail, BOTH),
    row!("fase-6", Fail, BOTH),
    row!("fase-6b", Invalid, &[(ReasonCode::StaleBuild, "")]),
    row!("fase-6c", Fail, &[(FLOOR, "rotations")]),
    row!("fase-6d", Fail, &[(FLOOR, "rotations"), (LEAK, "tasks")]),
    row!("fase-6e", Fail, &[(LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")]),
    row!("fase-6f", Fail, LEFT),
    row!(
        "fase-6g",
        Fail,
        &[
            (LEAK, "fds"),
            (ReasonCode::MetricAbsent, "rotations"),
            (ReasonCode::MetricAbsent, "streams"),
            (LEAK, "tasks")
        ]
    ),
    row!("fase-6h", Pass, &[]),
    row!("fd-only", Fail, &[(LEAK, "fds")]),
    row!("tasks-only", Fail, &[(LEAK, "tasks")]),
    row!("memory-only", Fail, &[(LEAK, "rss")]),
    row!("inotify-only", Fail, &[(ReasonCode::NotDrained, "fds")]),
    row!("threads", Fail, &[(LEAK, "threads")]),
    row!("zombies", Fail, &[(LEAK, "children")]),
    row!("per-container-start", Fail, LEFT),
    row!("only-under-fault", Fail, LEFT),
    row!("one-in-fifty", Fail, LEFT),
    row!("late-onset", Fail, BOTH),
];
