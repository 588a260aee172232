//! The GitHub action, as its users and the examples call it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{executable, leakcheck, root, stderr};

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|_| panic!("{path}"))
}

/// The keys of the second level under a key of the first level.
fn keys(yaml: &str, under: &str) -> BTreeSet<String> {
    let lines = yaml.lines().skip_while(|l| *l != format!("{under}:")).skip(1);
    lines
        .take_while(|l| l.is_empty() || l.starts_with(' '))
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.trim().strip_suffix(':').map(str::to_owned))
        .collect()
}

/// The script of a step.
pub(super) fn script(yaml: &str, step: &str) -> String {
    let lines = yaml.lines().skip_while(|l| l.trim() != format!("- name: {step}"));
    let lines = lines.skip_while(|l| l.trim() != "run: |").skip(1);
    let script: Vec<&str> = lines
        .take_while(|l| l.starts_with("        "))
        .map(str::trim_start)
        .collect();
    script.join("\n")
}

#[test]
fn the_action_declares_the_inputs_that_are_used() {
    let action = read("action.yml");
    let inputs = keys(&action, "inputs");
    assert!(
        inputs.contains("scenario") && inputs.contains("args") && inputs.contains("version"),
        "{inputs:?}"
    );
    for used in action.split("inputs.").skip(1) {
        let name: String = used
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        assert!(inputs.contains(&name), "inputs.{name} is not declared");
    }
    for workflow in ["go", "python", "rust"] {
        let text = read(&format!("examples/{workflow}/.github/workflows/leakcheck.yml"));
        let with = text
            .split("leakcheck/leakcheck@main")
            .nth(1)
            .expect("it uses the action");
        assert!(with.contains("scenario: leakcheck.toml"), "{with}");
    }
}

#[test]
fn the_actions_step_outputs_verdict_and_exit_code() {
    // Given the step as GitHub would run it, on a command with few descriptors
    let scratch = TempDir::new().expect("a scratch folder");
    let at = |name: &str| scratch.path().join(name);
    let scenario = "name = \"sleeper\"\n[target]\nkind = \"command\"\ncommand = [\"sleep\", \"60\"]\n\
        [schedule]\nwarm_up = \"1s\"\nmeasure = \"30s\"\n[limits]\nfds = \"max < 50\"\n";
    std::fs::write(at("leakcheck.toml"), scenario).expect("written");
    let script = script(&read("action.yml"), "leakcheck run");
    assert!(script.contains("GITHUB_OUTPUT"), "{script}");
    let step = |arguments: &str, outputs: &Path| {
        let output = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", &script])
            .current_dir(scratch.path())
            .env("SCENARIO", "leakcheck.toml")
            .env("ARGS", arguments)
            .env("LEAKCHECK", executable())
            .env("RUNNER_TEMP", scratch.path())
            .env("GITHUB_OUTPUT", outputs)
            .env("GITHUB_STEP_SUMMARY", at("summary.md"))
            .output()
            .expect("bash starts");
        let written = std::fs::read_to_string(outputs).unwrap_or_default();
        (output.status.code(), written, stderr(&output))
    };
    // When the limit holds, is exceeded, or the scenario is wrong
    let mut passed = step("--measure 5s", &at("passed"));
    if passed.0 == Some(125) {
        // A busy machine may miss one of the five samples.
        passed = step("--measure 5s", &at("passed again"));
    }
    let failed = step("--measure 5s --set 'limits.fds=\"max < 1\"'", &at("failed"));
    let wrong = step("--measure nonsense", &at("wrong"));
    // Then the step's exit code and outputs agree
    assert_eq!(
        (passed.0, passed.1.as_str()),
        (Some(0), "verdict=pass\nexit-code=0\n"),
        "{}",
        passed.2
    );
    assert_eq!(
        (failed.0, failed.1.as_str()),
        (Some(1), "verdict=fail\nexit-code=1\n"),
        "{}",
        failed.2
    );
    assert_eq!(
        (wrong.0, wrong.1.as_str()),
        (Some(2), "verdict=\nexit-code=2\n"),
        "{}",
        wrong.2
    );
    let summary = std::fs::read_to_string(at("summary.md")).expect("the step's summary");
    assert!(summary.contains("sleeper"), "{summary}");
    let result: Value =
        serde_json::from_slice(&std::fs::read(at("leakcheck.json")).expect("a file")).unwrap_or_default();
    assert!(result.is_null(), "nothing was started");
}

#[test]
fn a_workflow_gets_annotations_and_a_job_summary() {
    let scratch = TempDir::new().expect("a scratch folder");
    let summary = scratch.path().join("summary.md");
    std::fs::write(&summary, "# An earlier step\n").expect("written");
    let watch = |in_github: bool| {
        let mut command = leakcheck();
        command
            .args([
                "watch",
                "--duration",
                "2s",
                "--limit",
                "fds: max < 1",
                "--",
                "sleep",
                "60",
            ])
            .current_dir(scratch.path())
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY");
        if in_github {
            command
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_STEP_SUMMARY", &summary);
        }
        let output = command.output().expect("leakcheck starts");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let (inside, outside) = (watch(true), watch(false));
    let annotation = inside.lines().find(|l| l.starts_with("::error "));
    let annotation = annotation.unwrap_or_else(|| panic!("{inside}"));
    // The title is escaped and names the metric
    assert!(
        annotation.starts_with("::error title=leakcheck fail%3A fds::watch-sleep: "),
        "{annotation}"
    );
    assert!(annotation.contains("the limit is < 1"), "{annotation}");
    assert!(!outside.contains("::error"), "{outside}");
    let page = std::fs::read_to_string(&summary).expect("the summary");
    assert!(
        page.starts_with("# An earlier step\n") && page.contains("watch-sleep"),
        "{page}"
    );
}
