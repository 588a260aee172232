//! `leakcheck plan`: the smallest growth that a schedule can prove.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{leakcheck, stderr};

const SCENARIO: &str = r#"name = "planned"
[[load]]
name = "noisy"
containers = 10
[target]
kind = "capture"
rotate_every = "20s"
[schedule]
warm_up = "10s"
measure = "2m"
drain = "10s"
extend = "1m"
[limits]
fds = ["growth_per_min < 1", "drained <= 2"]
rotations = "increase >= 90% of expected"
"#;

fn plan(arguments: &[&str], scenario: &Path) -> Output {
    leakcheck()
        .arg("plan")
        .arg(scenario)
        .args(arguments)
        .output()
        .expect("leakcheck starts")
}

fn written(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, text).expect("a scenario");
    path
}

fn json(arguments: &[&str], scenario: &Path) -> Value {
    let output = plan(&[arguments, &["--json"]].concat(), scenario);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_plan_has_durations_rotations_bounds_and_proposals() {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = written(&folder, SCENARIO);
    let plan = json(&[], &scenario);
    // 3 s and a fifth of a second a container to launch, 10 warm-up, 120 measured, 10 drained; 10 and 60 more at most.
    assert_eq!(plan["takes_s"]["least"], 145.0);
    assert_eq!(plan["takes_s"]["most"], 215.0);
    assert_eq!(
        (&plan["rotations"]["per_stream"], &plan["rotations"]["expected"]),
        (&Value::from(6.0), &Value::from(60.0))
    );
    let fds = &plan["limits"][0];
    assert_eq!(
        (&fds["metric"], &fds["noise"]["source"]),
        (&Value::from("fds"), &Value::from("assumed"))
    );
    // The bound, calculated by hand: S0 = 1² · 1 s, 1 + 4.6527 · 60 · √(12 · 1 / 120³) = 1.736.
    let bound = fds["bound"]["smallest_proven_per_min"].as_f64().expect("a bound");
    assert!((bound - 1.736).abs() < 0.001, "{bound}");
    // 30 rotations a minute.
    let per_rotation = fds["bound"]["smallest_proven_per_rotation"].as_f64().expect("a bound");
    assert!((per_rotation - bound / 30.0).abs() < 1e-9, "{per_rotation}");
    assert!(
        fds["rehearsed"]["smallest_proven_per_min"].as_f64() > Some(bound),
        "{fds}"
    );
    assert_eq!(fds["decidable"], false);
    // And the proposed schedule decides.
    let shortest = plan["limits"][0]["rehearsed"]["shortest_measure_s"]
        .as_f64()
        .expect("a length");
    assert!(shortest > 120.0);
    let longer = format!("schedule.measure={:.0}s", shortest * 1.3);
    assert_eq!(json(&["--set", &longer], &scenario)["decidable"], true, "{longer}");
}

#[test]
fn too_few_rotations_are_reported_with_a_faster_pace() {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = written(&folder, SCENARIO);
    let output = plan(&["--set", "target.rotate_every=40s"], &scenario);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("3 whole rotations of a stream: 6 are needed to pass"),
        "{text}"
    );
    assert!(text.contains("rotate_every = \"6s\" instead of 40s"), "{text}");
}

#[test]
fn the_noise_of_an_earlier_run_replaces_the_assumption() {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = written(&folder, SCENARIO);
    // Given an earlier run whose descriptors never moved
    let mut samples = "t_s,phase,fds\n".to_owned();
    for t in 0..300 {
        samples.push_str(&format!("{t},measure,40\n"));
    }
    std::fs::write(folder.path().join("samples.csv"), samples).expect("samples");
    let earlier = folder.path().to_str().expect("UTF-8");
    // Then the same schedule proves far less
    let (assumed, measured) = (json(&[], &scenario), json(&["--noise-of", earlier], &scenario));
    assert_eq!(measured["limits"][0]["noise"]["source"], "measured");
    let proven = |plan: &Value| plan["limits"][0]["bound"]["smallest_proven_per_min"].as_f64();
    assert!(proven(&measured) < proven(&assumed), "{measured}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = written(&folder, SCENARIO);
    for (arguments, text) in [
        (vec!["--noise-of", "nowhere"], "nowhere"),
        (vec!["--set", "schedule.measre=9m"], "measre"),
    ] {
        let output = plan(&arguments, &scenario);
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(text) && output.stdout.is_empty(), "{printed}");
    }
}
