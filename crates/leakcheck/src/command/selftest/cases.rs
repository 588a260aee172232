//! The cases of the self-test: the FASE case study, classic leaks and the other limits.
//!
//! Each case has exactly one right outcome: verdict, reasons and attribution.

use leakcheck_model::verdict::{ReasonCode, Verdict};

use super::expected_attribution::{EXPECTED_ROTATION, ExpectedAttribution};

#[cfg(test)]
mod tests;

/// A case.
pub(crate) struct Case {
    /// The scenario's name.
    pub(crate) name: &'static str,
    /// The scenario file's text.
    pub(crate) scenario: &'static str,
    /// Expected verdict.
    pub(crate) verdict: Verdict,
    /// Expected reasons, each with its metric (empty for the run as a whole).
    pub(crate) reasons: &'static [(ReasonCode, &'static str)],
    /// Expected attribution, and no other.
    pub(crate) attributions: &'static [ExpectedAttribution],
    /// Texts that the reasons must contain.
    pub(crate) messages: &'static [&'static str],
    /// Limits that must fail, and no others. Empty if the reasons suffice.
    pub(crate) failed_limits: &'static [&'static str],
    /// Seconds of measuring within which the run must stop early.
    pub(crate) within_s: Option<f64>,
}

impl Case {
    const fn with_messages(self, messages: &'static [&'static str]) -> Self {
        Self { messages, ..self }
    }

    const fn failing(self, failed_limits: &'static [&'static str]) -> Self {
        Self { failed_limits, ..self }
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

/// Half of the containers are idle, and only their readers leak.
const HALF: Option<(f64, &str)> = Some((0.5, "rotation"));
const EACH: Option<(f64, &str)> = Some((1.0, "rotation"));
const THIRD: Option<(f64, &str)> = Some((0.333, "rotation"));
const FIFTIETH: Option<(f64, &str)> = Some((0.02, "rotation"));
/// Rotations that are never completed, or whose metric is absent, are not counted. The expected ones are.
const HALF_EXPECTED: Option<(f64, &str)> = Some((0.5, EXPECTED_ROTATION));
const EACH_EXPECTED: Option<(f64, &str)> = Some((1.0, EXPECTED_ROTATION));
const TWO_EXPECTED: Option<(f64, &str)> = Some((2.0, EXPECTED_ROTATION));
/// The watchdog gives up a loop after 36 intervals, which end after about a third of the measurement.
const LATE_EXPECTED: Option<(f64, &str)> = Some((0.63, EXPECTED_ROTATION));
const TWO_LATE_EXPECTED: Option<(f64, &str)> = Some((1.27, EXPECTED_ROTATION));
const EACH_START: Option<(f64, &str)> = Some((1.0, "container start"));
const EACH_FAULT: Option<(f64, &str)> = Some((6.0, "fault"));
const ENTRY: Option<(f64, &str)> = Some((256.0 * 1024.0, "rotation"));

/// The sockets of Docker and of the simulated engine.
const ENGINE: &[&str] = &["docker.sock", "engine.sock"];

/// A connection that the engine has closed.
const ENDED: &[&str] = &["closed by the other end"];

/// A stream that has ended may keep its connection open for the next request.
const EITHER: &[&str] = &["docker.sock", "engine.sock", "closed by the other end"];

const STREAMS: &[&str] = &["unix-socket"];

const fn streams(each: Option<(f64, &'static str)>) -> ExpectedAttribution {
    ExpectedAttribution::of("fds", STREAMS, each).to(ENGINE)
}

const fn tasks(names: &'static [&'static str], each: Option<(f64, &'static str)>) -> ExpectedAttribution {
    ExpectedAttribution::of("tasks", names, each)
}

macro_rules! case {
    ($name:literal, $verdict:ident, $reasons:expr, $attributions:expr) => {
        Case {
            name: $name,
            scenario: include_str!(concat!("../../../../../scenarios/selftest/", $name, ".toml")),
            verdict: Verdict::$verdict,
            reasons: $reasons,
            attributions: const { $attributions },
            messages: &[],
            failed_limits: &[],
            within_s: None,
        }
    };
}

/// All cases.
pub(crate) const CASES: [Case; 32] = [
    case!("pre-fase", Fail, BOTH, &[streams(HALF), tasks(&["reader"], HALF)]),
    case!("fase-6", Fail, BOTH, &[streams(HALF), tasks(&["reader"], HALF)]),
    case!("fase-6b", Invalid, &[(ReasonCode::StaleBuild, "")], &[]).with_messages(&[
        "agent was built",
        "before the last change of",
        "agent.go",
    ]),
    case!("fase-6c", Fail, &[(FLOOR, "rotations")], &[]).within(20.0),
    case!(
        "fase-6c-explosion",
        Fail,
        &[DEADLINES, (LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(LATE_EXPECTED), tasks(&["loop", "reader"], TWO_LATE_EXPECTED)]
    ),
    case!(
        "fase-6d",
        Fail,
        &[DEADLINES, (LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(EACH_EXPECTED), tasks(&["waiter", "reader"], TWO_EXPECTED)]
    ),
    case!(
        "fase-6e",
        Fail,
        &[(LEAK, "fds"), (FLOOR, "rotations"), (LEAK, "tasks")],
        &[streams(EACH_EXPECTED), tasks(&["attempt", "reader"], TWO_EXPECTED)]
    ),
    case!(
        "fase-6e-early",
        Fail,
        &[(LEFT_OVER, "fds"), (FLOOR, "rotations"), (LEFT_OVER, "tasks")],
        &[streams(None), tasks(&["attempt", "reader"], None)]
    )
    .within(15.0),
    // The number of retries until a container is known to be gone depends on the engine.
    case!(
        "fase-6f",
        Fail,
        LEFT,
        &[streams(None).to(EITHER), tasks(&["watcher"], None)]
    ),
    case!(
        "fase-6g",
        Fail,
        &[
            (LEAK, "fds"),
            (ABSENT, "rotations"),
            (ABSENT, "streams"),
            (LEAK, "tasks")
        ],
        &[streams(HALF_EXPECTED), tasks(&["reader"], HALF_EXPECTED)]
    ),
    case!("fase-6h", Pass, &[], &[]),
    case!("fd-only", Fail, &[(LEAK, "fds")], &[streams(EACH)])
        .failing(&["fds: growth_per_min < 30", "fds: per_rotation < 0.2"]),
    case!("tasks-only", Fail, &[(LEAK, "tasks")], &[tasks(&["heartbeat"], EACH)]),
    case!(
        "memory-only",
        Fail,
        &[(LEAK, "rss")],
        &[ExpectedAttribution::of("memory", &["anonymous memory"], ENTRY)]
    ),
    // Other processes may hold most of the 128 watchers, so the number is not known.
    case!(
        "inotify-only",
        Fail,
        &[(LEFT_OVER, "fds")],
        &[ExpectedAttribution::of("fds", &["inotify"], None)]
    ),
    case!(
        "threads",
        Fail,
        &[(LEAK, "threads")],
        &[ExpectedAttribution::of("threads", &["rotation"], EACH)]
    ),
    case!(
        "zombies",
        Fail,
        &[(LEAK, "children")],
        &[ExpectedAttribution::of("children", &["true"], EACH)]
    ),
    case!(
        "per-container-start",
        Fail,
        LEFT,
        &[streams(EACH_START).to(EITHER), tasks(&["forgotten"], EACH_START)]
    ),
    // Each fault breaks the streams of all six containers.
    case!(
        "only-under-fault",
        Fail,
        LEFT,
        &[streams(EACH_FAULT).to(ENDED), tasks(&["forgotten"], EACH_FAULT)]
    ),
    case!(
        "one-in-fifty",
        Fail,
        LEFT,
        &[streams(FIFTIETH), tasks(&["forgotten"], FIFTIETH)]
    ),
    case!(
        "late-onset",
        Fail,
        BOTH,
        &[
            streams(THIRD).when("checkpoint"),
            tasks(&["forgotten"], THIRD).when("checkpoint")
        ]
    ),
    case!("loses-lines", Fail, LINES, &[]).failing(&["lines: lost == 0"]),
    case!("repeats-lines", Fail, LINES, &[]).failing(&["lines: duplicated == 0"]),
    case!("reorders-lines", Fail, LINES, &[]).failing(&["lines: reordered == 0"]),
    case!("tears-lines", Fail, LINES, &[]).failing(&["lines: lost == 0", "lines: torn == 0"]),
    case!("dies", Fail, &[(ReasonCode::TargetDied, "")], &[]),
    case!("dead-reader", Fail, &[(FLOOR, "rotations"), (FLOOR, "streams")], &[])
        .failing(&["streams: min >= 5", "rotations: increase >= 90% of expected"]),
    case!("counts-the-dead", Fail, &[(LEAK, "streams")], &[]).failing(&["streams: max <= 7"]),
    case!("freezes", Invalid, &[(ReasonCode::MetricStuck, "tasks")], &[]),
    case!("answers-rarely", Invalid, &[(SPARSE, "tasks")], &[]),
    case!("logs-errors", Fail, &[DEADLINES], &[]).failing(&["deadline_errors: increase < 1"]),
    case!("ceiling", Fail, &[(LEAK, "fds")], &[streams(EACH)]).failing(&[
        "fds: max < 60",
        "fds: mean < 60",
        "fds: growth < 20",
        "fds: endpoint_per_min < 30",
    ]),
];
