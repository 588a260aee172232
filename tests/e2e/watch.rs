//! `leakcheck watch` of processes, commands, expositions and containers, without a scenario.

mod container;
mod goroutines;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{leakcheck, stderr};
use crate::retry::retry_missed_samples;

/// A watch in a scratch folder, without a Docker engine.
fn watch(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = leakcheck();
    command
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .current_dir(folder)
        .arg("watch")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a watch, and repeats it if samples were missed.
fn watched(folder: &Path, arguments: &[&str]) -> Output {
    retry_missed_samples(|| watch(folder, arguments).output().expect("leakcheck starts"))
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Serves an exposition from this process until the test ends, and returns the port.
fn serve(body: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

/// A child process, of this executable, that serves an exposition. The test process itself has a port for each such test.
struct MetricsServer(Child);

const SERVING: &str = "LEAKCHECK_TEST_SERVING";

impl MetricsServer {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this executable"))
            .args(["--ignored", "--exact", "--nocapture", "watch::a_metrics_server"])
            .env(SERVING, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"))
            .lines()
            .map_while(Result::ok);
        assert!(lines.any(|line| line == SERVING), "it does not serve");
        Self(child)
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "started by the test that watches it"]
fn a_metrics_server() {
    if std::env::var_os(SERVING).is_none() {
        return;
    }
    serve("# TYPE go_goroutines gauge\ngo_goroutines 12\n");
    let _ = writeln!(std::io::stderr(), "{SERVING}");
    // Until the parent ends and closes the pipe.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_running_process_is_judged_by_detected_metrics() {
    // Given a process with an exposition on one of its ports
    let daemon = MetricsServer::start();
    let folder = TempDir::new().expect("a scratch folder");
    let pid = daemon.0.id().to_string();
    // When it is watched with limits that five seconds can decide
    let limits = ["--limit", "tasks: growth_per_min < 30", "--limit", "threads: max < 500"];
    let arguments = [&["--pid", &pid, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = watched(folder.path(), &arguments);
    // Then its port and its goroutines were found, and `judge` repeats the verdict
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(result["metrics"]["tasks"]["last"], 12.0, "{}", stderr(&output));
    assert_eq!(result["target"]["kind"], "pid");
    assert!(result["engine"].is_null(), "{result}");
    let name = result["scenario"].as_str().expect("a name");
    let run = folder
        .path()
        .join("reports")
        .join(name)
        .join(result["run_id"].as_str().expect("an id"));
    let again = leakcheck()
        .arg("judge")
        .arg(&run)
        .arg("--json")
        .output()
        .expect("leakcheck starts");
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(
        (&again["verdict"], &again["limits"]),
        (&result["verdict"], &result["limits"])
    );
}

#[test]
fn a_command_is_started_watched_and_stopped() {
    let folder = TempDir::new().expect("a scratch folder");
    let script = "echo $$ > pid; while sleep 0.05; do :; done";
    let output = watched(
        folder.path(),
        &[
            "--duration",
            "5s",
            "--limit",
            "fds: max < 50",
            "--json",
            "--",
            "sh",
            "-c",
            script,
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let pid = std::fs::read_to_string(folder.path().join("pid")).expect("it ran");
    assert!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "the command was not stopped"
    );
    assert!(
        stderr(&output).contains("none of its ports serves /metrics"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_leak_over_its_ceiling_fails_and_is_attributed() {
    let folder = TempDir::new().expect("a scratch folder");
    let script = "for i in 3 4 5 6 7 8 9; do sleep 1; eval \"exec $i</dev/null\"; done; sleep 60";
    let output = watch(
        folder.path(),
        &[
            "--duration",
            "8s",
            "--limit",
            "fds: max <= 5",
            "--json",
            "--",
            "sh",
            "-c",
            script,
        ],
    )
    .output()
    .expect("leakcheck starts");
    let result = result(&output);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let reasons = result["reasons"].as_array().expect("reasons");
    assert!(reasons.iter().any(|r| r["code"] == "limit-exceeded"), "{result}");
    let who = result["attribution"]["sentences"].to_string();
    assert!(
        who.contains("file descriptors") && who.contains("/dev/null"),
        "{result}"
    );
}

#[test]
fn an_exposition_without_a_process_is_judged() {
    let port = serve("process_open_fds 30\nprocess_resident_memory_bytes 1048576\nmy_queue 7\n");
    let folder = TempDir::new().expect("a scratch folder");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let limits = ["--limit", "my_queue: max < 10", "--limit", "fds: max < 31"];
    let arguments = [&["--metrics", &url, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = watched(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(result(&output)["metrics"]["my_queue"]["last"], 7.0);
}

#[test]
fn oddities_of_an_exposition_are_warnings() {
    let port = serve("my_queue 7\nmy_queue 8\nmy_queue{a=\"b\"} NaN\nwhat is this\n");
    let folder = TempDir::new().expect("a scratch folder");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let arguments = [
        "--metrics",
        &url,
        "--duration",
        "2s",
        "--limit",
        "my_queue: max < 10",
        "--json",
    ];
    let output = watch(folder.path(), &arguments).output().expect("leakcheck starts");
    assert_eq!(result(&output)["metrics"]["my_queue"]["last"], 7.0);
    for warning in [
        "1 lines not in the format",
        "1 repeated series",
        "1 wanted series with NaN",
    ] {
        assert!(stderr(&output).contains(warning), "{warning}: {}", stderr(&output));
    }
}

#[test]
fn an_early_interrupt_exits_with_130() {
    // Given a watch after its first checkpoint
    let folder = TempDir::new().expect("a scratch folder");
    let mut child = watch(folder.path(), &["--duration", "8s", "--json", "--", "sleep", "60"])
        .spawn()
        .expect("leakcheck starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.contains("0:0"))) {}
    // When it is interrupted
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    // Then it reports its samples
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("piped")
        .read_to_string(&mut text)
        .expect("UTF-8");
    for _ in lines {}
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let result: Value = serde_json::from_str(&text).expect("JSON");
    let reasons = result["reasons"].as_array().expect("reasons");
    assert!(reasons.iter().any(|r| r["code"] == "interrupted"), "{result}");
    assert!(result["metrics"]["fds"]["samples"].as_u64() > Some(0), "{result}");
}
