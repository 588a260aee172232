//! Stale builds: a target that reports another commit, and an executable that is replaced during the measurement.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{leakcheck, wait_until};
use crate::retry::retry_missed_samples;

/// Makes a repository with one committed source file, and returns the commit.
pub(crate) fn committed(folder: &Path, source: &str) -> String {
    std::fs::write(folder.join("agent.go"), source).expect("written");
    std::fs::write(folder.join(".gitignore"), "agent\nreports\nrun.toml\n").expect("written");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.invalid"])
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    git(&["rev-parse", "HEAD"])
}

/// Makes the same with an agent, and returns the commit.
fn repository(folder: &Path) -> String {
    let commit = committed(folder, "package main\n");
    replace_agent(folder, "sleep");
    commit
}

/// Replaces the agent by a program, with a copy and a rename, as builds do.
fn replace_agent(folder: &Path, program: &str) {
    let script = format!("cp \"$(command -v {program})\" agent.new && mv agent.new agent");
    let done = Command::new("sh").args(["-c", &script]).current_dir(folder).status();
    assert!(done.expect("sh runs").success());
}

fn scenario(folder: &Path, build: &str) -> PathBuf {
    let agent = folder.join("agent");
    let text = format!(
        "name = \"stale\"\n[target]\nkind = \"command\"\ncommand = [\"{}\", \"300\"]\nbuild = {build}\n[schedule]\nwarm_up = \
         \"500ms\"\nmeasure = \"5s\"\nsample_every = \"200ms\"\ncheckpoint_every = \"1s\"\nextend = \"0s\"\n[limits]\nfds = \
         \"max <= 30\"\n",
        agent.display()
    );
    let path = folder.join("run.toml");
    std::fs::write(&path, text).expect("a scenario");
    path
}

fn command(folder: &Path, scenario: &Path) -> Command {
    let mut command = leakcheck();
    command
        .args(["run", "--json", "--out"])
        .arg(folder.join("reports"))
        .arg(scenario);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn result(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// The `build` table of an agent that reports this commit.
fn build(folder: &Path, commit: &str, require: &str) -> String {
    let repo = folder.display();
    format!(
        "{{ repo = \"{repo}\", version_command = [\"echo\", \"agent 1.2.3 (commit {commit})\"], require = [{require}] }}"
    )
}

#[test]
fn a_target_that_reports_another_commit_is_stale() {
    let folder = TempDir::new().expect("a folder");
    let head = repository(folder.path());
    let run = |commit: &str, require: &str| {
        let scenario = scenario(folder.path(), &build(folder.path(), commit, require));
        result(&retry_missed_samples(|| {
            command(folder.path(), &scenario).output().expect("leakcheck starts")
        }))
    };
    // It reports the current commit, abbreviated: fresh, and a pass.
    let same = run(&head[..8], "\"committed\", \"fresh\"");
    assert_eq!(
        (&same["verdict"], &same["target"]["build"]),
        (&"pass".into(), &"fresh".into()),
        "{same}"
    );
    assert_eq!(same["target"]["version"], "1.2.3");
    assert_eq!(same["target"]["commit"], head[..8]);
    assert_eq!(same["target"]["source_commit"], head);
    // The result has the executable's path, modification time and build id.
    let target = &same["target"];
    assert_eq!(target["executable"], folder.path().join("agent").display().to_string());
    let built: Result<jiff::Timestamp, _> = target["built_at"].as_str().expect("a time").parse();
    assert!(
        built.is_ok_and(|at| (jiff::Timestamp::now() - at).get_hours() < 1),
        "{same}"
    );
    assert!(target["build_id"].is_null() || target["build_id"].as_str().is_some_and(|id| id.len() >= 16));
    // Another commit: a warning, or no verdict if `fresh` is required.
    let other = run("0123abc", "");
    assert_eq!(
        (&other["verdict"], &other["target"]["build"]),
        (&"pass".into(), &"stale".into()),
        "{other}"
    );
    assert!(
        other["warnings"].to_string().contains("built from commit 0123abc"),
        "{other}"
    );
    let required = run("0123abc", "\"fresh\"");
    assert_eq!(required["verdict"], "invalid", "{required}");
    assert_eq!(required["reasons"][0]["code"], "stale-build");
}

#[test]
fn an_executable_that_is_replaced_during_the_measurement_is_a_warning() {
    let folder = TempDir::new().expect("a folder");
    repository(folder.path());
    let repo = format!("{{ repo = \"{}\" }}", folder.path().display());
    let scenario = scenario(folder.path(), &repo);
    let child = command(folder.path(), &scenario).spawn().expect("leakcheck starts");
    await_measuring(folder.path());
    replace_agent(folder.path(), "cat");
    let result = result(&child.wait_with_output().expect("it ends"));
    assert_eq!(result["verdict"], "pass", "{result}");
    let warnings = result["warnings"].to_string();
    assert!(
        warnings.contains("during the run: ") && warnings.contains("was replaced after the process started"),
        "{warnings}"
    );
}

#[test]
fn a_target_without_a_build_table_is_checked_too() {
    let folder = TempDir::new().expect("a folder");
    replace_agent(folder.path(), "sleep");
    let scenario = scenario(folder.path(), "{}");
    let text = std::fs::read_to_string(&scenario)
        .expect("a scenario")
        .replace("build = {}\n", "");
    std::fs::write(&scenario, text).expect("written");
    let child = command(folder.path(), &scenario).spawn().expect("leakcheck starts");
    await_measuring(folder.path());
    replace_agent(folder.path(), "cat");
    let result = result(&child.wait_with_output().expect("it ends"));
    assert_eq!(result["target"]["build"], "fresh", "{result}");
    let notes = result["target"]["build_notes"].to_string();
    assert!(notes.contains("runs the executable that is on disk"), "{notes}");
    assert!(result["target"]["built_at"].is_string(), "{result}");
    assert!(result["warnings"].to_string().contains("during the run"), "{result}");
}

fn await_measuring(folder: &Path) {
    let is_measuring = || {
        let runs = std::fs::read_dir(folder.join("reports/stale")).ok()?;
        let csv = runs.flatten().next()?.path().join("samples.csv");
        Some(std::fs::read_to_string(csv).ok()?.contains(",measure,"))
    };
    wait_until("it is measured", || is_measuring() == Some(true));
}
