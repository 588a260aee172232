//! Help, colour, and errors of usage.

use crate::harness::{output, stderr, stdout};

#[test]
fn every_command_has_help_with_examples() {
    let all = stdout(&["--help"]);
    let listed = all
        .split("Commands:")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("a list");
    let names: Vec<&str> = listed
        .lines()
        // The further lines of a long description are indented more.
        .filter_map(|l| l.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
        .collect();
    assert!(names.len() > 15, "{listed}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = stdout(&[name, "--help"]);
        assert!(
            help.contains("Example") && help.contains(&format!("leakcheck {name}")),
            "{help}"
        );
    }
}

#[test]
fn a_folder_in_place_of_a_file_gets_a_hint_and_vice_versa() {
    let folder = tempfile::TempDir::new().expect("scratch");
    std::fs::write(folder.path().join("mine.toml"), "").expect("written");
    let (folder, file) = (
        folder.path().display().to_string(),
        folder.path().join("mine.toml").display().to_string(),
    );
    for (arguments, hint) in [
        (["run", folder.as_str()], "did you mean"),
        (["check", folder.as_str()], "mine.toml?"),
        (["plan", folder.as_str()], "not a scenario file"),
        (["judge", folder.as_str()], "not a run folder"),
        (["compare", file.as_str()], "a run folder is needed"),
        (["report", file.as_str()], "a run folder is needed"),
    ] {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(hint), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn there_is_no_colour_in_a_pipe() {
    // Standard output and error are pipes here.
    for arguments in [&["doctor"][..], &["check", "no-such.toml"]] {
        let output = output(arguments);
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{arguments:?}"
        );
    }
    let findings = output(&["doctor", "--containers", "1"]);
    assert!(
        String::from_utf8_lossy(&findings.stdout).contains("open files"),
        "{}",
        stderr(&findings)
    );
}

#[test]
fn wrong_input_exits_with_2_and_an_error_that_names_it() {
    for (arguments, text) in [
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
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(text), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
