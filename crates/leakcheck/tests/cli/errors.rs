//! Wrong scenarios, targets and engines: an error before anything is started.

use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::harness::{leakcheck, output, stderr};

const SCENARIO: &str = r#"
name = "short"
[[load]]
name = "idle"
containers = 2
[target]
kind = "capture"
[schedule]
warm_up = "4s"
measure = "20s"
[limits]
streams = "min >= 1"
"#;

/// Runs a scenario in a scratch folder, in which nothing may be left.
fn refused(scenario: &str, more: &[&str]) -> Output {
    let folder = TempDir::new().expect("a scratch folder");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, scenario).expect("written");
    let reports = folder.path().join("reports");
    let output = leakcheck()
        .arg("run")
        .arg(file)
        .args(more)
        .arg("--out")
        .arg(&reports)
        .output()
        .expect("leakcheck starts");
    assert!(!reports.exists(), "nothing was started, nothing is left");
    output
}

#[test]
fn without_an_engine_there_is_no_verdict_and_a_hint() {
    let host = "unix:///nonexistent/docker.sock";
    let output = refused(SCENARIO, &["--engine", "docker", "--docker-host", host]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        printed.contains("/nonexistent/docker.sock") && printed.contains("--engine simulated"),
        "{printed}"
    );
}

#[test]
fn an_error_in_a_scenario_is_shown_with_its_line_and_a_suggestion() {
    let output = refused(&SCENARIO.replace("warm_up", "warmup"), &["--engine", "simulated"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        printed.contains("did you mean `warm_up`?") && printed.contains("warmup = \"4s\""),
        "{printed}"
    );
}

#[test]
fn keys_that_do_not_fit_the_kind_of_target_are_usage_errors() {
    let folder = TempDir::new().expect("a scratch folder");
    let file = folder.path().join("t.toml");
    for (target, error) in [
        (
            "kind = \"pid\"\npid = 1\nready = { log = \"x\" }",
            "readiness cannot be detected in it",
        ),
        (
            "kind = \"pid\"\npid = 1\nready = { port = \"{port}\" }",
            "is already running",
        ),
        ("kind = \"pid\"\npid = 1\nready = { port = \"80\" }", "a port number"),
        (
            "kind = \"metrics\"\nmetrics_url = \"http://127.0.0.1:1/metrics\"\ntree = true",
            "has no process",
        ),
        (
            "kind = \"pid\"\npid = 1\n[metrics]\nm = { log = \"x\" }",
            "its lines cannot be counted",
        ),
        (
            "kind = \"pid\"\npid = 1\nbuild = { require = [\"committed\"] }",
            "`committed` is required, but there is no `repo`",
        ),
        (
            "kind = \"pid\"\npid = 1\n[metrics]\nm = { cgroup = \"memry\" }",
            "did you mean `memory`?",
        ),
        (
            "kind = \"pid\"\npid = 1\n[metrics]\nm = { proc = \"fds\", cgroup = \"pids\" }",
            "and this one has 2",
        ),
    ] {
        std::fs::write(
            &file,
            format!("name = \"t\"\n[limits]\nfds = \"max < 100\"\n[target]\n{target}\n"),
        )
        .expect("written");
        let output = output(&["check", &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{target}");
        let text = stderr(&output);
        assert!(text.contains(error), "{target}: {text}");
    }
}

/// Runs a watch without an engine.
fn watch(folder: &Path, arguments: &[&str]) -> Output {
    leakcheck()
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .current_dir(folder)
        .arg("watch")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts")
}

#[test]
fn a_watch_of_nothing_is_a_usage_error() {
    let folder = TempDir::new().expect("a scratch folder");
    for (arguments, error) in [
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
        let output = watch(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(error), "{}", stderr(&output));
    }
    // Nothing of it is left.
    assert!(!folder.path().join("reports").exists() || is_empty(&folder.path().join("reports")));
    // A container without an engine is not a usage error, but there is no verdict.
    let output = watch(folder.path(), &["--container", "web"]);
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}
