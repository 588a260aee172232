//! Executes the examples of docs/bisect.md: git finds the commit that introduced the leak.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::executable;

const PAGE: &str = include_str!("../../docs/bisect.md");

/// The commits: the body of the daemon's loop, and the message.
const HISTORY: [(&str, &str); 5] = [
    ("exec {fd}</dev/null {fd}<&-", "Open and close"),
    ("exec {fd}</dev/null; exec {fd}<&-", "Close in a line of its own"),
    (
        "exec {fd}</dev/null; work=$((work + 1)); exec {fd}<&-",
        "Count the work",
    ),
    ("exec {fd}</dev/null; work=$((work + 1))", "Tidy up"),
    ("exec {fd}</dev/null; work=$((work + 2))", "Work twice as hard"),
];

/// The message of the commit that introduced the leak.
const CULPRIT: &str = "Tidy up";

struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// A command in the repository that ignores the user's git settings and finds `leakcheck` in its PATH.
    fn command(&self, program: &str) -> Command {
        let beside = executable().parent().expect("a folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(beside.to_owned()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .current_dir(self.repository())
            .env("PATH", std::env::join_paths(all).expect("a PATH"))
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([
                ("GIT_AUTHOR_NAME", "test"),
                ("GIT_AUTHOR_EMAIL", "test@example.invalid"),
            ])
            .envs([
                ("GIT_COMMITTER_NAME", "test"),
                ("GIT_COMMITTER_EMAIL", "test@example.invalid"),
            ])
            // No engine is needed, so none may be contacted.
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().expect("it starts");
        assert!(output.status.success(), "{program} {arguments:?}: {}", printed(&output));
        printed(&output)
    }

    /// A repository with [`HISTORY`].
    fn with_history() -> Self {
        let scratch = Self {
            folder: TempDir::new().expect("a scratch folder"),
        };
        std::fs::create_dir(scratch.repository()).expect("a folder");
        scratch.run("git", &["init", "--quiet"]);
        for (work, message) in HISTORY {
            let daemon = format!("while sleep 0.05; do\n    {work}\ndone\n");
            std::fs::write(scratch.repository().join("daemon.sh"), daemon).expect("a daemon");
            scratch.run("git", &["add", "daemon.sh"]);
            scratch.run("git", &["commit", "--quiet", "-m", message]);
        }
        scratch
    }
}

fn printed(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The fenced blocks of a language, without their indentation.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = PAGE.split(fence.as_str()).skip(1);
    let blocks = parts.map(|rest| rest.split("```").next().unwrap_or_default());
    blocks
        .map(|block| block.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"))
        .collect()
}

/// Runs the commands of one example on the scratch repository; they must find the culprit.
fn finds_the_culprit(commands: &str) {
    for program in ["git", "bash"] {
        if Command::new(program).arg("--version").output().is_err() {
            return crate::skip::skip_without_tool(&format!("there is no {program}"));
        }
    }
    // Given a repository in which one of five commits introduces a leak, and the example's scenario beside it
    let scratch = Scratch::with_history();
    std::fs::write(scratch.folder.path().join("leak.toml"), &blocks("toml")[0]).expect("a scenario");
    // When the commands are run
    let output = scratch
        .command("sh")
        .args(["-e", "-c", commands])
        .output()
        .expect("a shell");
    // Then git names that commit
    let printed = printed(&output);
    assert!(printed.contains("is the first bad commit"), "{printed}");
    let found = scratch.run("git", &["log", "-1", "--format=%s", "refs/bisect/bad"]);
    assert_eq!(found.trim(), CULPRIT, "{printed}");
}

#[test]
fn git_bisect_finds_the_commit_by_its_limit() {
    finds_the_culprit(&blocks("sh")[0]);
}

#[test]
fn git_bisect_finds_the_commit_by_comparison_with_the_good_one() {
    finds_the_culprit(&blocks("sh")[1]);
}
