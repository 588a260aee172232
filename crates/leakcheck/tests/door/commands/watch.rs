//! `leakcheck watch`: a verdict on what runs already, with no scenario and no engine.

mod container;
mod goroutines;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::commands::undisturbed::undisturbed;
use crate::stand::said;

/// A watch in a scratch folder, where no Docker engine answers.
fn watch(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(crate::stand::LEAKCHECK);
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

/// What a watch comes to, on a machine that takes its samples in time.
fn judged(folder: &Path, arguments: &[&str]) -> Output {
    undisturbed(|| watch(folder, arguments).output().expect("leakcheck starts"))
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Serves an exposition on a port of this process until the test ends; gives the port.
fn exposing(body: &'static str) -> u16 {
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

/// This executable as a process that exposes goroutines; the tests' own process has a port for each test that exposes
/// something, and a watch of it would find any of them.
struct Exposing(Child);

const EXPOSES: &str = "LEAKCHECK_TEST_EXPOSES";

impl Exposing {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this executable"))
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "commands::watch::a_process_that_exposes",
            ])
            .env(EXPOSES, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped"))
            .lines()
            .map_while(Result::ok);
        assert!(said.any(|line| line == EXPOSES), "it does not expose");
        Self(child)
    }
}

impl Drop for Exposing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "started by the test that watches it"]
fn a_process_that_exposes() {
    if std::env::var_os(EXPOSES).is_none() {
        return;
    }
    exposing("# TYPE go_goroutines gauge\ngo_goroutines 12\n");
    let _ = writeln!(std::io::stderr(), "{EXPOSES}");
    // Until the test that started it ends, however that ends.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_running_process_is_judged_by_what_can_be_seen_of_it() {
    // Given a process with an exposition on one of its ports
    let daemon = Exposing::start();
    let folder = TempDir::new().expect("a scratch folder");
    let pid = daemon.0.id().to_string();
    // When it is watched with nothing said about it but a limit of its own
    // (one that five seconds can decide)
    let limits = ["--limit", "tasks: growth_per_min < 30", "--limit", "threads: max < 500"];
    let arguments = [&["--pid", &pid, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = judged(folder.path(), &arguments);
    // Then its goroutines were found by its own port, and the folder judges to the same verdict
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(result["metrics"]["tasks"]["last"], 12.0, "{}", said(&output));
    assert_eq!(result["target"]["kind"], "pid");
    assert!(result["engine"].is_null(), "{result}");
    let name = result["scenario"].as_str().expect("a name");
    let run = folder
        .path()
        .join("reports")
        .join(name)
        .join(result["run_id"].as_str().expect("an id"));
    let again = Command::new(crate::stand::LEAKCHECK)
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
    let output = judged(
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
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let pid = std::fs::read_to_string(folder.path().join("pid")).expect("it ran");
    assert!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "the command was not stopped"
    );
    assert!(
        said(&output).contains("no port of it answers /metrics"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_leak_that_is_over_its_ceiling_fails_and_says_who() {
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
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let reasons = result["reasons"].as_array().expect("reasons");
    assert!(reasons.iter().any(|r| r["code"] == "limit-exceeded"), "{result}");
    let who = result["attribution"]["sentences"].to_string();
    assert!(
        who.contains("file descriptors") && who.contains("/dev/null"),
        "{result}"
    );
}

#[test]
fn an_exposition_alone_is_judged_by_the_names_it_has() {
    let port = exposing("process_open_fds 30\nprocess_resident_memory_bytes 1048576\nmy_queue 7\n");
    let folder = TempDir::new().expect("a scratch folder");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let limits = ["--limit", "my_queue: max < 10", "--limit", "fds: max < 31"];
    let arguments = [&["--metrics", &url, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = judged(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(result(&output)["metrics"]["my_queue"]["last"], 7.0);
}

#[test]
fn what_is_odd_about_an_exposition_is_told() {
    let port = exposing("my_queue 7\nmy_queue 8\nmy_queue{a=\"b\"} NaN\nwhat is this\n");
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
    for odd in [
        "1 lines not in the format",
        "1 repeated series",
        "1 wanted series with NaN",
    ] {
        assert!(said(&output).contains(odd), "{odd}: {}", said(&output));
    }
}

#[test]
fn ctrl_c_before_there_is_enough_is_an_interruption() {
    // Given a watch that samples (its first checkpoint is said)
    let folder = TempDir::new().expect("a scratch folder");
    let mut child = watch(folder.path(), &["--duration", "8s", "--json", "--", "sleep", "60"])
        .spawn()
        .expect("leakcheck starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.contains("0:0"))) {}
    // When it is told to end
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    // Then it reports what it has, with that exit code
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

#[test]
fn what_cannot_be_watched_is_named() {
    let folder = TempDir::new().expect("a scratch folder");
    for (arguments, named) in [
        (vec!["--pid", "4194304"], "--pid 4194304: there is no such process"),
        (
            vec!["--metrics", "http://127.0.0.1:1/metrics"],
            "http://127.0.0.1:1/metrics",
        ),
        (vec!["--metrics", "ftp://x"], "ftp://x"),
        (vec!["--pid", "1", "--metrics", "http://x"], "cannot be used with"),
        (vec![], "--pid <N>"),
        (vec!["--limit", "fds: grwth < 1", "--pid", "1"], "grwth"),
        (vec!["--duration", "1ms", "--", "true"], "--duration 1ms"),
        (vec!["--", "./nope"], "there is no program ./nope"),
        (
            vec!["--limit", "fsd: max < 9", "--", "sleep", "60"],
            "did you mean `fds`?",
        ),
    ] {
        let output = watch(folder.path(), &arguments).output().expect("leakcheck starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{}", said(&output));
    }
    // Nothing of it is left.
    assert!(!folder.path().join("reports").exists() || is_empty(&folder.path().join("reports")));
    // A container without an engine is no mistake of the user's: there is no verdict.
    let output = watch(folder.path(), &["--container", "web"])
        .output()
        .expect("leakcheck starts");
    assert_eq!(output.status.code(), Some(125), "{}", said(&output));
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}
