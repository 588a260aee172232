//! The scenarios with faults: every fault hits, is recorded and is shown, and no line is lost or changed.

mod recorded_run;

use std::path::PathBuf;
use std::process::{Child, Output};

use leakcheck_model::Scenario;

use crate::harness::{BRIEF, Engine, Harness, RunOutput, containers_with, exclusive, root};
use recorded_run::RecordedRun;

const SCENARIOS: [&str; 6] = [
    "chaos-stall",
    "chaos-idle-cut",
    "chaos-reset",
    "chaos-truncate",
    "chaos-engine-restart",
    "chaos-everything",
];

fn file(name: &str) -> PathBuf {
    root().join(format!("scenarios/{name}.toml"))
}

/// Reads the output of a run in a thread, so that the run never waits for a full pipe.
fn outcome(child: Child) -> std::thread::JoinHandle<Output> {
    std::thread::spawn(move || child.wait_with_output().expect("it ends"))
}

/// Runs all scenarios at the same time, which takes two minutes; they mostly wait.
fn all_scenarios_pass(on: Engine) {
    let Some(harness) = Harness::on(on) else { return };
    let _turn = exclusive();
    let runs = SCENARIOS.map(|name| {
        let child = harness.command(&file(name), &["--json"]).spawn();
        (name, outcome(child.expect("leakcheck starts")))
    });
    for (name, run) in runs {
        let ran = RunOutput::new(&run.join().expect("no panic"));
        assert_eq!(
            (ran.code, &ran.result["verdict"]),
            (0, &"pass".into()),
            "{name}: {}",
            ran.stderr
        );
        let text = std::fs::read_to_string(file(name)).expect("the scenario");
        let scenario = Scenario::parse(&text).expect("a good scenario");
        let id = ran.result["run_id"].as_str().expect("an id");
        let folder = harness.reports().join(name).join(id);
        let run = RecordedRun::new(name, &scenario, &ran.result, &folder);
        run.every_line_arrived_once_and_in_order();
        run.every_fault_hit();
        run.every_fault_began_and_ended_at_its_time();
        run.the_samples_show_active_faults();
        run.the_charts_shade_the_faults();
        if on == Engine::Docker {
            assert_eq!(
                containers_with(&format!("leakcheck.run={id}")),
                Vec::<String>::new(),
                "{name}"
            );
        }
    }
}

#[test]
fn no_fault_costs_a_line_on_the_simulated_engine() {
    all_scenarios_pass(Engine::Simulated);
}

#[test]
fn no_fault_costs_a_line_on_docker() {
    all_scenarios_pass(Engine::Docker);
}

/// Without the scenarios' lower limits, a proxy that does nothing would pass.
#[test]
fn a_proxy_without_effect_does_not_pass() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let text = std::fs::read_to_string(file("chaos-reset")).expect("the scenario");
    let first = text
        .split("\n[[fault]]")
        .take(2)
        .collect::<Vec<_>>()
        .join("\n[[fault]]");
    let idle = first.replace("share = 0.7", "share = 0.0");
    assert_ne!(first, idle);
    let ran = harness.run(
        &idle,
        &[
            "--measure",
            "12s",
            "--set",
            "schedule.extend=0s",
            "--set",
            "schedule.drain=4s",
        ],
    );
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.reasons().contains(&"floor-missed reset".into()),
        "{:?}",
        ran.reasons()
    );
    assert_eq!(ran.result["lines"]["lost"], 0, "and nothing else is wrong");
}

/// A target that does not use the proxy cannot pass, even without lower limits.
#[test]
fn a_run_in_which_no_fault_hit_is_invalid() {
    let Some(harness) = Harness::on(Engine::Simulated) else {
        return;
    };
    let beside = BRIEF
        .replace(
            "kind = \"capture\"",
            "kind = \"command\"\ncommand = [\"sleep\", \"60\"]",
        )
        .replace("streams = \"min >= 3\"", "fds = \"max < 100\"");
    let fault = "[[fault]]\nat = \"1s\"\nfor = \"1s\"\nkind = \"stall\"\n";
    let ran = harness.run(&(beside + fault), &[]);
    assert_eq!(ran.code, 125, "{}", ran.stderr);
    assert_eq!(ran.reasons(), ["load-not-delivered "], "{}", ran.stderr);
    assert!(ran.stderr.contains("no fault hit anything"), "{}", ran.stderr);
}
