//! Runs the built executable.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The path of the built executable.
pub(crate) const EXECUTABLE: &str = env!("CARGO_BIN_EXE_leakcheck");

/// A command that runs the built executable.
pub(crate) fn leakcheck() -> Command {
    Command::new(EXECUTABLE)
}

/// Runs the executable with these arguments to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    leakcheck().args(arguments).output().expect("leakcheck starts")
}

/// The standard output of a command that must succeed.
pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// The standard error of a finished command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The JSON on standard output, or null.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// The workspace's top folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
