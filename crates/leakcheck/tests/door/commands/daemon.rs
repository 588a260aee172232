//! `leakcheck capture` as a user starts it, with no engine behind it: what it tells of itself, and of a second one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// A daemon that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn capture(folder: &Path) -> Command {
    let mut command = Command::new(crate::stand::LEAKCHECK);
    command
        .args(["capture", "--docker-host", "unix:///nowhere.sock"])
        .args(["--listen", "127.0.0.1:0", "--output", "out"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Starts a daemon and waits until it says where it listens.
fn start(folder: &Path) -> (Daemon, String, BufReader<ChildStderr>) {
    let mut daemon = Daemon(capture(folder).spawn().expect("leakcheck starts"));
    let mut said = BufReader::new(daemon.0.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("listening on http://") {
        line.clear();
        assert!(said.read_line(&mut line).expect("its words") > 0, "it ended");
    }
    let address = line.trim().rsplit("http://").next().expect("an address").to_owned();
    (daemon, address, said)
}

fn get(address: &str, path: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a deadline");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn a_daemon_tells_the_commit_that_it_was_built_from_where_there_is_a_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_daemon, address, _said) = start(folder.path());
    let told = get(&address, "/version");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let asked = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            assert_eq!(told["commit"], String::from_utf8_lossy(&output.stdout).trim());
        }
        // Unpacked from a tarball: it knows none unless its packager did.
        _ => assert_eq!(told["commit"].as_str(), option_env!("LEAKCHECK_COMMIT")),
    }
}

#[test]
fn every_task_of_an_idle_daemon_is_on_its_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_daemon, address, _said) = start(folder.path());
    let tasks = get(&address, "/debug/tasks");
    let names: Vec<&str> = tasks
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| task["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["discovery", "watchdog", "status", "status-connection"]);
}

#[test]
fn a_second_daemon_in_the_same_folder_is_told_so_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_daemon, ..) = start(folder.path());
    let second = capture(folder.path()).output().expect("leakcheck starts");
    assert_eq!(second.status.code(), Some(125));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("output folder out is in use by another daemon"), "{said}");
}
