//! The table, the replicas and the scenario files are the same rows.

use std::collections::BTreeSet;
use std::path::Path;

use leakcheck_model::Scenario;
use leakcheck_replicas::NAMES;

use super::*;

fn scenario(row: &Row) -> Scenario {
    Scenario::parse(row.scenario).unwrap_or_else(|problems| panic!("{}: {problems:?}", row.name))
}

/// The replica that a scenario starts.
fn replica(scenario: &Scenario) -> Option<&str> {
    let mut words = scenario.target.command.iter().skip_while(|word| *word != "replica");
    words.nth(1).map(String::as_str)
}

#[test]
fn every_scenario_of_the_record_is_a_row_and_every_replica_is_run_by_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/record");
    let files = std::fs::read_dir(folder).expect("the folder").flatten();
    let files: BTreeSet<String> = files
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(rows, files);
    assert_eq!(rows.len(), ROWS.len(), "a name stands twice");
    let run: BTreeSet<String> = ROWS
        .iter()
        .filter_map(|row| replica(&scenario(row)).map(str::to_owned))
        .collect();
    let replicas: BTreeSet<String> = NAMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(run, replicas);
}

#[test]
fn a_row_is_the_scenario_that_it_names_and_its_reasons_are_of_limits_that_are_there() {
    for row in &ROWS {
        let scenario = scenario(row);
        assert_eq!(scenario.name, row.name);
        assert!(!scenario.description.is_empty(), "{}: what is injected?", row.name);
        let limits = scenario.all_limits();
        for (_, metric) in row.reasons.iter().filter(|(_, metric)| !metric.is_empty()) {
            assert!(limits.iter().any(|(m, _)| m == metric), "{}: {metric}", row.name);
        }
        for metric in ["tasks", "fds"] {
            let is_held = limits.iter().any(|(m, _)| m == metric);
            assert!(is_held, "{}: whether {metric} leak too is not asked", row.name);
        }
        assert_eq!(row.within_s.is_some(), scenario.schedule.early_stop, "{}", row.name);
    }
}
