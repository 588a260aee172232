//! The main scenario on both engines: the same verdict and the same levels.

use std::path::Path;

use crate::harness::{Engine, Harness, RunOutput, exclusive, root};

/// Largest relative difference of levels and rates; a difference of one is always allowed.
const SHARE: f64 = 0.02;

/// The main scenario in short, with limits that this length can decide. Retried read errors are allowed, because other tests
/// keep the machine busy.
const SHORT: [&str; 14] = [
    "--json",
    "--warm-up",
    "10s",
    "--measure",
    "45s",
    "--set",
    "target.rotate_every=5s",
    "--set",
    "limits.tasks=[\"growth_per_min < 30\", \"drained <= 2\"]",
    "--set",
    "limits.fds=[\"growth_per_min < 30\", \"drained <= 2\"]",
    "--set=schedule.extend=45s",
    "--set=limits.rss=\"max < 256 MiB\"",
    "--set=limits.errors=\"increase < 55\"",
];

struct Levels {
    /// The tenth percentile: the level between rotations. The number of rotations that overlap depends on the machine's load.
    tasks: f64,
    fds: f64,
    streams: f64,
    /// Rotations per minute, because the judged parts may differ by one sample.
    rotations: f64,
}

fn levels(folder: &Path) -> Levels {
    let text = std::fs::read_to_string(folder.join("samples.csv")).expect("samples");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("names").split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let place = |name: &str| names.iter().position(|n| *n == name).expect("a column");
    let column = |name: &str| -> Vec<f64> {
        let judged = rows.iter().filter(|row| row[place("phase")] == "measure");
        judged.filter_map(|row| row[place(name)].parse().ok()).collect()
    };
    let level = |name: &str| {
        let mut values = column(name);
        values.sort_by(f64::total_cmp);
        values[values.len() / 10]
    };
    let over = |name: &str| {
        let values = column(name);
        values.last().expect("samples") - values[0]
    };
    Levels {
        tasks: level("tasks"),
        fds: level("fds"),
        streams: level("streams"),
        rotations: over("rotations") / over("t_s") * 60.0,
    }
}

fn run(harness: &Harness) -> RunOutput {
    let file = root().join("scenarios/55-containers.toml");
    let ran = RunOutput::new(&harness.command(&file, &SHORT).output().expect("leakcheck starts"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

#[test]
fn the_main_scenario_has_the_same_verdict_and_levels_on_both_engines() {
    let (Some(simulated), Some(docker)) = (Harness::on(Engine::Simulated), Harness::on(Engine::Docker)) else {
        return;
    };
    // One after the other, because side by side they would slow each other down.
    let _turn = exclusive();
    let (one, two) = (run(&docker), run(&simulated));
    assert_eq!(one.result["verdict"], two.result["verdict"]);
    let (real, ours) = (levels(&docker.run_folder()), levels(&simulated.run_folder()));
    for (name, real, ours) in [
        ("tasks", real.tasks, ours.tasks),
        ("fds", real.fds, ours.fds),
        ("streams", real.streams, ours.streams),
        ("rotations", real.rotations, ours.rotations),
    ] {
        let off = (real - ours).abs();
        assert!(
            off <= 1.0_f64.max(SHARE * real),
            "{name}: {real} on Docker, {ours} simulated"
        );
    }
}
