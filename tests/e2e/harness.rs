//! Runs the built executable as an operator would: a scratch folder, an engine, a scenario.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A scenario with three containers that takes a few seconds.
pub(crate) const BRIEF: &str = r#"
name = "brief"
[[load]]
name = "idle"
containers = 3
[target]
kind = "capture"
[schedule]
warm_up = "1s"
measure = "5s"
drain = "1s"
extend = "0s"
[limits]
streams = "min >= 3"
"#;

/// Deadline of anything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// The path of the built executable, which is built first if it is missing or older than its sources.
///
/// `cargo test --workspace` builds it before this test. `cargo test -p leakcheck-e2e` alone does not.
pub(crate) fn executable() -> &'static Path {
    static EXECUTABLE: LazyLock<PathBuf> = LazyLock::new(|| {
        // target/PROFILE/deps/e2e-HASH
        let test = std::env::current_exe().expect("this executable");
        let folder = test.ancestors().nth(2).expect("target/PROFILE");
        let executable = folder.join("leakcheck");
        if is_stale(&executable) {
            build(folder);
        }
        executable
    });
    &EXECUTABLE
}

/// Returns whether an executable is missing or older than a source that Cargo's dependency file lists for it.
fn is_stale(executable: &Path) -> bool {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let Some(built) = modified(executable) else { return true };
    let Ok(list) = std::fs::read_to_string(executable.with_extension("d")) else {
        return true;
    };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources).trim_end();
    sources
        .replace("\\ ", "\0")
        .split(' ')
        .any(|path| modified(Path::new(&path.replace('\0', " "))).is_none_or(|time| time > built))
}

/// Builds the executable into `folder`, which is `target/PROFILE`.
fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "leakcheck",
            "--bin",
            "leakcheck",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(folder.parent().expect("the target folder"))
        .current_dir(root())
        .status();
    assert!(built.expect("cargo starts").success(), "the executable was not built");
}

/// A command that runs the built executable.
pub(crate) fn leakcheck() -> Command {
    Command::new(executable())
}

/// The workspace's top folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The standard error of a finished command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Takes turns among the tests that need the whole machine; the turn ends when the guard is dropped.
pub(crate) fn exclusive() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `condition` holds, and fails at the deadline.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An engine to run a test on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Engine {
    /// A real one; the test is skipped with a message if none answers.
    Docker,
    Simulated,
}

/// A scratch folder and an engine.
pub(crate) struct Harness {
    /// Scratch folder.
    pub(crate) folder: TempDir,
    engine: Engine,
}

/// The outcome of a finished run.
pub(crate) struct RunOutput {
    /// Exit code.
    pub(crate) code: i32,
    /// `result.json` from standard output, or null.
    pub(crate) result: Value,
    /// Standard error.
    pub(crate) stderr: String,
}

/// Returns whether a Docker engine answers.
fn docker_answers() -> bool {
    let mut command = Command::new("docker");
    command.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// Returns whether a Docker engine answers, and skips the test with a message if not.
pub(crate) fn has_docker() -> bool {
    let answers = docker_answers();
    if !answers {
        crate::skip::skip("LEAKCHECK_REQUIRE_DOCKER", "no Docker engine answers");
    }
    answers
}

impl Harness {
    /// A harness on this engine, or `None` if the test is skipped.
    pub(crate) fn on(engine: Engine) -> Option<Self> {
        (engine == Engine::Simulated || has_docker()).then(|| Self {
            folder: TempDir::new().expect("a scratch folder"),
            engine,
        })
    }

    /// Writes a scenario file.
    pub(crate) fn scenario(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("scenario.toml");
        std::fs::write(&path, text).expect("a scenario file");
        path
    }

    /// A command for `leakcheck run` of this scenario with more arguments, with piped output.
    pub(crate) fn command(&self, scenario: &Path, more: &[&str]) -> Command {
        let mut command = leakcheck();
        let kind = match self.engine {
            Engine::Docker => "docker",
            Engine::Simulated => "simulated",
        };
        command
            .arg("run")
            .arg(scenario)
            .args(["--engine", kind, "--out"])
            .arg(self.reports())
            .args(more);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The folder of all run folders.
    pub(crate) fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    /// Runs a scenario to its end.
    pub(crate) fn run(&self, text: &str, more: &[&str]) -> RunOutput {
        let scenario = self.scenario(text);
        let output = self.command(&scenario, &[&["--json"], more].concat()).output();
        RunOutput::new(&output.expect("leakcheck starts"))
    }

    /// The only run folder.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let scenarios = std::fs::read_dir(self.reports()).expect("reports").flatten();
        let mut runs: Vec<PathBuf> = scenarios
            .flat_map(|s| std::fs::read_dir(s.path()).expect("runs").flatten().map(|r| r.path()))
            .collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }
}

impl RunOutput {
    /// Reads the output of a finished `run --json` or `judge --json`.
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            result: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            stderr: stderr(output),
        }
    }

    /// The reasons, each as `code metric`.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let all = self.result["reasons"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        all.iter()
            .map(|r| format!("{} {}", text(&r["code"]), text(&r["metric"])))
            .collect()
    }
}

/// Ids of all containers, running or not, with this label.
pub(crate) fn containers_with(label: &str) -> Vec<String> {
    let output = Command::new("docker")
        .args(["ps", "-aq", "--filter", &format!("label={label}")])
        .output()
        .expect("docker ps");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}
