//! Command targets: readiness, stopping, and process trees.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::leakcheck;

/// A finished run of a scenario without load.
struct Finished {
    output: Output,
    folder: TempDir,
}

/// Runs a scenario with these lines in `[target]` and `[limits]`.
fn run(target: &str, limits: &str) -> Finished {
    let folder = TempDir::new().expect("a scratch folder");
    let text = format!(
        "name = \"t\"\n[target]\nkind = \"command\"\n{target}\n[schedule]\nwarm_up = \"0s\"\nmeasure = \"1s\"\nsample_every = \"200ms\"\ncheckpoint_every = \"1s\"\nextend = \"0s\"\n[limits]\n{limits}\n"
    );
    std::fs::write(folder.path().join("t.toml"), text).expect("written");
    let output = leakcheck()
        .args(["run", "t.toml", "--json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    Finished { output, folder }
}

impl Finished {
    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn result(&self) -> Value {
        serde_json::from_slice(&self.output.stdout).unwrap_or(Value::Null)
    }

    fn reports(&self) -> PathBuf {
        let id = self.result()["run_id"].as_str().expect("an id").to_owned();
        self.folder.path().join("reports").join("t").join(id)
    }

    /// Returns whether there is no reason other than samples missed on a busy machine.
    fn is_sound(&self) -> bool {
        let result = self.result();
        let reasons = result["reasons"].as_array();
        reasons.is_some_and(|all| all.iter().all(|r| r["code"] == "samples-missed"))
    }

    fn has_reason(&self, code: &str) -> bool {
        let result = self.result();
        result["reasons"]
            .as_array()
            .is_some_and(|all| all.iter().any(|r| r["code"] == code))
    }

    /// Seconds from start to readiness.
    fn ready_after(&self) -> f64 {
        let events = std::fs::read_to_string(self.reports().join("events.jsonl")).expect("events");
        let ready = events.lines().find(|line| line.contains("\"target-ready\""));
        let ready: Value = serde_json::from_str(ready.expect("it was ready")).expect("JSON");
        ready["after_s"].as_f64().expect("a number")
    }

    fn last(&self, metric: &str) -> Option<f64> {
        self.result()["metrics"][metric]["last"].as_f64()
    }
}

/// A free port below the range of ephemeral ports, so that it stays free until it is bound.
fn quiet_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at the same time begin at different ports.
    let first = 20_000 + u16::try_from(std::process::id() % 1000).expect("below 1000") * 10;
    (0..1000)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Returns the `command` of a target, and the port of a server that listens half a second after the target has started.
/// The server responds with 503 three times, then with 200.
fn late_server(folder: &Path) -> (String, u16) {
    let port = quiet_port();
    let started = folder.join(port.to_string());
    let command = format!(
        "command = [\"sh\", \"-c\", \"touch {}; exec sleep 60\"]",
        started.display()
    );
    thread::spawn(move || {
        while !started.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(500));
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("still free");
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
            let status = if n < 3 { "503 Service Unavailable" } else { "200 OK" };
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    (command, port)
}

const SLEEP: &str = "command = [\"sleep\", \"60\"]";
const ANY: &str = "fds = \"max < 100\"";

#[test]
fn a_target_is_ready_by_url_port_log_line_or_time_and_not_before() {
    let folder = TempDir::new().expect("a scratch folder");
    let (command, number) = late_server(folder.path());
    let url = format!("{command}\nready = {{ url = \"http://127.0.0.1:{number}/\" }}");
    let (command, number) = late_server(folder.path());
    let port = format!("{command}\nready = {{ port = {number} }}");
    let log = "command = [\"sh\", \"-c\", \"sleep 0.6; printf 'now list'; sleep 0.1; echo ening; exec sleep 60\"]\nready = { log = \"listening\" }";
    let time = format!("{SLEEP}\nready = {{ after = \"600ms\" }}");
    for target in [&url, &port, log, &time] {
        let ran = run(target, ANY);
        assert!(ran.is_sound(), "{target}: {}", ran.stderr());
        assert!(ran.ready_after() >= 0.5, "{target}: {}", ran.ready_after());
    }
}

#[test]
fn readiness_can_use_the_port_that_leakcheck_chose() {
    let command = "command = [\"{leakcheck}\", \"capture\", \"--docker-host\", \"unix:///nowhere.sock\", \"--listen\", \"127.0.0.1:{port}\", \"--output\", \"{output}\"]";
    let ran = run(&format!("{command}\nready = {{ port = \"{{port}}\" }}"), ANY);
    assert!(ran.is_sound(), "{}", ran.stderr());
}

#[test]
fn a_target_starts_in_its_working_folder_and_its_program_is_relative_to_it() {
    // Given a program in a folder beside the scenario
    let scratch = TempDir::new().expect("a scratch folder");
    let beside = scratch.path().join("beside");
    std::fs::create_dir(&beside).expect("a folder");
    std::fs::write(beside.join("agent"), "#!/bin/sh\npwd -P\nexec sleep 60\n").expect("written");
    let program = Command::new("chmod").arg("+x").arg(beside.join("agent")).status();
    assert!(program.is_ok_and(|s| s.success()));
    let beside = beside.canonicalize().expect("it is there").display().to_string();
    let ran = run(&format!("command = [\"./agent\"]\ncwd = \"{beside}\""), ANY);
    assert!(ran.is_sound(), "{}", ran.stderr());
    let log = std::fs::read_to_string(ran.reports().join("target.log")).expect("its output");
    assert!(log.lines().any(|l| l == beside), "{log}");
    // And a missing folder or program is a usage error
    for (cwd, stderr) in [(format!("{beside}/nowhere"), "nowhere"), ("/".to_owned(), "./agent")] {
        let ran = run(&format!("command = [\"./agent\"]\ncwd = \"{cwd}\""), ANY);
        assert_eq!(ran.output.status.code(), Some(2), "{cwd}: {}", ran.stderr());
        assert!(ran.stderr().contains(stderr), "{cwd}: {}", ran.stderr());
    }
}

#[test]
fn a_target_that_does_not_become_ready_fails_with_the_missing_condition() {
    for (ready, missing) in [
        (
            "{ log = \"listening\", within = \"300ms\" }",
            "`listening` is not in its output",
        ),
        ("{ port = 1, within = \"300ms\" }", "port 1 does not accept"),
        (
            "{ url = \"http://127.0.0.1:1/\", within = \"300ms\" }",
            "http://127.0.0.1:1/",
        ),
    ] {
        let ran = run(&format!("{SLEEP}\nready = {ready}"), ANY);
        assert_eq!(ran.output.status.code(), Some(1), "{}", ran.stderr());
        assert!(ran.has_reason("target-not-ready"));
        assert!(ran.stderr().contains(missing), "{}", ran.stderr());
    }
}

#[test]
fn a_target_is_terminated_then_killed_and_leaves_no_child() {
    let child = |ran: &Finished| -> u32 {
        let text = std::fs::read_to_string(ran.folder.path().join("child")).expect("it ran");
        text.trim().parse().expect("a pid")
    };
    // Given a target that stops at SIGTERM
    let obedient = "command = [\"sh\", \"-c\", \"trap 'echo asked to stop; exit 0' TERM; sleep 300 & echo $! > child; while :; do sleep 0.05; done\"]";
    let ran = run(obedient, ANY);
    assert!(ran.is_sound(), "{}", ran.stderr());
    let log = std::fs::read_to_string(ran.reports().join("target.log")).expect("its output");
    assert!(log.contains("asked to stop"), "{log}");
    assert!(!ran.stderr().contains("was killed"), "{}", ran.stderr());
    assert!(leakcheck_probe::Process::open(child(&ran)).is_err(), "a child is left");
    // And one that ignores SIGTERM
    let stubborn = "stop_within = \"300ms\"\ncommand = [\"sh\", \"-c\", \"trap '' TERM; sleep 300 & echo $! > child; while :; do sleep 0.05; done\"]";
    let ran = run(stubborn, ANY);
    assert!(
        ran.stderr()
            .contains("did not stop within 0.3 s of SIGTERM and was killed"),
        "{}",
        ran.stderr()
    );
    assert!(leakcheck_probe::Process::open(child(&ran)).is_err(), "a child is left");
}

#[test]
fn a_missing_program_is_a_usage_error_and_one_that_dies_is_a_fail() {
    let ran = run("command = [\"./nope\"]", ANY);
    assert_eq!(ran.output.status.code(), Some(2), "{}", ran.stderr());
    assert!(ran.stderr().contains("there is no program ./nope"), "{}", ran.stderr());
    assert!(!ran.folder.path().join("reports").exists(), "nothing was started");
    let ran = run("command = [\"sh\", \"-c\", \"echo oh dear; exit 3\"]", ANY);
    assert_eq!(ran.output.status.code(), Some(1), "{}", ran.stderr());
    assert!(ran.has_reason("target-died"), "{}", ran.stderr());
    assert!(
        ran.stderr().contains("exit code 3") && ran.stderr().contains("oh dear"),
        "{}",
        ran.stderr()
    );
}

#[test]
fn the_workers_of_a_pre_fork_server_count_if_tree_is_set() {
    // Given a parent whose two workers are replaced again and again
    let command =
        "command = [\"sh\", \"-c\", \"sleep 0.15 & while :; do sleep 0.15 & wait -n 2>/dev/null || wait $!; done\"]";
    let whole = run(
        &format!("{command}\ntree = true"),
        "threads = \"max <= 4\"\nfds = \"max < 100\"",
    );
    let alone = run(command, "threads = \"max <= 1\"");
    // Then the workers count with the parent, each once
    assert!(whole.is_sound(), "{}", whole.stderr());
    assert!(
        whole.result()["metrics"]["threads"]["max"].as_f64() >= Some(2.0),
        "{}",
        whole.stderr()
    );
    assert!(alone.is_sound(), "{}", alone.stderr());
}

#[test]
fn a_leak_in_a_worker_is_seen_in_the_tree_only() {
    let leaks = "for i in 3 4 5 6 7 8 9; do sleep 0.05; eval \\\"exec $i</dev/null\\\"; done; sleep 60";
    let command = format!("command = [\"sh\", \"-c\", \"({leaks}) & wait\"]");
    let alone = run(&command, "fds = \"growth < 3\"");
    let whole = run(&format!("{command}\ntree = true"), "fds = \"max <= 8\"");
    assert_eq!(whole.output.status.code(), Some(1), "{}", whole.stderr());
    assert!(whole.has_reason("limit-exceeded"));
    let seen = alone.last("fds");
    assert!(seen.is_some_and(|fds| fds < 8.0), "{seen:?}: {}", alone.stderr());
}
