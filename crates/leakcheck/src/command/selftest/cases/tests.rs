//! The cases, the leaky targets and the scenario files agree.

use std::collections::BTreeSet;
use std::path::Path;

use leakcheck_leaky_targets::NAMES;
use leakcheck_model::Scenario;

use super::*;

fn scenario(case: &Case) -> Scenario {
    Scenario::parse(case.scenario).unwrap_or_else(|problems| panic!("{}: {problems:?}", case.name))
}

/// Returns the leaky target that a scenario starts.
fn leaky_target(scenario: &Scenario) -> Option<&str> {
    let mut words = scenario
        .target
        .command
        .iter()
        .skip_while(|word| *word != "leaky-target");
    words.nth(1).map(String::as_str)
}

#[test]
fn every_scenario_has_a_case_and_every_leaky_target_a_scenario() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/selftest");
    let files = std::fs::read_dir(folder).expect("the folder").flatten();
    let files: BTreeSet<String> = files
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    let names: BTreeSet<String> = CASES.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(names, files);
    assert_eq!(names.len(), CASES.len(), "a name is used twice");
    let run: BTreeSet<String> = CASES
        .iter()
        .filter_map(|case| leaky_target(&scenario(case)).map(str::to_owned))
        .collect();
    let leaky_targets: BTreeSet<String> = NAMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(run, leaky_targets);
}

#[test]
fn the_name_and_reasons_of_a_case_fit_its_scenario() {
    for case in &CASES {
        let scenario = scenario(case);
        assert_eq!(scenario.name, case.name);
        assert!(!scenario.description.is_empty(), "{}: no description", case.name);
        let limits = scenario.all_limits();
        for (_, metric) in case.reasons.iter().filter(|(_, metric)| !metric.is_empty()) {
            assert!(limits.iter().any(|(m, _)| m == metric), "{}: {metric}", case.name);
        }
        for metric in ["tasks", "fds"] {
            let is_limited = limits.iter().any(|(m, _)| m == metric);
            assert!(is_limited, "{}: {metric} have no limit", case.name);
        }
        assert_eq!(case.within_s.is_some(), scenario.schedule.early_stop, "{}", case.name);
    }
}
