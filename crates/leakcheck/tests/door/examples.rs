//! The examples are what they say: each daemon passes as it is and fails with its leak, and is named for it. A language
//! whose toolchain is not here is skipped out loud.

mod third_party;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::aloud::skip_without_tool;
use crate::stand::{LEAKCHECK, machine, root, said};

/// A copy of an example in a scratch folder, without what somebody built in it.
fn copied(example: &str) -> TempDir {
    let scratch = TempDir::new().expect("a scratch folder");
    let from = root().join("examples").join(example);
    for folder in ["", "src"] {
        let Ok(files) = std::fs::read_dir(from.join(folder)) else {
            continue;
        };
        std::fs::create_dir_all(scratch.path().join(folder)).expect("a folder");
        for file in files.flatten().filter(|f| f.path().is_file()) {
            std::fs::copy(file.path(), scratch.path().join(folder).join(file.file_name())).expect("copied");
        }
    }
    scratch
}

/// Builds the example as its scenario says; `false`, said aloud, where the program for it is not installed.
fn built(folder: &Path, program: &str, arguments: &[&str]) -> bool {
    let made = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .output();
    match made {
        Ok(made) => {
            assert!(made.status.success(), "{program} {arguments:?}: {}", said(&made));
            true
        }
        Err(_) => {
            skip_without_tool(&format!("`{program}` is not installed"));
            false
        }
    }
}

/// `leakcheck run leakcheck.toml` as the example's reader types it, with no engine in reach.
fn run(folder: &Path, leak: bool) -> Child {
    let mut command = Command::new(LEAKCHECK);
    command
        .args(["run", "leakcheck.toml", "--json"])
        .args(["--out", if leak { "leaking" } else { "sound" }])
        .current_dir(folder)
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .env_remove("LEAK")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if leak {
        // To its end: the first leak that is certain would end it while the next is not.
        command.arg("--no-early-stop").env("LEAK", "1");
    }
    command.spawn().expect("leakcheck starts")
}

fn ended(child: Child) -> (Option<i32>, Value, String) {
    let output = child.wait_with_output().expect("it ends");
    let result = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), result, said(&output))
}

/// Whether a limit could not be decided.
fn is_undecided(result: &Value) -> bool {
    let reasons = result["reasons"].as_array();
    reasons.is_some_and(|all| all.iter().any(|reason| reason["code"] == "straddles"))
}

/// Sound it passes; leaking it fails for each of `leaks`. Both at once: they mostly wait.
fn is_gated(folder: &Path, leaks: &[&str]) {
    let (sound, leaking) = (run(folder, false), run(folder, true));
    let (mut sound, mut leaking) = (ended(sound), ended(leaking));
    // A machine that is busy with other tests may hold up the load and leave growth undecided: then once more, when it is not.
    for (ran, leak) in [(&mut sound, false), (&mut leaking, true)] {
        if ran.0 == Some(125) || is_undecided(&ran.1) {
            let _machine = machine();
            *ran = ended(run(folder, leak));
        }
    }
    assert_eq!(sound.0, Some(0), "{}", sound.2);
    assert_eq!(sound.1["verdict"], "pass");
    assert!(sound.1["engine"].is_null(), "no engine is needed");
    assert_eq!(leaking.0, Some(1), "{}", leaking.2);
    let reasons = leaking.1["reasons"].as_array().expect("reasons");
    for metric in leaks {
        assert!(
            reasons
                .iter()
                .any(|r| r["metric"] == *metric && r["code"] == "limit-exceeded"),
            "{metric}: {}",
            leaking.1["reasons"]
        );
    }
}

#[test]
fn a_go_daemon_is_gated_by_its_goroutines() {
    let folder = copied("go");
    if built(folder.path(), "go", &["build", "-o", "thumbs", "."]) {
        is_gated(folder.path(), &["tasks"]);
    }
}

#[test]
fn a_python_daemon_is_gated_by_its_descriptors() {
    let folder = copied("python");
    if built(folder.path(), "python3", &["-c", "import http.server"]) {
        is_gated(folder.path(), &["fds"]);
    }
}

#[test]
fn a_rust_daemon_is_gated_by_its_threads_and_descriptors() {
    let folder = copied("rust");
    if built(folder.path(), "cargo", &["build", "--release", "--offline"]) {
        is_gated(folder.path(), &["threads", "fds"]);
    }
}

#[test]
fn traffic_that_is_not_answered_is_no_pass() {
    let folder = copied("python");
    if !built(folder.path(), "python3", &["-c", "import http.server"]) {
        return;
    }
    let toml = folder.path().join("leakcheck.toml");
    let text = std::fs::read_to_string(&toml).expect("the scenario");
    let text = text
        .replace("http://127.0.0.1:{port}/job", "http://127.0.0.1:1/job")
        .replace("within = \"10s\"", "within = \"30s\"")
        .replace("\"40s\"", "\"5s\"")
        .replace("\"10s\"", "\"1s\"");
    std::fs::write(&toml, text).expect("written");
    let (code, result, said) = ended(run(folder.path(), false));
    assert_eq!(
        (code, result["verdict"].as_str()),
        (Some(125), Some("invalid")),
        "{said}"
    );
    let reasons = result["reasons"].to_string();
    assert!(
        reasons.contains("load-not-delivered") && reasons.contains("0 of "),
        "{reasons}"
    );
}
