//! A collector that is not ours, on Docker's Python SDK, in front of 55 containers.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::aloud::skip_without_tool;
use crate::stand::{LEAKCHECK, root, said};

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// Runs the scenario on a shorter schedule and gives its result.
fn judged(engine: &str) -> Option<Value> {
    if !succeeds("python3", &["-c", "import docker"]) {
        skip_without_tool("Python's package `docker` is not installed (pip install docker)");
        return None;
    }
    let first = judged_once(engine);
    // A machine that is busy with other tests may leave it undecided: then once more.
    let undecided = ["invalid", "inconclusive"].iter().any(|v| first["verdict"] == *v);
    Some(if undecided { judged_once(engine) } else { first })
}

fn judged_once(engine: &str) -> Value {
    let scratch = tempfile::TempDir::new().expect("a scratch folder");
    let output = Command::new(LEAKCHECK)
        .args(["run", "scenarios/third-party-python.toml", "--json", "--engine", engine])
        .args(["--warm-up", "5s", "--measure", "30s"])
        .arg("--out")
        .arg(scratch.path())
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let result = serde_json::from_slice(&output.stdout);
    result.unwrap_or_else(|_| panic!("no result: {}", said(&output)))
}

/// Every line is accounted for, there is a verdict on what grew, and a line that was lost is a fail.
fn is_judged_and_its_lines_are_checked(result: &Value) {
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
    if !succeeds("docker", &["version"]) {
        return crate::aloud::skip_without_docker();
    }
    if let Some(result) = judged("docker") {
        is_judged_and_its_lines_are_checked(&result);
        // An engine that is busy ends a followed stream before a container's very last lines, and this collector does
        // not ask again: a handful may be lost, and no more.
        assert!(result["lines"]["lost"].as_u64() < Some(55 * 5), "{}", result["lines"]);
    }
}

#[test]
fn a_third_partys_collector_gets_a_verdict_on_the_simulated_engine() {
    if let Some(result) = judged("simulated") {
        is_judged_and_its_lines_are_checked(&result);
        assert_eq!(result["lines"]["lost"], 0, "{}", result["lines"]);
    }
}
