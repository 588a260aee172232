//! `leakcheck judge` of killed runs and of tables from other tools.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{json, output, root, stderr};

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

/// Writes the folder of a killed run: no result.json, and both files end in the middle of a line.
fn write_killed_run(folder: &Path) {
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..120 {
        samples.push_str(&format!("{}.25,measure,{}\n", t + 6, 40 + t % 3));
    }
    samples.push_str("126.25,measure,9");
    std::fs::write(folder.join("scenario.toml"), SCENARIO).expect("scenario.toml");
    std::fs::write(folder.join("samples.csv"), samples).expect("samples.csv");
    std::fs::write(folder.join("events.jsonl"), EVENTS).expect("events.jsonl");
}

/// Judges a run folder. Returns exit code and result.
fn judged(folder: &Path) -> (Option<i32>, Value) {
    let output = output(&["judge", &folder.display().to_string(), "--json"]);
    (output.status.code(), json(&output))
}

#[test]
fn a_killed_run_has_no_verdict_but_has_its_figures() {
    // Given the folder of a run that was killed after two minutes of ten
    let folder = TempDir::new().expect("a scratch folder");
    write_killed_run(folder.path());
    // When it is judged
    let (code, result) = judged(folder.path());
    // Then there is no verdict, and every whole row counts
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
fn the_exit_code_of_an_interrupted_run_is_the_one_in_its_result() {
    let folder = TempDir::new().expect("a scratch folder");
    write_killed_run(folder.path());
    let interrupted = "{\"t_s\":36.0,\"at\":\"2026-01-01T00:00:36Z\",\"event\":\"interrupted\"}\n\
         {\"t_s\":36.1,\"at\":\"2026-01-01T00:00:36Z\",\"event\":\"finished\"}\n";
    let (whole, _) = EVENTS.rsplit_once('\n').expect("lines");
    std::fs::write(folder.path().join("events.jsonl"), format!("{whole}\n{interrupted}")).expect("events.jsonl");
    let (code, result) = judged(folder.path());
    assert_eq!((code, &result["exit_code"]), (Some(130), &Value::from(130)), "{result}");
}

#[test]
fn a_killed_run_with_a_certain_leak_is_a_fail() {
    let folder = TempDir::new().expect("a scratch folder");
    write_killed_run(folder.path());
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..300 {
        samples.push_str(&format!("{}.25,measure,{}\n", t + 6, 40 + t));
    }
    std::fs::write(folder.path().join("samples.csv"), samples).expect("samples.csv");
    let (code, result) = judged(folder.path());
    assert_eq!((code, &result["verdict"]), (Some(1), &Value::from("fail")), "{result}");
}

#[test]
fn a_table_of_another_tool_is_judged_by_a_limit_on_the_command_line() {
    let rows: String = (0..600).map(|t| format!("{t},{},5\n", 100 + t / 6)).collect();
    let table = format!("t_s,open,flat\n{rows}");
    let (code, result, _) = judged_table(&table, "open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(1), Some("fail")));
    let estimate = result["metrics"]["open"]["growth_per_min"]["estimate"]
        .as_f64()
        .expect("a figure");
    assert!((9.0..11.0).contains(&estimate), "{estimate}");
    let (code, result, _) = judged_table(&table, "flat: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("pass")));
}

/// Judges a table by `limit`. Returns exit code, result and standard error.
fn judged_table(text: &str, limit: &str) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().expect("scratch");
    let file = folder.path().join("table.csv");
    std::fs::write(&file, text).expect("a table");
    let output = output(&["judge", &file.display().to_string(), "--limit", limit, "--json"]);
    (output.status.code(), json(&output), stderr(&output))
}

#[test]
fn a_corrupt_row_is_a_warning_and_the_rest_is_judged() {
    let row = |t: u32| {
        if t == 100 {
            "100,1o5\n".to_owned()
        } else {
            format!("{t},105\n")
        }
    };
    let rows: String = (0..600).map(row).collect();
    let (code, result, _) = judged_table(&format!("t_s,open\n{rows}"), "open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("pass")));
    assert_eq!(result["metrics"]["open"]["missing"].as_u64(), Some(1));
    let warning = result["warnings"][0]["message"].as_str().unwrap_or_default();
    assert!(warning.contains("line 102: `1o5` in column `open`"), "{result}");
}

#[test]
fn a_table_with_more_than_five_percent_corrupt_rows_gets_no_verdict() {
    let row = |t: u32| {
        if t.is_multiple_of(10) {
            "soon,105\n".to_owned()
        } else {
            format!("{t},105\n")
        }
    };
    let rows: String = (1..600).map(row).collect();
    let (code, result, _) = judged_table(&format!("t_s,open\n{rows}"), "open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(125), Some("invalid")));
    assert_eq!(
        result["reasons"][0]["code"].as_str(),
        Some("samples-missed"),
        "{result}"
    );
}

#[test]
fn a_misspelt_metric_and_a_wrong_path_are_usage_errors_with_a_hint() {
    let (code, _, printed) = judged_table("t_s,open\n0,1\n1,1\n", "opne: growth_per_min < 2");
    assert_eq!(code, Some(2));
    assert!(
        printed.contains("no column `opne`") && printed.contains("did you mean `open`?"),
        "{printed}"
    );
    let scenarios = root().join("scenarios").display().to_string();
    for (path, hint) in [
        (&scenarios, "leakcheck run"),
        (&format!("{scenarios}/smoke.toml"), "leakcheck plan"),
    ] {
        let output = output(&["judge", path]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        assert!(stderr(&output).contains(hint), "{}", stderr(&output));
    }
}
