//! `leakcheck init` writes a scenario that runs as it is.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::commands::undisturbed::undisturbed;

fn leakcheck(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(crate::stand::LEAKCHECK);
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.output().expect("leakcheck starts")
}

#[test]
fn what_init_writes_runs_and_passes() {
    let folder = TempDir::new().expect("a scratch folder");
    assert!(leakcheck(&folder, &["init"]).status.success());
    // When it is run as it is, but for half a minute: rotations come as much faster, and what a minute proves is less
    let shorter = [
        "run",
        "leakcheck.toml",
        "--engine",
        "simulated",
        "--json",
        "--warm-up",
        "4s",
        "--measure",
        "30s",
        "--set",
        "target.rotate_every=1s",
        "--set",
        "schedule.drain=4s",
        "--set",
        "limits.tasks=[\"growth_per_min < 10\", \"drained <= 2\"]",
        "--set",
        "limits.fds=[\"growth_per_min < 10\", \"drained <= 2\"]",
    ];
    let output = undisturbed(|| leakcheck(&folder, &shorter));
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Then every one of its limits was judged
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let judged = result["limits"].as_array().expect("limits");
    assert_eq!(judged.len(), 10, "{judged:?}");
    assert!(judged.iter().all(|l| l["outcome"] == "pass"), "{judged:?}");
    assert_eq!(result["containers"], 10);
}
