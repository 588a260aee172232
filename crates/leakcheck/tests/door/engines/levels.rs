//! The main scenario on both engines: the same verdict, the same levels.

use std::path::{Path, PathBuf};

use crate::stand::{On, Ran, Stand, machine, ran};

/// Levels and rates may differ by this share, or by one.
const SHARE: f64 = 0.02;

/// The main scenario as CI runs it, shorter, with limits that this length decides. Other tests keep the machine busy: a read that
/// is late for it is an error that was mended, and no difference between engines.
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
    /// What is there when no rotation is under way: a tenth of the judged samples is below. How many rotations overlap is a
    /// matter of how busy the machine is, and no level.
    tasks: f64,
    fds: f64,
    streams: f64,
    /// Per minute: by chance the judged part holds one sample more on one engine than on the other.
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

fn run(stand: &Stand) -> Ran {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/55-containers.toml");
    let ran = ran(&stand.command(&file, &SHORT).output().expect("leakcheck starts"));
    assert_eq!(ran.code, 0, "{}", ran.said);
    ran
}

#[test]
fn the_main_scenario_has_the_same_verdict_and_levels_on_both_engines() {
    let (Some(simulated), Some(docker)) = (Stand::on(On::Simulated), Stand::on(On::Docker)) else {
        return;
    };
    // One after the other: side by side they would take each other's processors.
    let _machine = machine();
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
