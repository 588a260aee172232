//! The simulated engine in Docker's place: taken and said when there is no Docker, the same levels as on the real one,
//! and a command of its own, as is the wire that breaks.

mod alone;
mod levels;
mod many;

use std::process::{Command, Stdio};

use crate::stand::{BRIEF, LEAKCHECK, On, Stand, ran};

#[test]
fn without_docker_the_simulated_engine_is_taken_and_said_in_the_first_line() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let scenario = stand.scenario(BRIEF);
    // A soft limit of 1,024 files as most sessions have it, which is ours to raise and not the target's to notice.
    let command = format!("ulimit -Sn 1024 && exec {LEAKCHECK} run \"$0\" --engine auto --json --out \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &command])
        .arg(&scenario)
        .arg(stand.reports())
        .env("DOCKER_HOST", "unix:///nowhere")
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let ran = ran(&output);
    let first = ran.said.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("brief run ") && first.contains("simulated engine (no Docker, no real containers)"),
        "{}",
        ran.said
    );
    assert!(ran.said.contains("no Docker engine answered"), "why: {}", ran.said);
    assert_eq!(ran.result["engine"]["kind"], "simulated", "{}", ran.said);
    let summary = std::fs::read_to_string(stand.run_folder().join("summary.md")).expect("a summary");
    assert!(summary.contains("simulated"), "{summary}");
}

#[test]
fn the_soft_limit_of_open_files_is_raised_for_us_and_kept_for_the_users_program() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let text = BRIEF
        .replace(
            "kind = \"capture\"",
            "kind = \"command\"\ncommand = [\"sh\", \"-c\", \"grep 'open files' /proc/self/limits /proc/$PPID/limits; exec sleep 60\"]",
        )
        .replace("streams = \"min >= 3\"", "fds = \"max < 100\"");
    let scenario = stand.scenario(&text);
    let command = format!("ulimit -Sn 1024 && exec {LEAKCHECK} run \"$0\" --engine simulated --json --out \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &command])
        .arg(&scenario)
        .arg(stand.reports())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let ran = ran(&output);
    assert_ne!(ran.result["engine"], serde_json::Value::Null, "{}", ran.said);
    let log = std::fs::read_to_string(stand.run_folder().join("target.log")).expect("the target's words");
    // What grep says of two files begins with the file: its own, which it has from the target, and its parent's parent's.
    let limits = |own: bool| -> (String, String) {
        let line = log
            .lines()
            .find(|line| line.starts_with("/proc/self/") == own)
            .expect("a line");
        let (_, rest) = line.split_once("Max open files").expect("limits");
        let mut numbers = rest.split_whitespace().map(str::to_owned);
        (numbers.next().expect("soft"), numbers.next().expect("hard"))
    };
    assert_eq!(limits(true).0, "1024", "as the user's session has it: {log}");
    let (soft, hard) = limits(false);
    assert_eq!(soft, hard, "ours is raised: {log}");
}
