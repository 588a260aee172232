//! The scenarios with faults, as they are: every fault strikes, is recorded and shown, and no line is the worse for it.

mod sound;

use std::path::PathBuf;
use std::process::{Child, Output};

use leakcheck_model::Scenario;

use crate::harness::{BRIEF, Engine, Harness, RunOutput, containers_with, exclusive, root};
use sound::Sound;

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

/// What a run that is under way comes to; its output is read meanwhile, so that it never waits for us.
fn outcome(child: Child) -> std::thread::JoinHandle<Output> {
    std::thread::spawn(move || child.wait_with_output().expect("it ends"))
}

/// All six side by side: they mostly wait. Two minutes.
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
        let sound = Sound::new(name, &scenario, &ran.result, &folder);
        sound.every_line_came_once_and_in_order();
        sound.the_faults_struck();
        sound.every_fault_began_and_ended_at_its_time();
        sound.the_samples_tell_when_a_fault_was_on();
        sound.the_charts_are_shaded_where_a_fault_was_on();
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

/// The floors are there for this: without them a proxy that does nothing would pass.
#[test]
fn a_wire_that_breaks_nothing_does_not_pass() {
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

/// Without floors too: a target that takes nothing over the wire cannot be green.
#[test]
fn a_target_that_no_fault_struck_is_not_judged_sound() {
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
