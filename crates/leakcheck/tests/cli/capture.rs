//! `leakcheck capture` without an engine: version, tasks, and the lock on its output folder.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::daemon::{Daemon, body};
use crate::harness::{output, stderr};

/// The command line of a daemon that writes to this folder.
fn arguments(folder: &Path) -> Vec<String> {
    let host = [
        "capture",
        "--docker-host",
        "unix:///nowhere.sock",
        "--listen",
        "127.0.0.1:0",
    ];
    let output = ["--output".to_owned(), folder.join("out").display().to_string()];
    host.map(str::to_owned).into_iter().chain(output).collect()
}

fn start(folder: &Path) -> Daemon {
    let arguments = arguments(folder);
    Daemon::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn get(daemon: &Daemon, path: &str) -> Value {
    serde_json::from_str(body(&daemon.get(path))).expect("JSON")
}

#[test]
fn a_daemon_reports_the_commit_that_it_was_built_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(folder.path());
    let version = get(&daemon, "/version");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let head = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match head {
        Ok(output) if output.status.success() => {
            assert_eq!(version["commit"], String::from_utf8_lossy(&output.stdout).trim());
        }
        // A build from a tarball knows its commit only if the packager set it.
        _ => assert_eq!(version["commit"].as_str(), option_env!("LEAKCHECK_COMMIT")),
    }
}

#[test]
fn an_idle_daemon_lists_its_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(folder.path());
    let tasks = get(&daemon, "/debug/tasks");
    let names: Vec<&str> = tasks
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| task["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["discovery", "watchdog", "status", "status-connection"]);
}

#[test]
fn a_second_daemon_in_the_same_folder_ends_with_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let _daemon = start(folder.path());
    let arguments = arguments(folder.path());
    let second = output(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(second.status.code(), Some(125));
    let printed = stderr(&second);
    assert!(
        printed.contains("output folder") && printed.contains("is in use by another daemon"),
        "{printed}"
    );
}
