//! The simulated engine: chosen with a message if there is no Docker, with the same figures as a real one, and as a command.

mod commands;
mod levels;
mod many;

use std::process::{Command, Stdio};

use crate::harness::{BRIEF, Engine, Harness, RunOutput, executable};

#[test]
fn without_docker_the_simulated_engine_is_used_and_the_first_line_reports_it() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let scenario = harness.scenario(BRIEF);
    // With a soft limit of 1,024 files, as in most sessions.
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -Sn 1024 && exec \"$2\" run \"$0\" --engine auto --json --out \"$1\"",
        ])
        .arg(&scenario)
        .arg(harness.reports())
        .arg(executable())
        .env("DOCKER_HOST", "unix:///nowhere")
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let ran = RunOutput::new(&output);
    let first = ran.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("brief run ") && first.contains("simulated engine (no Docker, no real containers)"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("no Docker engine answered"), "why: {}", ran.stderr);
    assert_eq!(ran.result["engine"]["kind"], "simulated", "{}", ran.stderr);
    let summary = std::fs::read_to_string(harness.run_folder().join("summary.md")).expect("a summary");
    assert!(summary.contains("simulated"), "{summary}");
}

#[test]
fn the_soft_limit_of_open_files_is_raised_for_leakcheck_and_kept_for_the_target() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let text = BRIEF
        .replace(
            "kind = \"capture\"",
            "kind = \"command\"\ncommand = [\"sh\", \"-c\", \"grep 'open files' /proc/self/limits /proc/$PPID/limits; exec sleep 60\"]",
        )
        .replace("streams = \"min >= 3\"", "fds = \"max < 100\"");
    let scenario = harness.scenario(&text);
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -Sn 1024 && exec \"$2\" run \"$0\" --engine simulated --json --out \"$1\"",
        ])
        .arg(&scenario)
        .arg(harness.reports())
        .arg(executable())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let ran = RunOutput::new(&output);
    assert_ne!(ran.result["engine"], serde_json::Value::Null, "{}", ran.stderr);
    let log = std::fs::read_to_string(harness.run_folder().join("target.log")).expect("the target's output");
    // grep prefixes each line with its file: /proc/self has the target's limits, the other one those of leakcheck.
    let limits = |own: bool| -> (String, String) {
        let line = log
            .lines()
            .find(|line| line.starts_with("/proc/self/") == own)
            .expect("a line");
        let (_, rest) = line.split_once("Max open files").expect("limits");
        let mut numbers = rest.split_whitespace().map(str::to_owned);
        (numbers.next().expect("soft"), numbers.next().expect("hard"))
    };
    assert_eq!(limits(true).0, "1024", "unchanged for the target: {log}");
    let (soft, hard) = limits(false);
    assert_eq!(soft, hard, "raised for leakcheck: {log}");
}
