//! A run that was killed leaves what it had measured, and `leakcheck judge` reads it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const SCENARIO: &str = r#"name = "killed"
[target]
kind = "command"
command = ["./agent"]
[schedule]
warm_up = "5s"
measure = "10m"
[limits]
fds = "growth_per_min < 1"
"#;

const EVENTS: &str = r#"{"t_s":0.0,"at":"2026-01-01T00:00:00Z","event":"run-started","run_id":"20260101-000000-aaaa","scenario":"killed","version":"0.1.0","command":"leakcheck run killed.toml"}
{"t_s":0.1,"at":"2026-01-01T00:00:00Z","event":"target-started","kind":"command","pid":4711}
{"t_s":0.2,"at":"2026-01-01T00:00:00Z","event":"target-ready","after_s":0.1}
{"t_s":5.2,"at":"2026-01-01T00:00:05Z","event":"phase-began","phase":"measure"}
{"t_s":35.2,"at":"2026-01-01T00:00:35Z","event":"check"#;

/// A folder as a killed run leaves it: no result.json, and half a line at the end of both files.
fn killed(folder: &Path) {
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..120 {
        samples.push_str(&format!("{}.25,measure,{}\n", t + 6, 40 + t % 3));
    }
    samples.push_str("126.25,measure,9");
    std::fs::write(folder.join("scenario.toml"), SCENARIO).expect("scenario.toml");
    std::fs::write(folder.join("samples.csv"), samples).expect("samples.csv");
    std::fs::write(folder.join("events.jsonl"), EVENTS).expect("events.jsonl");
}

fn judged(folder: &Path) -> (Option<i32>, Value) {
    let output = Command::new(crate::stand::LEAKCHECK)
        .arg("judge")
        .arg(folder)
        .arg("--json")
        .output()
        .expect("leakcheck starts");
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
    )
}

#[test]
fn a_killed_run_has_no_verdict_but_its_figures() {
    // Given the folder of a run that was killed after two minutes of ten
    let folder = TempDir::new().expect("a scratch folder");
    killed(folder.path());
    // When it is judged
    let (code, result) = judged(folder.path());
    // Then there is no verdict, for that reason, and what was measured is there without the torn row
    assert_eq!(code, Some(125), "{result}");
    assert_eq!(result["verdict"], "inconclusive");
    let reasons = result["reasons"].as_array().expect("reasons");
    assert!(reasons.iter().any(|r| r["code"] == "interrupted"), "{reasons:?}");
    let fds = &result["metrics"]["fds"];
    assert_eq!((&fds["samples"], &fds["last"]), (&Value::from(120), &Value::from(42.0)));
    let growth = &fds["growth_per_min"];
    assert!(growth["low"].as_f64() < growth["high"].as_f64(), "{fds}");
    assert_eq!(result["started_at"], "2026-01-01T00:00:00Z");
}

#[test]
fn a_leak_that_was_certain_when_the_run_was_killed_is_a_fail_all_the_same() {
    let folder = TempDir::new().expect("a scratch folder");
    killed(folder.path());
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..300 {
        samples.push_str(&format!("{}.25,measure,{}\n", t + 6, 40 + t));
    }
    std::fs::write(folder.path().join("samples.csv"), samples).expect("samples.csv");
    let (code, result) = judged(folder.path());
    assert_eq!((code, &result["verdict"]), (Some(1), &Value::from("fail")), "{result}");
}
