//! Whole runs of `leakcheck run`, on the real engine and on the simulated one.

use std::process::{Command, Stdio};

use crate::harness::{Engine, Harness, RunOutput, containers_with, leakcheck, wait_until};

/// A run with eight containers, rotations every second, and 20 s of measurement.
const SHORT: &str = r#"
name = "short"
[[load]]
name = "noisy"
containers = 6
lines_per_second = 20
line_bytes = [80, 400]
stderr_share = 0.2
[[load]]
name = "idle"
containers = 2
[target]
kind = "capture"
rotate_every = "1s"
[schedule]
warm_up = "4s"
measure = "20s"
checkpoint_every = "5s"
drain = "4s"
extend = "60s"
[limits]
tasks = ["growth_per_min < 20", "drained <= 2"]
fds = ["growth_per_min < 20", "drained <= 2"]
streams = ["min >= 7", "max <= 9"]
rotations = "increase >= 90% of expected"
lines = ["lost == 0", "duplicated == 0", "reordered == 0", "torn == 0"]
"#;

/// The same with the leaky target `fase-6`, which leaks a reader and its socket at each rotation.
fn leaking() -> String {
    SHORT.replace(
        "kind = \"capture\"",
        "kind = \"command\"\nstart = \"before-load\"\ncommand = [\"{leakcheck}\", \"leaky-target\", \"fase-6\", \"--docker-host\", \"{engine}\", \"--run\", \"{run}\", \"--rotate-every\", \"1s\", \"--output\", \"{output}\", \"--listen\", \"127.0.0.1:{port}\"]\nmetrics_url = \"http://127.0.0.1:{port}/metrics\"\nready = { url = \"http://127.0.0.1:{port}/healthz\" }\ndelivered = \"{output}\"",
    )
    .replace("[limits]", "[metrics]\ntasks = { metrics = \"log_capturer_tasks\" }\nstreams = { metrics = \"log_capturer_container_streams_active\" }\nrotations = { metrics = \"log_capturer_container_stream_rotations_total\", counter = true }\n[limits]")
    .replace("streams = [\"min >= 7\", \"max <= 9\"]\n", "")
}

fn a_clean_target_passes(engine: Engine) {
    let Some(harness) = Harness::on(engine) else { return };
    let ran = harness.run(SHORT, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.result["verdict"], "pass");
    assert_eq!(ran.result["lines"]["lost"], 0);
    assert!(
        ran.result["lines"]["sent"].as_u64() > Some(2000),
        "{}",
        ran.result["lines"]
    );
    let folder = harness.run_folder();
    for file in [
        "scenario.toml",
        "samples.csv",
        "events.jsonl",
        "result.json",
        "summary.md",
        "junit.xml",
        "report.html",
        "target.log",
        "charts/fds.svg",
        "charts/fds.png",
    ] {
        assert!(folder.join(file).is_file(), "{file} is missing");
    }
    // And `judge` repeats the result from the folder.
    let again = leakcheck()
        .arg("judge")
        .arg(&folder)
        .arg("--json")
        .output()
        .expect("judge");
    assert_eq!(RunOutput::new(&again).result, ran.result);
    if engine == Engine::Docker {
        let run = ran.result["run_id"].as_str().expect("an id");
        assert_eq!(containers_with(&format!("leakcheck.run={run}")), Vec::<String>::new());
    }
}

#[test]
fn a_clean_target_passes_on_docker() {
    a_clean_target_passes(Engine::Docker);
}

#[test]
fn a_clean_target_passes_on_the_simulated_engine() {
    a_clean_target_passes(Engine::Simulated);
}

fn a_leak_at_each_rotation_fails_and_is_attributed(engine: Engine) {
    let Some(harness) = Harness::on(engine) else { return };
    // A minute, because a shorter measurement may leave one of the two undecided.
    let ran = harness.run(&leaking(), &["--measure", "60s"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.reasons().contains(&"limit-exceeded tasks".into()),
        "{:?}",
        ran.reasons()
    );
    assert!(
        ran.reasons().contains(&"limit-exceeded fds".into()),
        "{:?}",
        ran.reasons()
    );
    let sentences = ran.result["attribution"]["sentences"].to_string();
    let sockets = ["unix sockets to docker.sock", "unix sockets to engine.sock"];
    assert!(sockets.iter().any(|text| sentences.contains(text)), "{sentences}");
    assert!(
        sentences.contains(" for each of ") && sentences.contains("rotations"),
        "{sentences}"
    );
}

#[test]
fn a_leak_fails_and_is_attributed_on_docker() {
    a_leak_at_each_rotation_fails_and_is_attributed(Engine::Docker);
}

#[test]
fn a_leak_fails_and_is_attributed_on_the_simulated_engine() {
    a_leak_at_each_rotation_fails_and_is_attributed(Engine::Simulated);
}

#[test]
fn a_target_without_metrics_is_invalid_and_not_a_pass() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let ran = harness.run(
        &SHORT.replace("[schedule]", "arguments = [\"--no-metrics\"]\n[schedule]"),
        &["--measure", "10s"],
    );
    assert_eq!(ran.code, 125, "{}", ran.stderr);
    assert_eq!(ran.result["verdict"], "invalid");
    for metric in ["tasks", "streams", "rotations"] {
        assert!(
            ran.reasons().contains(&format!("metric-absent {metric}")),
            "{:?}",
            ran.reasons()
        );
    }
    assert!(
        ran.result["metrics"]["tasks"]["last"].is_null(),
        "an absent series has no value"
    );
}

#[test]
fn a_target_that_dies_is_a_fail_with_that_reason() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let text = SHORT
        .replace("kind = \"capture\"", "kind = \"command\"\ncommand = [\"sleep\", \"6\"]")
        .replace("[limits]", "[limits]\nrss = \"max < 1 GiB\"");
    let text: String = text
        .lines()
        .filter(|l| {
            !["tasks =", "streams =", "rotations =", "lines ="]
                .iter()
                .any(|k| l.starts_with(k))
        })
        .map(|l| format!("{l}\n"))
        .collect();
    let ran = harness.run(&text, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.reasons().iter().any(|r| r.starts_with("target-died")),
        "{:?}",
        ran.reasons()
    );
}

#[test]
fn an_interrupt_reports_what_was_measured_and_removes_what_was_started() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let scenario = harness.scenario(SHORT);
    let child = harness
        .command(&scenario, &["--json", "--measure", "5m"])
        .spawn()
        .expect("leakcheck starts");
    await_rows(&harness, "measure", 3);
    signal(child.id(), "INT");
    let ran = RunOutput::new(&child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(
        ran.reasons().iter().any(|r| r.starts_with("interrupted")),
        "{:?}",
        ran.reasons()
    );
    assert!(ran.result["metrics"]["fds"]["samples"].as_u64() >= Some(3));
    assert_ne!(ran.result["verdict"], "pass");
    let run = harness.run_folder();
    let run = run.file_name().expect("a name").to_string_lossy();
    assert!(!std::env::temp_dir().join(format!("leakcheck-{run}")).exists());
}

#[test]
fn a_killed_run_is_removed_by_clean_and_can_be_judged() {
    let Some(harness) = Harness::on(Engine::Docker) else {
        return;
    };
    // Given a run that is killed in the middle, and a foreign container
    let scenario = harness.scenario(SHORT);
    let mut child = harness
        .command(&scenario, &["--measure", "5m"])
        .stderr(Stdio::null())
        .spawn()
        .expect("leakcheck starts");
    await_rows(&harness, "measure", 5);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let folder = harness.run_folder();
    let run = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let label = format!("leakcheck.run={run}");
    let scratch = || {
        let entries = std::fs::read_dir(std::env::temp_dir())
            .expect("the temporary folder")
            .flatten();
        let prefix = format!("leakcheck-{run}-");
        entries
            .filter(|e| e.file_name().to_string_lossy().starts_with(&prefix))
            .count()
    };
    assert_eq!(containers_with(&label).len(), 8);
    assert_eq!(scratch(), 1);
    let image = docker(&["inspect", "--format", "{{.Config.Image}}", &containers_with(&label)[0]]);
    let other = docker(&[
        "create",
        "--label",
        &format!("someone.else={run}"),
        "--network",
        "none",
        &image,
        "noise",
    ]);
    // When `clean` runs
    let cleaned = leakcheck().args(["clean", "--run", &run]).output().expect("clean");
    // Then nothing of the run is left, and the foreign container stays
    assert!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
    assert_eq!(containers_with(&label), Vec::<String>::new());
    assert_eq!(scratch(), 0);
    assert_eq!(containers_with(&format!("someone.else={run}")).len(), 1);
    docker(&["rm", "-f", &other]);
    // And the samples up to the kill are judged, but not as a pass
    let judged = RunOutput::new(
        &leakcheck()
            .arg("judge")
            .arg(&folder)
            .arg("--json")
            .output()
            .expect("judge"),
    );
    assert_eq!(judged.code, 125, "{}", judged.stderr);
    assert!(
        judged.reasons().iter().any(|r| r.starts_with("interrupted")),
        "{:?}",
        judged.reasons()
    );
    assert!(judged.result["metrics"]["fds"]["samples"].as_u64() >= Some(5));
    // And the target ended with the harness
    let target: u32 = event(&folder, "target-started")["pid"]
        .as_u64()
        .and_then(|p| u32::try_from(p).ok())
        .expect("a pid");
    wait_until("the target is gone", || {
        !std::path::Path::new(&format!("/proc/{target}/fd")).exists()
    });
}

/// The first event of a kind.
fn event(folder: &std::path::Path, kind: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("events.jsonl")).expect("events");
    text.lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("an event"))
        .find(|e| e["event"] == kind)
        .expect(kind)
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker");
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn signal(pid: u32, name: &str) {
    assert!(
        Command::new("kill")
            .arg(format!("-{name}"))
            .arg(pid.to_string())
            .status()
            .expect("kill")
            .success()
    );
}

/// Waits until `samples.csv` has so many rows of a phase.
fn await_rows(harness: &Harness, phase: &str, rows: usize) {
    wait_until("samples are measured", || {
        let csv = std::fs::read_dir(harness.reports().join("short"))
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .map(|r| r.path().join("samples.csv"));
        let text = csv.and_then(|c| std::fs::read_to_string(c).ok()).unwrap_or_default();
        text.lines().filter(|l| l.split(',').nth(1) == Some(phase)).count() >= rows
    });
}
