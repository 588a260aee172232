//! The repository's scenarios, the schema and the template of `init`.

use std::path::{Path, PathBuf};

use crate::harness::{output, root, stderr, stdout};

/// All scenario files below a folder.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => scenarios(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect()
}

#[test]
fn every_scenario_is_valid_states_its_purpose_and_names_its_schema() {
    let all = scenarios(&root().join("scenarios"));
    assert!(all.len() > 20, "{all:?}");
    for path in all {
        let path = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("readable");
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("#:schema ") && first.ends_with("schema/scenario.schema.json"),
            "{path}"
        );
        let comment: String = text.lines().skip(1).take_while(|l| l.starts_with('#')).collect();
        assert!(comment.len() > 10, "{path} has no comment on its purpose");
        let checked = output(&["check", &path]);
        assert!(checked.status.success(), "{}", stderr(&checked));
    }
}

#[test]
fn the_stored_schema_is_up_to_date() {
    let stored = std::fs::read_to_string(root().join("schema/scenario.schema.json")).expect("the schema");
    assert!(
        stored == stdout(&["schema"]),
        "schema/scenario.schema.json is stale: `cargo run -- schema > schema/scenario.schema.json`"
    );
}

#[test]
fn init_writes_a_valid_scenario_and_never_overwrites_a_file() {
    let folder = tempfile::TempDir::new().expect("scratch");
    let file = folder.path().join("mine.toml").display().to_string();
    assert!(output(&["init", &file]).status.success());
    let checked = output(&["check", &file]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let again = output(&["init", &file]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));
}

#[test]
fn init_writes_to_standard_output() {
    let text = stdout(&["init", "-"]);
    assert!(text.contains("[target]") && text.contains("[limits]"), "{text}");
}
