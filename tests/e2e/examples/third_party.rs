//! A third-party log collector, written with Docker's Python SDK, on 55 containers.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{has_docker, leakcheck, root, stderr};
use crate::skip::skip_without_tool;

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// Runs the scenario on a shorter schedule and returns its result. An undecided run is repeated once.
fn judged(engine: &str) -> Option<Value> {
    if !succeeds("python3", &["-c", "import docker"]) {
        skip_without_tool("Python's package `docker` is not installed (pip install docker)");
        return None;
    }
    let first = judged_once(engine);
    let undecided = ["invalid", "inconclusive"].iter().any(|v| first["verdict"] == *v);
    Some(if undecided { judged_once(engine) } else { first })
}

fn judged_once(engine: &str) -> Value {
    let scratch = tempfile::TempDir::new().expect("a scratch folder");
    let output = leakcheck()
        .args(["run", "scenarios/third-party-python.toml", "--json", "--engine", engine])
        .args(["--warm-up", "5s", "--measure", "30s"])
        .arg("--out")
        .arg(scratch.path())
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let result = serde_json::from_slice(&output.stdout);
    result.unwrap_or_else(|_| panic!("no result: {}", stderr(&output)))
}

/// Checks that every line is accounted for, that a lost line is a fail, and that nothing else is a reason.
fn check_result(result: &Value) {
    let lines = &result["lines"];
    let count = |what: &str| lines[what].as_u64().expect(what);
    assert!(count("sent") > 20_000, "{lines}");
    assert_eq!(count("delivered") + count("lost"), count("sent"), "{lines}");
    assert_eq!((count("duplicated"), count("torn")), (0, 0), "{lines}");
    let verdict = if count("lost") == 0 { "pass" } else { "fail" };
    assert_eq!(result["verdict"], verdict, "{}", result["reasons"]);
    let other = |r: &Value| r["metric"] != "lines";
    let reasons = result["reasons"].as_array().expect("reasons");
    assert!(!reasons.iter().any(other), "{reasons:?}");
    let threads = result["metrics"]["threads"]["last"].as_f64();
    assert!(threads >= Some(56.0), "a thread for each container: {threads:?}");
}

#[test]
fn a_third_partys_collector_gets_a_verdict_on_docker() {
    if !has_docker() {
        return;
    }
    if let Some(result) = judged("docker") {
        check_result(&result);
        // A busy engine may end a followed stream before a container's last lines, and this collector does not retry.
        // A few lost lines are allowed.
        assert!(result["lines"]["lost"].as_u64() < Some(55 * 5), "{}", result["lines"]);
    }
}

#[test]
fn a_third_partys_collector_gets_a_verdict_on_the_simulated_engine() {
    if let Some(result) = judged("simulated") {
        check_result(&result);
        assert_eq!(result["lines"]["lost"], 0, "{}", result["lines"]);
    }
}
