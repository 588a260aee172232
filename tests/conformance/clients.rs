//! Other people's clients on both engines: Docker's Python SDK and curl see the same of both.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::within;
use crate::engines::{Simulated, real};
use crate::exchanges::Session;
use crate::normal::Normal;

/// Returns true if a program works; prints a message otherwise.
fn works(program: &str, words: &[&str], what: &str) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: {what} is not installed");
    }
    found
}

fn said(command: &mut Command, normal: &Normal, what: &str) -> String {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = within(command.spawn().expect("it runs"), what);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {complaint}");
    normal.text(&String::from_utf8_lossy(&output.stdout))
}

fn python(socket: &Path) -> String {
    let session = Session::new(socket);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/story.py");
    let mut command = Command::new("python3");
    command
        .args([script, &session.prefix])
        .env("DOCKER_HOST", format!("unix://{}", socket.display()));
    said(&mut command, &Normal::new(&session.prefix), "story.py")
}

#[test]
fn dockers_python_sdk_sees_the_same_of_both_engines() {
    if !works("python3", &["-c", "import docker"], "Python's package `docker`") {
        return;
    }
    let simulated = Simulated::start();
    let found = python(&simulated.socket);
    assert!(found.contains("followed: ['first', 'second', 'third']"), "{found}");
    let Some(socket) = real() else { return };
    assert_eq!(python(&socket), found);
}

/// Status, and the body where it does not depend on the machine, as curl shows them.
fn curl(socket: &Path) -> String {
    let session = Session::new(socket);
    let normal = Normal::new(&session.prefix);
    let body = session.body(&serde_json::json!(["echo", "hello"])).to_string();
    let (name, image) = (session.name("curl"), session.prefix.clone());
    let create = format!("http://d/v1.41/containers/create?name={name}");
    let path = |rest: &str| format!("http://d/containers/{name}{rest}");
    let mut all = String::new();
    for (words, url) in [
        (vec![], "http://d/_ping".to_owned()),
        (vec!["-0"], "http://d/_ping".to_owned()),
        (vec!["-I"], "http://d/_ping".to_owned()),
        (vec!["-H", "Content-Type: application/json", "-d", &body], create),
        (vec!["-X", "POST"], path("/start")),
        (vec!["-X", "POST"], path("/wait")),
        (vec!["--output", "-"], path("/logs?stdout=1&follow=1")),
        (vec!["-0", "--output", "-"], path("/logs?stdout=1")),
        (vec![], path("/nothing")),
        (vec!["-X", "DELETE"], path("")),
        (vec!["-X", "DELETE"], path("")),
        (vec![], format!("http://d/v1.99/images/{image}/json")),
    ] {
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "--max-time",
            "30",
            "-w",
            "\n%{http_code} %{http_version}\n",
            "--unix-socket",
        ]);
        command.arg(socket).args(&words).arg(&url);
        let shown = said(&mut command, &normal, &url);
        // Of a head alone only the protocol is the API's.
        let first = shown.lines().next().unwrap_or_default().to_owned();
        let shown = if words == ["-I"] { first } else { shown };
        all.push_str(&format!("{words:?} {}\n{shown}\n", normal.text(&url)));
    }
    normal.text(&all)
}

#[test]
fn curl_sees_the_same_of_both_engines() {
    if !works("curl", &["--version"], "curl") {
        return;
    }
    let simulated = Simulated::start();
    let found = curl(&simulated.socket);
    assert!(found.contains("hello") && found.contains("\n200 1\n"), "{found}");
    let Some(socket) = real() else { return };
    assert_eq!(curl(&socket), found);
}
