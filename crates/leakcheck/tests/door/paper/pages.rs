//! Man pages and completions, as man and shells take them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::leakcheck;
use crate::aloud::skip_without_tool;
use crate::stand::{LEAKCHECK, said};

fn printed(arguments: &[&str]) -> String {
    let output = leakcheck(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Every command that the help lists, but `help` itself.
fn commands() -> BTreeSet<String> {
    let all = printed(&["--help"]);
    let listed = all.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names = listed
        .expect("a list")
        .lines()
        .filter_map(|l| l.strip_prefix("  ")?.split(' ').next());
    let names: BTreeSet<String> = names
        .filter(|n| !n.is_empty() && *n != "help")
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 15, "{names:?}");
    names
}

/// The long options that a command's help names.
fn options(command: &str) -> BTreeSet<String> {
    let help = printed(&[command, "--help"]);
    let words = help.lines().map(str::trim_start).filter(|l| l.starts_with('-'));
    words
        .flat_map(|l| l.split([' ', ',', '[', '=']).filter(|w| w.starts_with("--")).take(1))
        .map(|w| w.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned())
        .filter(|w| w.len() > 2)
        .collect()
}

#[test]
fn every_command_has_a_man_page_with_its_options_and_every_page_that_is_named_is_there() {
    let folder = TempDir::new().expect("scratch");
    printed(&["man", "--dir", &folder.path().display().to_string()]);
    let page = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(format!("{name}.1")));
        text.unwrap_or_else(|_| panic!("{name}.1")).replace("\\-", "-")
    };
    let top = page("leakcheck");
    for command in commands() {
        let text = page(&format!("leakcheck-{command}"));
        assert!(top.contains(&format!("leakcheck-{command}(1)")), "{command}: {top}");
        for option in options(&command) {
            assert!(text.contains(&option), "{command} {option}: {text}");
        }
        // The page alone is the same.
        assert_eq!(printed(&["man", &command]).replace("\\-", "-"), text);
    }
    let written = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(written, commands().len() + 1, "nothing hidden has a page");
    let wrong = leakcheck(&["man", "rnu"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("did you mean `run`?"), "{}", said(&wrong));
}

#[test]
fn another_reader_finds_no_fault_with_any_page() {
    if Command::new("mandoc").arg("-V").output().is_err() {
        return skip_without_tool("`mandoc` is not installed");
    }
    let folder = TempDir::new().expect("scratch");
    printed(&["man", "--dir", &folder.path().display().to_string()]);
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        // What is wrong is a warning or worse; below that are opinions on style (a date is missing, a line is long).
        let lint = Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .arg(entry.path())
            .output();
        let lint = lint.expect("mandoc starts");
        let faults = String::from_utf8_lossy(&lint.stdout).into_owned();
        // A date of its own no build has: two builds of the same source are the same.
        let faults: Vec<&str> = faults.lines().filter(|l| !l.contains("missing date")).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let read = Command::new("mandoc")
            .args(["-Tutf8"])
            .arg(entry.path())
            .output()
            .expect("mandoc starts");
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        // Bold is a letter struck twice.
        assert!(
            text.replace('\u{8}', "").contains("SSYYNNOOPPSSIISS") && text.contains("leakcheck"),
            "{text}"
        );
    }
}

#[test]
fn completions_know_every_command_and_bash_takes_them() {
    let all = ["bash", "zsh", "fish"].map(|shell| (shell, printed(&["completions", shell])));
    for command in commands() {
        for (shell, text) in &all {
            assert!(text.contains(&command), "{shell}: {command}");
        }
    }
    // Given a shell that has read them, and in whose PATH leakcheck is
    let path = format!(
        "{}:{}",
        Path::new(LEAKCHECK).parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = "source <(leakcheck completions bash) && complete -p leakcheck && \
        COMP_WORDS=(leakcheck wat) COMP_CWORD=1 && _leakcheck leakcheck wat leakcheck && echo \"${COMPREPLY[@]}\" && \
        COMP_WORDS=(leakcheck watch --contai) COMP_CWORD=2 && _leakcheck leakcheck --contai watch && echo \"${COMPREPLY[@]}\"";
    let shell = Command::new("bash")
        .args(["--norc", "-c", script])
        .env("PATH", path)
        .output()
        .expect("bash starts");
    let told = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert!(shell.status.success() && shell.stderr.is_empty(), "{}", said(&shell));
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("complete ") && lines[0].ends_with("-F _leakcheck leakcheck"),
        "{told}"
    );
    assert_eq!(lines[1..], ["watch", "--container"], "{told}");
}
