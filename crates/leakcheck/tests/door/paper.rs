//! What is on paper is true: scenarios, schema, template and help, with nothing started.

mod documents;
mod pages;

use crate::stand::{LEAKCHECK, root, said};
use std::process::{Command, Output};

fn leakcheck(arguments: &[&str]) -> Output {
    Command::new(LEAKCHECK)
        .args(arguments)
        .output()
        .expect("leakcheck starts")
}

#[test]
fn every_scenario_is_right_says_which_question_it_answers_and_names_its_schema() {
    let mut count = 0;
    for folder in ["scenarios", "scenarios/record"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("scenarios").flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "toml") {
                continue;
            }
            count += 1;
            let text = std::fs::read_to_string(&path).expect("readable");
            let mut lines = text.lines();
            assert!(
                lines
                    .next()
                    .is_some_and(|l| l.starts_with("#:schema ") && l.ends_with("schema/scenario.schema.json")),
                "{}",
                path.display()
            );
            let comment: String = text.lines().skip(1).take_while(|l| l.starts_with('#')).collect();
            assert!(comment.contains('?'), "{} asks no question", path.display());
            let checked = leakcheck(&["check", &path.display().to_string()]);
            assert!(checked.status.success(), "{}", said(&checked));
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_schema_is_that_of_the_types() {
    let stored = std::fs::read_to_string(root().join("schema/scenario.schema.json")).expect("the schema");
    let made = String::from_utf8(leakcheck(&["schema"]).stdout).expect("text");
    assert!(
        stored == made,
        "schema/scenario.schema.json is stale: `cargo run -- schema > schema/scenario.schema.json`"
    );
}

#[test]
fn init_writes_a_scenario_that_is_right_and_never_over_a_file() {
    let folder = tempfile::TempDir::new().expect("scratch");
    let file = folder.path().join("mine.toml").display().to_string();
    assert!(leakcheck(&["init", &file]).status.success());
    let checked = leakcheck(&["check", &file]);
    assert!(checked.status.success(), "{}", said(&checked));
    let again = leakcheck(&["init", &file]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("exists already"), "{}", said(&again));
}

#[test]
fn init_asks_nothing_and_writes_to_standard_output_too() {
    let written = leakcheck(&["init", "-"]);
    assert!(written.status.success(), "{}", said(&written));
    let text = String::from_utf8(written.stdout).expect("text");
    assert!(text.contains("[target]") && text.contains("[limits]"), "{text}");
}

#[test]
fn every_command_has_help_with_examples() {
    let all = String::from_utf8(leakcheck(&["--help"]).stdout).expect("text");
    let listed = all
        .split("Commands:")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("a list");
    let names: Vec<&str> = listed
        .lines()
        // Not what a long description goes on with, which stands further in.
        .filter_map(|l| l.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
        .collect();
    assert!(names.len() > 15, "{listed}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = String::from_utf8(leakcheck(&[name, "--help"]).stdout).expect("text");
        assert!(
            help.contains("Example") && help.contains(&format!("leakcheck {name}")),
            "{help}"
        );
    }
}

#[test]
fn a_folder_where_a_file_is_meant_gets_a_hint_and_the_other_way_round() {
    let folder = tempfile::TempDir::new().expect("scratch");
    std::fs::write(folder.path().join("mine.toml"), "").expect("written");
    let (folder, file) = (
        folder.path().display().to_string(),
        folder.path().join("mine.toml").display().to_string(),
    );
    for (arguments, hint) in [
        (["run", folder.as_str()], "did you mean"),
        (["check", folder.as_str()], "mine.toml?"),
        (["plan", folder.as_str()], "no scenario file"),
        (["judge", folder.as_str()], "no run folder"),
        (["compare", file.as_str()], "a run folder is meant"),
        (["report", file.as_str()], "a run folder is meant"),
    ] {
        let output = leakcheck(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(hint), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    // Standard output and error are pipes here.
    for arguments in [&["doctor"][..], &["check", "no-such.toml"]] {
        let output = leakcheck(arguments);
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{arguments:?}"
        );
    }
    let findings = leakcheck(&["doctor", "--containers", "1"]);
    assert!(
        String::from_utf8_lossy(&findings.stdout).contains("open files"),
        "{}",
        said(&findings)
    );
}

#[test]
fn wrong_input_gets_one_clear_error_and_exit_code_2() {
    for (arguments, named) in [
        (&["run", "no-such.toml"][..], "no-such.toml"),
        (&["run"][..], "<SCENARIO>"),
        (&["runn"][..], "run"),
        (
            &["judge", "no-such.csv", "--limit", "x: growth_per_min < 1"][..],
            "no-such.csv",
        ),
        (&["judge", "Cargo.toml", "--limit", "x growth"][..], "METRIC: RULE"),
        (&["check", "Cargo.toml"][..], "Cargo.toml"),
        (&["clean", "--docker-host", "nonsense"][..], "nonsense"),
        (&["compare", "no-such-run"][..], "no-such-run"),
        (&["report", "."][..], "scenario.toml"),
    ] {
        let output = leakcheck(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{arguments:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_table_from_elsewhere_is_judged_by_a_limit_from_the_command_line() {
    let folder = tempfile::TempDir::new().expect("scratch");
    let file = folder.path().join("leak.csv");
    let rows: String = (0..600).map(|t| format!("{t},{},5\n", 100 + t / 6)).collect();
    std::fs::write(&file, format!("t_s,open,flat\n{rows}")).expect("a table");
    let judged = |limit: &str| {
        let output = leakcheck(&["judge", &file.display().to_string(), "--limit", limit, "--json"]);
        (
            output.status.code(),
            serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON"),
        )
    };
    let (code, result) = judged("open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(1), Some("fail")));
    let estimate = result["metrics"]["open"]["growth_per_min"]["estimate"]
        .as_f64()
        .expect("a figure");
    assert!((9.0..11.0).contains(&estimate), "{estimate}");
    let (code, result) = judged("flat: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("pass")));
}

/// Judges a table by `limit`: exit code, result and what was said.
fn judged_table(text: &str, limit: &str) -> (Option<i32>, serde_json::Value, String) {
    let folder = tempfile::TempDir::new().expect("scratch");
    let file = folder.path().join("table.csv");
    std::fs::write(&file, text).expect("a table");
    let output = leakcheck(&["judge", &file.display().to_string(), "--limit", limit, "--json"]);
    let result = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), result, said(&output))
}

#[test]
fn a_broken_row_is_named_and_the_rest_is_judged() {
    let row = |t: u32| {
        if t == 100 {
            "100,1o5\n".to_owned()
        } else {
            format!("{t},105\n")
        }
    };
    let rows: String = (0..600).map(row).collect();
    let (code, result, _) = judged_table(&format!("t_s,open\n{rows}"), "open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(0), Some("pass")));
    assert_eq!(result["metrics"]["open"]["missing"].as_u64(), Some(1));
    let warning = result["warnings"][0]["message"].as_str().unwrap_or_default();
    assert!(warning.contains("line 102: `1o5` in column `open`"), "{result}");
}

#[test]
fn a_table_of_which_more_than_a_twentieth_is_broken_gets_no_verdict() {
    let row = |t: u32| {
        if t.is_multiple_of(10) {
            "soon,105\n".to_owned()
        } else {
            format!("{t},105\n")
        }
    };
    let rows: String = (1..600).map(row).collect();
    let (code, result, _) = judged_table(&format!("t_s,open\n{rows}"), "open: growth_per_min < 2");
    assert_eq!((code, result["verdict"].as_str()), (Some(125), Some("invalid")));
    assert_eq!(
        result["reasons"][0]["code"].as_str(),
        Some("samples-missed"),
        "{result}"
    );
}

#[test]
fn a_misspelt_metric_and_what_is_no_record_are_usage_errors_that_say_what_to_do() {
    let (code, _, said_of) = judged_table("t_s,open\n0,1\n1,1\n", "opne: growth_per_min < 2");
    assert_eq!(code, Some(2));
    assert!(
        said_of.contains("no column `opne`") && said_of.contains("did you mean `open`?"),
        "{said_of}"
    );
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    for (what, hint) in [
        (scenarios, "leakcheck run"),
        (&format!("{scenarios}/smoke.toml"), "leakcheck plan"),
    ] {
        let output = leakcheck(&["judge", what]);
        assert_eq!(output.status.code(), Some(2), "{what}");
        assert!(said(&output).contains(hint), "{}", said(&output));
    }
}
