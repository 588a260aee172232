//! What is on paper is true: scenarios, schema, template and help, with nothing started.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LEAKCHECK: &str = env!("CARGO_BIN_EXE_leakcheck");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn leakcheck(arguments: &[&str]) -> Output {
    Command::new(LEAKCHECK)
        .args(arguments)
        .output()
        .expect("leakcheck starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
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

#[test]
fn completions_and_the_man_page_know_every_command() {
    let man = String::from_utf8_lossy(&leakcheck(&["man"]).stdout).into_owned();
    let bash = String::from_utf8_lossy(&leakcheck(&["completions", "bash"]).stdout).into_owned();
    for command in [
        "run",
        "judge",
        "compare",
        "watch",
        "plan",
        "check",
        "init",
        "selftest",
        "doctor",
        "clean",
        "capture",
        "engine",
        "chaos",
        "report",
        "export",
        "noise",
        "completions",
        "man",
    ] {
        assert!(man.contains(command) && bash.contains(command), "{command}");
    }
}
