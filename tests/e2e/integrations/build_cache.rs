//! The CI's cache of the leakcheck build: rebuilt if the sources change, and only then.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::ci::{read, script};
use crate::harness::{root, stderr};
use crate::skip::skip_without_tool;

/// Reads a YAML file with Python, or returns `None` if the test is skipped.
fn parsed(path: &str) -> Option<Value> {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(root().join(path))
        .output();
    let read = output.ok().and_then(|o| serde_json::from_slice(&o.stdout).ok());
    if read.is_none() {
        assert!(!has_yaml(), "{path} is no YAML");
        skip_without_tool("Python's package `yaml` is not installed (pip install PyYAML)");
    }
    read
}

fn has_yaml() -> bool {
    let imported = Command::new("python3")
        .args(["-c", "import yaml"])
        .stderr(Stdio::null())
        .status();
    imported.is_ok_and(|s| s.success())
}

/// Runs a script as a CI would.
fn bash(script: &str, folder: &Path, environment: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .expect("bash starts");
    (output.status.success(), stderr(&output))
}

fn git(folder: &Path, arguments: &[&str]) {
    let made = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|s| s.success()), "git {arguments:?}");
}

/// Makes a repository with leakcheck's folders and two commits, the second on the branch `next`.
fn sources() -> TempDir {
    let folder = TempDir::new().expect("a scratch folder");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    };
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "crates/a file.rs",
        "fixtures/leaky-targets/src/lib.rs",
        "README.md",
    ] {
        write(file, "one");
    }
    git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "-m", "one"]);
    git(folder.path(), &["checkout", "--quiet", "-b", "next"]);
    write("crates/a file.rs", "two");
    git(folder.path(), &["commit", "--quiet", "-a", "-m", "two"]);
    git(folder.path(), &["checkout", "--quiet", "main"]);
    folder
}

#[test]
fn the_actions_cache_is_keyed_by_the_sources_and_saved_before_the_verdict() {
    let Some(action) = parsed("action.yml") else { return };
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let place = |what: &str| {
        let is = |s: &Value| s["name"] == what || s["uses"].as_str().is_some_and(|u| u.starts_with(what));
        steps.iter().position(is).unwrap_or_else(|| panic!("{what}"))
    };
    let order = [
        "Sources of leakcheck",
        "actions/cache/restore@",
        "Build leakcheck",
        "actions/cache/save@",
        "leakcheck run",
        "actions/upload-artifact@",
    ];
    assert!(order.is_sorted_by_key(|what| place(what)), "{steps:?}");
    let restore = &steps[place("actions/cache/restore@")]["with"];
    let key = restore["key"].as_str().expect("a key");
    assert!(
        key.contains("steps.source.outputs.key") && !key.contains("ref"),
        "{key}"
    );
    assert_eq!(restore["path"], steps[place("actions/cache/save@")]["with"]["path"]);
    assert!(
        steps.iter().all(|s| s["run"].is_null() || s["shell"] == "bash"),
        "{steps:?}"
    );
    // And every reference to a step's outputs names an existing step.
    for used in read("action.yml").split("steps.").skip(1) {
        let id = used.split('.').next().unwrap_or_default();
        assert!(steps.iter().any(|s| s["id"] == id), "no step is called {id}");
    }
}

#[test]
fn the_actions_key_changes_with_the_sources_and_nothing_else() {
    let (sources, temp) = (sources(), TempDir::new().expect("a scratch folder"));
    let step = script(&read("action.yml"), "Sources of leakcheck");
    let at = |path: &Path| path.display().to_string();
    let key = |version: &str| {
        let outputs = temp.path().join("outputs");
        let _ = std::fs::remove_file(&outputs);
        let environment = [
            ("VERSION", version),
            ("SOURCE", &at(sources.path())),
            ("REPOSITORY", &at(sources.path())),
            ("RUNNER_TEMP", &at(temp.path())),
            ("GITHUB_OUTPUT", &at(&outputs)),
        ];
        let (ran, stderr) = bash(&step, temp.path(), &environment);
        assert!(ran, "{stderr}");
        let written = std::fs::read_to_string(&outputs).expect("outputs");
        let folder = written
            .lines()
            .find_map(|l| l.strip_prefix("folder="))
            .expect("a folder");
        assert!(Path::new(folder).join("Cargo.toml").is_file(), "{written}");
        let key = written.lines().find_map(|l| l.strip_prefix("key=")).expect("a key");
        assert_eq!(key.len(), 32, "{written}");
        key.to_owned()
    };
    let first = key("");
    assert_eq!(key("main"), first, "the same sources under another name");
    assert_ne!(key("next"), first, "a branch");
    std::fs::write(sources.path().join("README.md"), "two").expect("written");
    assert_eq!(key(""), first, "documentation is not built");
    std::fs::write(sources.path().join("crates/a file.rs"), "three").expect("written");
    assert_ne!(key(""), first, "a source is");
}

#[test]
fn the_gitlab_job_builds_leakcheck_once_for_each_of_its_commits() {
    let Some(file) = parsed("docs/ci/gitlab-ci.yml") else {
        return;
    };
    let job = &file["leakcheck"];
    assert_eq!(job["cache"]["when"], "always", "also when the verdict is no pass");
    assert_eq!(job["cache"]["paths"], serde_json::json!([".leakcheck"]));
    assert_eq!(job["artifacts"]["reports"]["junit"], "reports/*/*/junit.xml");
    let lines = |part: &str| -> Vec<String> {
        let all = job[part].as_array().expect(part).iter();
        all.map(|l| l.as_str().expect("a line").to_owned()).collect()
    };
    let script = [lines("before_script"), lines("script")].concat().join("\n");
    // Given a project, leakcheck's sources, and a fake cargo that logs its calls
    let (project, sources) = (TempDir::new().expect("a scratch folder"), sources());
    let at = |name: &str| project.path().join(name);
    let cargo = "#!/bin/sh\necho \"$*\" >> built\nwhile [ \"$1\" != --root ]; do shift; done\n\
        mkdir -p \"$2/bin\"; echo 'echo \"$*\" >> ran' > \"$2/bin/leakcheck\"; chmod +x \"$2/bin/leakcheck\"\n";
    for (file, text) in [("build", "#!/bin/sh\n"), ("cargo", cargo)] {
        std::fs::write(at(file), text).expect("written");
        Command::new("chmod").arg("+x").arg(at(file)).status().expect("chmod");
    }
    let path = format!(
        "{}:{}",
        project.path().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let job = || {
        let source = sources.path().display().to_string();
        let (ran, stderr) = bash(
            &script,
            project.path(),
            &[("PATH", &path), ("LEAKCHECK_SOURCE", &source)],
        );
        assert!(ran, "{stderr}");
        let lines = |file| std::fs::read_to_string(at(file)).expect("written").lines().count();
        (lines("built"), lines("ran"))
    };
    // When it runs twice, and again after a new commit of leakcheck
    assert_eq!((job(), job()), ((1, 1), (1, 2)));
    git(sources.path(), &["merge", "--quiet", "next"]);
    assert_eq!(job(), (2, 3));
    // Then only the last build is kept
    assert_eq!(std::fs::read_dir(at(".leakcheck")).expect("kept").count(), 1);
}
