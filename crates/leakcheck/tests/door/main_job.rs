//! The main job as an operator sees it, on the real engine and on the simulated one.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::stand::{LEAKCHECK, On, Stand, containers_with, ran};

/// 8 containers rotated every second, judged for 20 s.
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

/// The same with a replica of FASE 6 as its target: each rotation leaves a reader and its socket behind.
fn leaking() -> String {
    SHORT.replace(
        "kind = \"capture\"",
        "kind = \"command\"\nstart = \"before-load\"\ncommand = [\"{leakcheck}\", \"replica\", \"fase-6\", \"--docker-host\", \"{engine}\", \"--run\", \"{run}\", \"--rotate-every\", \"1s\", \"--output\", \"{output}\", \"--listen\", \"127.0.0.1:{port}\"]\nmetrics_url = \"http://127.0.0.1:{port}/metrics\"\nready = { url = \"http://127.0.0.1:{port}/healthz\" }\ndelivered = \"{output}\"",
    )
    .replace("[limits]", "[metrics]\ntasks = { metrics = \"log_capturer_tasks\" }\nstreams = { metrics = \"log_capturer_container_streams_active\" }\nrotations = { metrics = \"log_capturer_container_stream_rotations_total\", counter = true }\n[limits]")
    .replace("streams = [\"min >= 7\", \"max <= 9\"]\n", "")
}

fn a_clean_target_passes(on: On) {
    let Some(stand) = Stand::on(on) else { return };
    let ran = stand.run(SHORT, &[]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(ran.result["verdict"], "pass");
    assert_eq!(ran.result["lines"]["lost"], 0);
    assert!(
        ran.result["lines"]["sent"].as_u64() > Some(2000),
        "{}",
        ran.result["lines"]
    );
    let folder = stand.run_folder();
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
    // Judged again from its folder it is the same run.
    let again = Command::new(LEAKCHECK)
        .arg("judge")
        .arg(&folder)
        .arg("--json")
        .output()
        .expect("judge");
    let mut again = crate::stand::ran(&again).result;
    again["exit_code"] = ran.result["exit_code"].clone();
    assert_eq!(again, ran.result);
    if on == On::Docker {
        let run = ran.result["run_id"].as_str().expect("an id");
        assert_eq!(containers_with(&format!("leakcheck.run={run}")), Vec::<String>::new());
    }
}

#[test]
fn a_clean_target_passes_on_docker() {
    a_clean_target_passes(On::Docker);
}

#[test]
fn a_clean_target_passes_on_the_simulated_engine() {
    a_clean_target_passes(On::Simulated);
}

fn a_leak_of_a_task_and_a_descriptor_per_rotation_fails_and_names_both(on: On) {
    let Some(stand) = Stand::on(on) else { return };
    // A minute: the judge is slow to accuse, and a shorter look may leave one of the two undecided.
    let ran = stand.run(&leaking(), &["--measure", "60s"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
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
    let who = ran.result["attribution"]["sentences"].to_string();
    let engine = ["unix sockets to docker.sock", "unix sockets to engine.sock"];
    assert!(engine.iter().any(|words| who.contains(words)), "{who}");
    assert!(who.contains(" for each of ") && who.contains("rotations"), "{who}");
}

#[test]
fn a_leak_fails_and_is_named_on_docker() {
    a_leak_of_a_task_and_a_descriptor_per_rotation_fails_and_names_both(On::Docker);
}

#[test]
fn a_leak_fails_and_is_named_on_the_simulated_engine() {
    a_leak_of_a_task_and_a_descriptor_per_rotation_fails_and_names_both(On::Simulated);
}

#[test]
fn a_target_without_metrics_is_blindness_and_not_a_pass() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let ran = stand.run(
        &SHORT.replace("[schedule]", "arguments = [\"--no-metrics\"]\n[schedule]"),
        &["--measure", "10s"],
    );
    assert_eq!(ran.code, 125, "{}", ran.said);
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
        "a series that is absent has no value"
    );
}

#[test]
fn a_target_that_dies_is_a_fail_with_that_reason() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
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
    let ran = stand.run(&text, &[]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(
        ran.reasons().iter().any(|r| r.starts_with("target-died")),
        "{:?}",
        ran.reasons()
    );
}

#[test]
fn no_engine_is_no_verdict_and_says_what_to_do() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let scenario = stand.scenario(SHORT);
    let output = Command::new(LEAKCHECK)
        .args([
            "run",
            "--engine",
            "docker",
            "--docker-host",
            "unix:///nonexistent/docker.sock",
            "--out",
        ])
        .arg(stand.reports())
        .arg(scenario)
        .output()
        .expect("leakcheck starts");
    let ran = ran(&output);
    assert_eq!(ran.code, 125);
    assert!(
        ran.said.contains("/nonexistent/docker.sock") && ran.said.contains("--engine simulated"),
        "{}",
        ran.said
    );
    assert!(!stand.reports().exists(), "nothing was started, nothing is left");
}

#[test]
fn a_wrong_scenario_is_shown_with_its_line_and_nothing_is_started() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let ran = stand.run(&SHORT.replace("warm_up", "warmup"), &[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.said.contains("did you mean `warm_up`?") && ran.said.contains("warmup = \"4s\""),
        "{}",
        ran.said
    );
    assert!(!stand.reports().exists());
}

#[test]
fn an_interrupt_reports_what_was_measured_and_removes_what_was_started() {
    let Some(stand) = Stand::on(On::Simulated) else { return };
    let scenario = stand.scenario(SHORT);
    let child = stand
        .command(&scenario, &["--json", "--measure", "5m"])
        .spawn()
        .expect("leakcheck starts");
    await_rows(&stand, "measure", 3);
    signal(child.id(), "INT");
    let ran = ran(&child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 130, "{}", ran.said);
    assert!(
        ran.reasons().iter().any(|r| r.starts_with("interrupted")),
        "{:?}",
        ran.reasons()
    );
    assert!(ran.result["metrics"]["fds"]["samples"].as_u64() >= Some(3));
    assert_ne!(ran.result["verdict"], "pass");
    let run = stand.run_folder();
    let run = run.file_name().expect("a name").to_string_lossy();
    assert!(!std::env::temp_dir().join(format!("leakcheck-{run}")).exists());
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_clean_and_can_be_judged() {
    let Some(stand) = Stand::on(On::Docker) else { return };
    // Given a run that is killed in the middle, and a container of someone else
    let scenario = stand.scenario(SHORT);
    let mut child = stand
        .command(&scenario, &["--measure", "5m"])
        .stderr(Stdio::null())
        .spawn()
        .expect("leakcheck starts");
    await_rows(&stand, "measure", 5);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    let folder = stand.run_folder();
    let run = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let ours = format!("leakcheck.run={run}");
    let scratch = std::env::temp_dir().join(format!("leakcheck-{run}"));
    assert_eq!(containers_with(&ours).len(), 8);
    assert!(scratch.exists());
    let image = docker(&["inspect", "--format", "{{.Config.Image}}", &containers_with(&ours)[0]]);
    let other = docker(&[
        "create",
        "--label",
        &format!("someone.else={run}"),
        "--network",
        "none",
        &image,
        "noise",
    ]);
    // When it is cleaned
    let cleaned = Command::new(LEAKCHECK)
        .args(["clean", "--run", &run])
        .output()
        .expect("clean");
    // Then nothing of ours is left, and what is another's stays
    assert!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
    assert_eq!(containers_with(&ours), Vec::<String>::new());
    assert!(!scratch.exists());
    assert_eq!(containers_with(&format!("someone.else={run}")).len(), 1);
    docker(&["rm", "-f", &other]);
    // And the samples up to the kill can be judged: not as a pass
    let judged = ran(&Command::new(LEAKCHECK)
        .arg("judge")
        .arg(&folder)
        .arg("--json")
        .output()
        .expect("judge"));
    assert_eq!(judged.code, 125, "{}", judged.said);
    assert!(
        judged.reasons().iter().any(|r| r.starts_with("interrupted")),
        "{:?}",
        judged.reasons()
    );
    assert!(judged.result["metrics"]["fds"]["samples"].as_u64() >= Some(5));
    // And the target did not outlive the harness
    let target: u32 = event(&folder, "target-started")["pid"]
        .as_u64()
        .and_then(|p| u32::try_from(p).ok())
        .expect("a pid");
    await_condition("the target is gone", || {
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
fn await_rows(stand: &Stand, phase: &str, rows: usize) {
    await_condition("samples are measured", || {
        let csv = std::fs::read_dir(stand.reports().join("short"))
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .map(|r| r.path().join("samples.csv"));
        let text = csv.and_then(|c| std::fs::read_to_string(c).ok()).unwrap_or_default();
        text.lines().filter(|l| l.split(',').nth(1) == Some(phase)).count() >= rows
    });
}

fn await_condition(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
