//! `leakcheck watch`: a verdict on what runs already, with no scenario and no engine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

/// A watch in a scratch folder, where no Docker engine answers.
fn watch(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leakcheck"));
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

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
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

#[test]
fn a_running_process_is_judged_by_what_can_be_seen_of_it() {
    // Given a process (this one) with an exposition on one of its ports
    let port = exposing("# TYPE go_goroutines gauge\ngo_goroutines 12\n");
    let folder = TempDir::new().expect("a scratch folder");
    let pid = std::process::id().to_string();
    // When it is watched with nothing said about it but a limit of its own
    let limits = ["--limit", "tasks: growth_per_min < 5", "--limit", "threads: max < 500"];
    let arguments = [&["--pid", &pid, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = watch(folder.path(), &arguments).output().expect("leakcheck starts");
    // Then its goroutines were found by its own port, and the folder judges to the same verdict
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        result["metrics"]["tasks"]["last"],
        12.0,
        "port {port}: {}",
        said(&output)
    );
    assert_eq!(result["target"]["kind"], "pid");
    assert!(result["engine"].is_null(), "{result}");
    let name = result["scenario"].as_str().expect("a name");
    let run = folder
        .path()
        .join("reports")
        .join(name)
        .join(result["run_id"].as_str().expect("an id"));
    let again = Command::new(env!("CARGO_BIN_EXE_leakcheck"))
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
    let output = watch(
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
    )
    .output()
    .expect("leakcheck starts");
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
    let script = "for i in 3 4 5 6 7 8 9; do sleep 0.1; eval \"exec $i</dev/null\"; done; sleep 60";
    let output = watch(
        folder.path(),
        &[
            "--duration",
            "2s",
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
    assert_eq!(result["reasons"][0]["code"], "limit-exceeded");
}

#[test]
fn an_exposition_alone_is_judged_by_the_names_it_has() {
    let port = exposing("process_open_fds 30\nprocess_resident_memory_bytes 1048576\nmy_queue 7\n");
    let folder = TempDir::new().expect("a scratch folder");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let limits = ["--limit", "my_queue: max < 10", "--limit", "fds: max < 31"];
    let arguments = [&["--metrics", &url, "--duration", "5s", "--json"], &limits[..]].concat();
    let output = watch(folder.path(), &arguments).output().expect("leakcheck starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(result(&output)["metrics"]["my_queue"]["last"], 7.0);
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
    ] {
        let output = watch(folder.path(), &arguments).output().expect("leakcheck starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{}", said(&output));
    }
    // A container without an engine is no mistake of the user's: there is no verdict.
    let output = watch(folder.path(), &["--container", "web"])
        .output()
        .expect("leakcheck starts");
    assert_eq!(output.status.code(), Some(125), "{}", said(&output));
}

#[test]
fn a_container_is_watched_by_its_name_and_one_that_is_not_there_is_named() {
    let docker = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    // Given a container of the load image, which earlier runs have made
    let image = docker(&["images", "-q", "leakcheck-noise"]).and_then(|all| all.lines().next().map(str::to_owned));
    let Some(image) = image else {
        let required = std::env::var_os("LEAKCHECK_REQUIRE_DOCKER").is_some();
        assert!(!required || docker(&["version"]).is_some(), "no Docker engine answers");
        eprintln!("SKIPPED: no Docker engine answers, or it has no load image yet");
        return;
    };
    let name = format!("leakcheck-watch-{}", std::process::id());
    let label = format!("leakcheck.run={name}");
    let noise = ["noise", "--run", "k3", "--emitter", "a"];
    let run = [
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        &name,
        "--label",
        &label,
        &image,
    ];
    let started = docker(&[&run[..], &noise[..]].concat());
    let folder = TempDir::new().expect("a scratch folder");
    let mut command = watch(
        folder.path(),
        &[
            "--container",
            &name,
            "--duration",
            "5s",
            "--limit",
            "fds: max < 50",
            "--json",
        ],
    );
    let output = command.env_remove("DOCKER_HOST").output();
    let removed = docker(&["rm", "-f", &name]);
    assert!(started.is_some() && removed.is_some(), "{started:?} {removed:?}");
    // Then it is judged by its process, and what cannot be seen of it is said
    let output = output.expect("leakcheck starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(result(&output)["target"]["kind"], "container");
    assert!(said(&output).contains("another network namespace"), "{}", said(&output));
    // And now it is gone
    let mut command = watch(folder.path(), &["--container", &name]);
    let output = command.env_remove("DOCKER_HOST").output().expect("leakcheck starts");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("there is no such container"),
        "{}",
        said(&output)
    );
}
