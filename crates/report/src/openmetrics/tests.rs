//! Tests of the OpenMetrics export.

use super::*;
use crate::tests::sample_run::{SampleRun, leaking};
use leakcheck_model::{EventKind, Phase};

fn zero() -> Timestamp {
    "2026-01-02T03:04:05.250Z".parse().expect("a timestamp")
}

const LABELS: Labels<'_> = Labels {
    scenario: "odd \"name\"\\",
    run_id: "run-1",
    commit: Some("0123abc"),
};

fn small() -> SampleRun {
    SampleRun::new([1.0, 0.0, 0.0, 2.0, 0.0])
        .metric("fds", "", |t| (t >= 0.0).then_some(67.0))
        .metric("rss", "B", |_| Some(6_291_456.0))
        .metric("rotations", "", |t| Some(t + 1.0))
        .metric("odd-name", "", |_| Some(0.5))
        .metric("odd.name", "", |_| Some(1.5))
}

#[test]
fn samples_have_types_units_labels_and_timestamps() {
    insta::assert_snapshot!(openmetrics(&small().record, zero(), LABELS));
}

#[test]
fn rows_whose_time_decreases_are_left_out() {
    let mut example = small();
    example.record.samples.t_s[2] = 0.0;
    let text = openmetrics(&example.record, zero(), LABELS);
    assert_eq!(text.matches("leakcheck_rss_bytes{").count(), 2, "{text}");
}

#[test]
fn the_clock_is_read_from_the_event_nearest_to_zero() {
    let event = |t_s: f64, at: &str| Event {
        t_s,
        at: at.into(),
        kind: EventKind::PhaseBegan { phase: Phase::Idle },
    };
    let events = [
        event(-20.0, "2026-01-02T03:03:40Z"),
        event(1.5, "2026-01-02T03:04:06.750Z"),
        event(300.0, "2026-01-02T03:10:00Z"),
    ];
    assert_eq!(clock_zero(&events), Some(zero()));
    assert_eq!(clock_zero(&[]), None);
}

#[test]
fn promtool_creates_blocks() {
    if std::process::Command::new("promtool")
        .arg("--version")
        .output()
        .is_err()
    {
        return crate::tests::skip::skip("`promtool` is not installed (Debian's package prometheus has it)");
    }
    let scratch = tempfile::tempdir().expect("scratch");
    let (input, blocks) = (scratch.path().join("samples.txt"), scratch.path().join("blocks"));
    for example in [small(), leaking()] {
        std::fs::write(&input, openmetrics(&example.record, zero(), LABELS)).expect("writes");
        let made = std::process::Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&input, &blocks])
            .output()
            .expect("runs");
        let output = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success() && !output.contains("err"), "{output}");
    }
    // `dump` refuses a folder of blocks without a write-ahead log.
    std::fs::create_dir(blocks.join("wal")).expect("makes");
    let listed = std::process::Command::new("promtool")
        .args(["tsdb", "dump"])
        .arg(&blocks)
        .output()
        .expect("runs");
    let dump = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        dump.contains("\"leakcheck_rotations_total\"") && dump.contains(" 6.291456e+06 "),
        "{dump}"
    );
}
