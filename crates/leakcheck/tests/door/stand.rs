//! Where a test runs leakcheck as an operator would: a scratch folder, an engine, the built binary; it cleans up.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

/// The built binary.
pub(crate) const LEAKCHECK: &str = env!("CARGO_BIN_EXE_leakcheck");

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a command wrote to standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Three containers for a few seconds.
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

/// Tests that fill the machine run one at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// The machine, until it is given back.
pub(crate) fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which engine a test runs on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum On {
    /// The real one; the test is skipped out loud where none answers.
    Docker,
    /// Ours.
    Simulated,
}

/// A place to run in.
pub(crate) struct Stand {
    /// Scratch.
    pub(crate) folder: TempDir,
    engine: On,
}

/// What a run came to.
pub(crate) struct Ran {
    /// Exit code.
    pub(crate) code: i32,
    /// `result.json`, if there is one.
    pub(crate) result: Value,
    /// Standard error.
    pub(crate) said: String,
}

/// Whether a Docker engine answers here.
pub(crate) fn docker_answers() -> bool {
    Command::new("docker")
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

impl Stand {
    /// A stand on this engine; `None`, said aloud, where there is none and none is required.
    pub(crate) fn on(engine: On) -> Option<Self> {
        if engine == On::Docker && !docker_answers() {
            crate::aloud::skip_without_docker();
            return None;
        }
        Some(Self {
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

    /// `leakcheck run` of this scenario with more arguments, ready to be spawned.
    pub(crate) fn command(&self, scenario: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(LEAKCHECK);
        let kind = if self.engine == On::Docker {
            "docker"
        } else {
            "simulated"
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

    /// Where run folders go.
    pub(crate) fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    /// Runs a scenario to its end.
    pub(crate) fn run(&self, text: &str, more: &[&str]) -> Ran {
        let scenario = self.scenario(text);
        ran(&self
            .command(&scenario, &[&["--json"], more].concat())
            .output()
            .expect("leakcheck starts"))
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

/// What a finished process came to.
pub(crate) fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        result: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ran {
    /// The reasons as `code metric`.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let all = self.result["reasons"].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|r| {
                format!(
                    "{} {}",
                    r["code"].as_str().unwrap_or(""),
                    r["metric"].as_str().unwrap_or("")
                )
            })
            .collect()
    }
}

/// Names of containers, running or not, with this label.
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
