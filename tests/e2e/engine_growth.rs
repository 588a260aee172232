//! Growth of the engine: reported as the engine's if the target does not grow, and limited like any other metric.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{leakcheck, wait_until};

/// An idle target, with a limit on the engine's descriptors.
const SCENARIO: &str = r#"
name = "whose-leak"
[target]
kind = "command"
command = ["sleep", "300"]
[schedule]
warm_up = "1s"
measure = "20s"
sample_every = "200ms"
checkpoint_every = "5s"
early_stop = false
extend = "0s"
[limits]
fds = "growth_per_min < 30"
engine_fds = "max <= 60"
"#;

/// A simulated engine that ends with its test.
struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Engine {
    fn at(socket: &Path) -> Self {
        let mut command = leakcheck();
        command.arg("engine").arg("--socket").arg(socket);
        let engine = Self(command.stderr(Stdio::null()).spawn().expect("leakcheck starts"));
        wait_until("the engine listens", || UnixStream::connect(socket).is_ok());
        engine
    }
}

/// Starts a client that opens a connection each 100 ms and closes none. A message on the channel ends it.
fn leaking_client(socket: &Path) -> (std::thread::JoinHandle<usize>, Sender<()>) {
    let (end, ended) = channel();
    let socket = socket.to_owned();
    let client = std::thread::spawn(move || {
        let mut held = Vec::new();
        while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            held.extend(UnixStream::connect(&socket));
        }
        held.len()
    });
    (client, end)
}

#[test]
fn growth_of_the_engine_is_not_attributed_to_the_target() {
    let folder = TempDir::new().expect("a folder");
    let (socket, scenario) = (folder.path().join("engine.sock"), folder.path().join("whose.toml"));
    std::fs::write(&scenario, SCENARIO).expect("a scenario");
    let engine = Engine::at(&socket);
    let (client, end) = leaking_client(&socket);
    let output = leakcheck()
        .args([
            "run",
            "--json",
            "--docker-host",
            &format!("unix://{}", socket.display()),
        ])
        .arg("--out")
        .arg(folder.path().join("reports"))
        .arg(&scenario)
        .output()
        .expect("leakcheck starts");
    end.send(()).expect("it waits");
    assert!(client.join().expect("it ends") > 100);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    // Only the engine exceeds its limit, and the attribution says so.
    assert_eq!(result["verdict"], "fail", "{stderr}");
    let failed = |metric: &str| {
        let limits = result["limits"].as_array().expect("limits");
        limits.iter().any(|l| l["metric"] == metric && l["outcome"] == "fail")
    };
    assert!(failed("engine_fds") && !failed("fds"), "{stderr}");
    assert_eq!(result["engine"]["pid"].as_u64(), Some(u64::from(engine.0.id())));
    assert_eq!(result["metrics"]["engine_fds"]["source"], "engine");
    let sentences = result["attribution"]["sentences"].to_string();
    assert!(
        sentences.contains("that growth is the engine's own or another client's, not the target's"),
        "{sentences}"
    );
    // And the columns are still time, phase, metrics.
    let runs = std::fs::read_dir(folder.path().join("reports/whose-leak")).expect("runs");
    let run = runs.flatten().next().expect("a run").path();
    let csv = std::fs::read_to_string(run.join("samples.csv")).expect("samples");
    let head: Vec<&str> = csv.lines().next().expect("a head").split(',').collect();
    assert_eq!(head[..2], ["t_s", "phase"]);
    for column in ["fds", "engine_fds", "engine_threads", "engine_rss", "engine_goroutines"] {
        assert!(head.contains(&column), "{head:?}");
    }
}

/// Waits until a sample of a run below `reports` contains `text`.
fn await_sample(reports: &Path, text: &str) {
    let contains = |run: std::fs::DirEntry| {
        std::fs::read_to_string(run.path().join("samples.csv")).is_ok_and(|samples| samples.contains(text))
    };
    wait_until("a sample is written", || {
        std::fs::read_dir(reports).is_ok_and(|mut runs| runs.any(|run| run.is_ok_and(contains)))
    });
}

#[test]
fn an_engine_that_restarts_during_the_measurement_makes_the_run_invalid() {
    let folder = TempDir::new().expect("a folder");
    let (socket, scenario) = (folder.path().join("engine.sock"), folder.path().join("whose.toml"));
    let reports = folder.path().join("reports");
    let short = SCENARIO
        .replace("\"20s\"", "\"6s\"")
        .replace("\"5s\"", "\"1s\"")
        .replace("growth_per_min < 30", "max < 30");
    std::fs::write(&scenario, short).expect("a scenario");
    let engine = Engine::at(&socket);
    let host = format!("unix://{}", socket.display());
    let run = leakcheck()
        .args(["run", "--json", "--docker-host", &host, "--out"])
        .args([&reports, &scenario])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("leakcheck starts");
    await_sample(&reports.join("whose-leak"), "measure");
    drop(engine);
    let _again = Engine::at(&socket);
    let output = run.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    assert_eq!(result["verdict"], "invalid", "{stderr}");
    assert_eq!(result["reasons"][0]["code"], "engine-lost", "{stderr}");
    assert!(
        stderr.contains("the engine was started again") || stderr.contains("is gone"),
        "{stderr}"
    );
}
