//! `leakcheck compare`: runs side by side, and an exit code for `git bisect run`.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{json, leakcheck, stderr};

/// Properties of a stored run.
struct Run {
    /// Minute of the day at which it began.
    began: u32,
    /// Leaked descriptors per minute.
    leak: f64,
    /// `false` for a killed run.
    finished: bool,
}

/// Writes the folder of a run of five minutes.
fn stored(root: &Path, name: &str, run: &Run) -> PathBuf {
    let folder = root.join(name);
    std::fs::create_dir(&folder).expect("a folder");
    let scenario = "name = \"daemon\"\n[target]\nkind = \"command\"\ncommand = [\"./agent\"]\n[schedule]\nmeasure = \"5m\"\nextend = \"0s\"\n[limits]\nfds = \"growth_per_min < 5\"\n";
    std::fs::write(folder.join("scenario.toml"), scenario).expect("scenario.toml");
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..300 {
        let fds = 40.0 + (run.leak * f64::from(t) / 60.0).floor();
        samples.push_str(&format!("{t},measure,{fds}\n"));
    }
    std::fs::write(folder.join("samples.csv"), samples).expect("samples.csv");
    let at = format!("2026-01-01T00:{:02}:00Z", run.began);
    let mut events = format!(
        "{{\"t_s\":0.0,\"at\":\"{at}\",\"event\":\"run-started\",\"run_id\":\"{name}\",\"scenario\":\"daemon\",\"version\":\"0.1.0\",\"command\":\"leakcheck run\"}}\n\
         {{\"t_s\":0.0,\"at\":\"{at}\",\"event\":\"target-started\",\"kind\":\"command\",\"commit\":\"{name}0123456789abcdef\"}}\n"
    );
    if run.finished {
        events.push_str(&format!("{{\"t_s\":301.0,\"at\":\"{at}\",\"event\":\"finished\"}}\n"));
    }
    std::fs::write(folder.join("events.jsonl"), events).expect("events.jsonl");
    folder
}

fn compare(folders: &[&Path], more: &[&str]) -> Output {
    leakcheck()
        .arg("compare")
        .args(folders)
        .args(more)
        .output()
        .expect("leakcheck starts")
}

const fn sound(began: u32) -> Run {
    Run {
        began,
        leak: 0.0,
        finished: true,
    }
}

const fn leaking(began: u32) -> Run {
    Run {
        leak: 60.0,
        ..sound(began)
    }
}

#[test]
fn the_newest_run_is_judged_whatever_the_order_of_the_arguments() {
    let root = TempDir::new().expect("a scratch folder");
    let old = stored(root.path(), "old", &sound(1));
    let new = stored(root.path(), "new", &leaking(2));
    for folders in [[old.as_path(), &new], [&new, &old]] {
        let output = compare(&folders, &["--json"]);
        let result = json(&output);
        assert_eq!(output.status.code(), Some(1), "{result}");
        assert_eq!(
            (&result["newest"], &result["outcome"]),
            (&Value::from("new"), &Value::from("worse"))
        );
        let codes: Vec<&str> = result["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .filter_map(|f| f["code"].as_str())
            .collect();
        assert_eq!(codes, ["verdict", "growth"]);
        assert_eq!(result["runs"][1]["fd_growth"], 299.0);
    }
}

#[test]
fn the_table_is_printed_to_standard_output() {
    let root = TempDir::new().expect("a scratch folder");
    let old = stored(root.path(), "old", &leaking(1));
    let new = stored(root.path(), "new", &sound(2));
    let output = compare(&[&new, &old], &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("run") && lines[0].contains("fds/min") && lines[0].contains("FD growth"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("old") && lines[1].contains("+299") && lines[1].ends_with("fail"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("new") && lines[2].contains("new012345678") && lines[2].ends_with("pass"),
        "{text}"
    );
}

#[test]
fn a_newest_run_without_a_verdict_is_skipped() {
    let root = TempDir::new().expect("a scratch folder");
    let old = stored(root.path(), "old", &sound(1));
    let killed = stored(
        root.path(),
        "killed",
        &Run {
            finished: false,
            ..sound(2)
        },
    );
    assert_eq!(compare(&[&old, &killed], &[]).status.code(), Some(125));
    // And an older one without a verdict is ignored.
    let new = stored(root.path(), "new", &sound(3));
    assert_eq!(compare(&[&killed, &new], &[]).status.code(), Some(125));
    assert_eq!(compare(&[&old, &killed, &new], &[]).status.code(), Some(0));
}

#[test]
fn wrong_folders_are_usage_errors() {
    let root = TempDir::new().expect("a scratch folder");
    let old = stored(root.path(), "old", &sound(1));
    let nowhere = root.path().join("nowhere");
    for (folders, text) in [
        (vec![old.as_path()], "a comparison needs two"),
        (vec![old.as_path(), &old], "given twice"),
        (vec![old.as_path(), &nowhere], "nowhere"),
        (vec![old.as_path(), root.path()], "not a run folder"),
    ] {
        let output = compare(&folders, &[]);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(text), "{printed}");
    }
}
