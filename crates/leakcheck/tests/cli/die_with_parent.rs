//! `leakcheck die-with-parent`: the launcher of every process that a run starts.

use tempfile::TempDir;

use crate::harness::output;

/// Starts `touch FILE` with this parent, and returns the exit code and whether the file exists.
fn started(parent: &str) -> (Option<i32>, bool) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("started");
    let path = file.display().to_string();
    let output = output(&["die-with-parent", "--parent", parent, "--", "touch", &path]);
    (output.status.code(), file.exists())
}

#[test]
fn a_program_is_started_for_its_parent() {
    assert_eq!(started(&std::process::id().to_string()), (Some(0), true));
}

#[test]
fn a_program_is_not_started_if_the_parent_died_before_the_launcher_looked() {
    // The launcher's parent is this process, not the expected one, as after a change of parent.
    assert_eq!(started("4194304"), (Some(125), false));
}
