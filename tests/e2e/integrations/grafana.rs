//! The Grafana dashboards query only metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::TempDir;

use super::{a_run, exported};
use crate::daemon::{Daemon, body};
use crate::harness::{leakcheck, root, wait_until};

/// Names of the metrics that a dashboard queries.
fn queried(dashboard: &str, prefixes: &[&str]) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/grafana").join(dashboard)).expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|p| p["targets"].as_array().expect("targets"));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let queries = targets
        .map(|t| &t["expr"])
        .chain(variables.iter().map(|v| &v["definition"]))
        .filter_map(Value::as_str);
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    queries
        .flat_map(|q| q.split(word))
        .filter(|w| prefixes.iter().any(|p| w.starts_with(p)))
        .map(str::to_owned)
        .collect()
}

/// Names of the series in an exposition.
fn exposed(text: &str) -> BTreeSet<String> {
    let series = text.lines().filter(|l| !l.starts_with('#'));
    series
        .filter_map(|l| l.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_daemons_dashboard_queries_metrics_that_the_daemon_exposes() {
    // Given the daemon on three containers of the simulated engine, rotating
    let scratch = TempDir::new().expect("a scratch folder");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let socket = path("engine.sock");
    let mut engine = leakcheck()
        .args([
            "engine",
            "--socket",
            &socket,
            "--containers",
            "3",
            "--lines-per-second",
            "20",
        ])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("leakcheck starts");
    wait_until("the engine is there", || std::path::Path::new(&socket).exists());
    let host = format!("unix://{socket}");
    let output = path("out");
    let daemon = Daemon::start(&[
        "capture",
        "--docker-host",
        &host,
        "--listen",
        "127.0.0.1:0",
        "--output",
        &output,
        "--rotate-every",
        "1s",
    ]);
    // When it has rotated
    let mut text = String::new();
    wait_until("the daemon has rotated", || {
        text = body(&daemon.get("/metrics")).to_owned();
        text.lines()
            .any(|l| l.starts_with("log_capturer_container_stream_rotations_total{"))
    });
    // Then no queried metric is missing
    let queried = queried("daemon.json", &["log_capturer_", "process_"]);
    let missing: Vec<_> = queried.difference(&exposed(&text)).cloned().collect();
    assert_eq!(daemon.interrupt(), Some(0));
    engine.kill().expect("killed");
    engine.wait().expect("reaped");
    assert!(queried.len() > 15, "{queried:?}");
    assert!(missing.is_empty(), "{missing:?} of\n{text}");
}

#[test]
fn the_runs_dashboard_queries_metrics_that_a_run_exports() {
    let queried = queried("runs.json", &["leakcheck_"]);
    let exported = exposed(&exported(a_run()));
    let missing: Vec<_> = queried.difference(&exported).collect();
    assert!(queried.len() > 9, "{queried:?}");
    assert!(missing.is_empty(), "{missing:?} of {exported:?}");
}
