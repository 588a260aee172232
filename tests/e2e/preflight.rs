//! Checks that end a run before engine, containers or target are started: a stale build, a port in use.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::leakcheck;
use crate::load_image::{docker, load_image};
use crate::stale_build::committed;

/// Events of a run that has started anything.
const STARTED: [&str; 6] = [
    "engine-found",
    "image-ready",
    "launched",
    "target-started",
    "target-ready",
    "phase-began",
];

/// Makes a repository and returns its commit.
fn repository(folder: &Path) -> String {
    committed(folder, "package main // changed\n")
}

/// Runs a scenario with a load and this target.
fn run(folder: &Path, engine: &str, target: &str) -> Output {
    let text = format!(
        "name = \"stale\"\n[engine]\nkind = \"{engine}\"\n[[load]]\nname = \"noisy\"\ncontainers = 2\nlines_per_second = \
         5\n[target]\n{target}\n[schedule]\nwarm_up = \"500ms\"\nmeasure = \"3s\"\nsample_every = \"200ms\"\ndrain = \
         \"1s\"\nextend = \"0s\"\n[limits]\nfds = \"max <= 99\"\n"
    );
    std::fs::write(folder.join("run.toml"), text).expect("a scenario");
    leakcheck()
        .args(["run", "--json", "--out", "reports", "run.toml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts")
}

/// Checks that the run ended as a stale build before anything was started. Returns the result and the reason's message.
fn stale_before_start(folder: &Path, output: &Output) -> (Value, String) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(result["verdict"], "invalid", "{result}");
    let reasons = result["reasons"].as_array().expect("reasons");
    assert_eq!(reasons.len(), 1, "{result}");
    assert_eq!(reasons[0]["code"], "stale-build", "{result}");
    assert_eq!(result["target"]["build"], "stale", "{result}");
    let run = result["run_id"].as_str().expect("an id");
    let events = folder.join("reports/stale").join(run).join("events.jsonl");
    let events = std::fs::read_to_string(events).expect("events");
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let kind = event["event"].as_str().expect("a kind");
        let inspects_image = kind == "engine-found" && result["target"]["kind"] == "container";
        assert!(inspects_image || !STARTED.contains(&kind), "{line}");
    }
    let message = reasons[0]["message"].as_str().expect("a message").to_owned();
    (result, message)
}

#[test]
fn a_binary_that_is_older_than_its_source_starts_neither_engine_nor_containers_nor_target() {
    // Given an agent that is an hour older than its source, and that would create a file
    let folder = TempDir::new().expect("a folder");
    repository(folder.path());
    let agent = folder.path().join("agent");
    std::fs::write(&agent, "#!/bin/sh\ntouch began\nexec sleep 60\n").expect("written");
    let made_executable = Command::new("chmod").arg("+x").arg(&agent).status();
    assert!(made_executable.expect("chmod runs").success());
    let before = SystemTime::now() - Duration::from_secs(3600);
    let dated = std::fs::File::open(&agent).and_then(|file| file.set_modified(before));
    dated.expect("dated");
    let target = "kind = \"command\"\ncommand = [\"./agent\"]\nbuild = { repo = \".\", require = [\"fresh\"] }";
    // When it is run on either engine
    for engine in ["simulated", "docker"] {
        let output = run(folder.path(), engine, target);
        // Then that is the one reason, in its own words, and nothing was started
        let (result, message) = stale_before_start(folder.path(), &output);
        assert!(message.contains("agent was built"), "{message}");
        assert!(message.contains("before the last change of"), "{message}");
        assert!(message.ends_with("agent.go"), "{message}");
        assert!(result["engine"].is_null(), "{result}");
        assert!(result["target"]["built_at"].is_string(), "{result}");
        assert!(!folder.path().join("began").exists(), "it was started");
    }
    // And after a new build the same scenario passes
    let now = std::fs::File::open(&agent).and_then(|file| file.set_modified(SystemTime::now()));
    now.expect("dated");
    let output = run(folder.path(), "simulated", target);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(folder.path().join("began").exists());
}

/// A container of an image that is the load image with a revision label. Both are removed on drop.
struct Container {
    name: String,
}

impl Container {
    fn of(base: &str, name: &str, revision: &str) -> Self {
        let container = Self { name: name.to_owned() };
        container.build(base, revision);
        let noise = ["noise", "--run", "k3", "--emitter", "a"];
        let run = ["run", "-d", "--network", "none", "--name", name, name];
        docker(&[&run[..], &noise[..]].concat()).expect("a container");
        container
    }

    fn build(&self, base: &str, revision: &str) {
        let folder = TempDir::new().expect("a folder");
        let label = format!("org.opencontainers.image.revision={revision}");
        let file = format!("FROM {base}\nLABEL {label} org.opencontainers.image.version=1.2.3\n");
        std::fs::write(folder.path().join("Dockerfile"), file).expect("written");
        let built = Command::new("docker")
            .args(["build", "--quiet", "-t", &self.name])
            .arg(folder.path())
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .expect("docker starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
        docker(&["rmi", "-f", &self.name]);
    }
}

#[test]
fn a_container_of_an_image_that_is_stale_is_not_put_under_load() {
    let Some(base) = load_image() else { return };
    // Given a container whose image is labelled with another commit
    let folder = TempDir::new().expect("a folder");
    let head = repository(folder.path());
    let name = format!("leakcheck-test-stale-{}", std::process::id());
    let container = Container::of(&base, &name, "0123abc");
    let target =
        format!("kind = \"container\"\ncontainer = \"{name}\"\nbuild = {{ repo = \".\", require = [\"fresh\"] }}");
    // When it is run
    let output = run(folder.path(), "docker", &target);
    // Then that is the only reason, nothing was started, and the result describes the image
    let (result, message) = stale_before_start(folder.path(), &output);
    assert!(
        message.contains(&format!("image `{name}` reports that it was built from commit 0123abc")),
        "{message}"
    );
    let image = &result["target"]["image"];
    let inspected = |what: &str| docker(&["inspect", "--format", what, &name]).expect("inspected");
    assert_eq!(image["name"], name, "{result}");
    assert_eq!(image["id"], inspected("{{.Image}}"), "{result}");
    assert_eq!(image["now"], image["id"], "{result}");
    assert_eq!(
        image["labels"]["org.opencontainers.image.revision"], "0123abc",
        "{result}"
    );
    for time in ["created", "container_created"] {
        let at: jiff::Timestamp = image[time].as_str().expect("a time").parse().expect("RFC 3339");
        assert!(at.as_second() > 1_500_000_000, "{result}");
    }
    assert_eq!(result["target"]["commit"], "0123abc", "{result}");
    let run_id = result["run_id"].as_str().expect("an id");
    let label = format!("label=leakcheck.run={run_id}");
    let left = docker(&["ps", "-a", "-q", "--filter", &label]);
    assert_eq!(left.as_deref(), Some(""));
    // And if the image is rebuilt from the current commit, the container is the stale part
    container.build(&base, &head[..10]);
    let output = run(folder.path(), "docker", &target);
    let (_, message) = stale_before_start(folder.path(), &output);
    assert!(message.contains("recreate the container"), "{message}");
}

#[test]
fn a_port_in_use_is_a_usage_error_and_not_a_verdict() {
    let folder = TempDir::new().expect("a folder");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("its address").port();
    let target = format!("kind = \"command\"\ncommand = [\"touch\", \"began\"]\nready = {{ port = {port} }}");
    let output = run(folder.path(), "simulated", &target);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(
        stderr.matches(&format!("port {port} of 127.0.0.1 is in use")).count(),
        1,
        "{stderr}"
    );
    assert!(stderr.contains("nothing was started"), "{stderr}");
    assert!(!folder.path().join("began").exists() && !folder.path().join("reports").exists());
}
