//! The worked examples of the README and of docs/bisect.md, executed: git finds the commit that began to leak.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const README: &str = include_str!("../../../../../README.md");
const PAGE: &str = include_str!("../../../../../docs/bisect.md");

/// The commits: what the daemon does in its loop, and what the commit says.
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

/// The commit that began to leak.
const CULPRIT: &str = "Tidy up";

struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// A command in the repository, apart from the settings of whoever runs the test.
    fn command(&self, program: &str) -> Command {
        let beside = Path::new(crate::stand::LEAKCHECK).parent().expect("a folder");
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
            // No engine is needed, so none may be asked for.
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().expect("it starts");
        assert!(output.status.success(), "{program} {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// The repository with its history.
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

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The first fenced block of a language in a text.
fn block(text: &'static str, language: &str) -> &'static str {
    let begin = text.split(&format!("```{language}\n")).nth(1).expect("a block");
    begin.split("```").next().expect("its end")
}

/// The README's part on bisecting.
fn example() -> &'static str {
    README.split("### Which commit began to leak?").nth(1).expect("a part")
}

/// What a shell says that runs these commands, of which the last finds the culprit.
fn names_the_culprit(commands: &str) {
    for program in ["git", "bash"] {
        if Command::new(program).arg("--version").output().is_err() {
            return crate::aloud::skip_without_tool(&format!("there is no {program}"));
        }
    }
    // Given a repository with a leak introduced in one of five commits, and the example's scenario beside it
    let scratch = Scratch::with_history();
    std::fs::write(scratch.folder.path().join("leak.toml"), block(example(), "toml")).expect("a scenario");
    // When the commands are run
    let output = scratch
        .command("sh")
        .args(["-e", "-c", commands])
        .output()
        .expect("a shell");
    // Then the right commit is named
    let said = said(&output);
    assert!(said.contains("is the first bad commit"), "{said}");
    let named = scratch.run("git", &["log", "-1", "--format=%s", "refs/bisect/bad"]);
    assert_eq!(named.trim(), CULPRIT, "{said}");
}

#[test]
fn git_bisect_names_the_commit_that_began_to_leak() {
    names_the_culprit(block(example(), "sh"));
}

#[test]
fn git_bisect_names_it_by_comparison_with_the_good_commit() {
    let dedented: Vec<&str> = block(PAGE, "sh").lines().map(str::trim_start).collect();
    names_the_culprit(&dedented.join("\n"));
}
