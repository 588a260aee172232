//! `leakcheck init` writes a scenario that runs as it is.

use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::harness::leakcheck;
use crate::retry::retry_missed_samples;

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = leakcheck();
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.output().expect("leakcheck starts")
}

#[test]
fn the_scenario_of_init_runs_and_passes() {
    let folder = TempDir::new().expect("a scratch folder");
    assert!(run(&folder, &["init"]).status.success());
    // When it is run for half a minute, with faster rotations and limits that this length can decide
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
    let output = retry_missed_samples(|| run(&folder, &shorter));
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Then every limit was judged
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let judged = result["limits"].as_array().expect("limits");
    assert_eq!(judged.len(), 10, "{judged:?}");
    assert!(judged.iter().all(|l| l["outcome"] == "pass"), "{judged:?}");
    assert_eq!(result["containers"], 10);
}
