//! Man pages and completions, read by man and by shells.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{EXECUTABLE, output, stderr, stdout};
use crate::skip::skip_without_tool;

/// All commands that the help lists, except `help`.
fn commands() -> BTreeSet<String> {
    let all = stdout(&["--help"]);
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

/// The long options in a command's help.
fn options(command: &str) -> BTreeSet<String> {
    let help = stdout(&[command, "--help"]);
    let words = help.lines().map(str::trim_start).filter(|l| l.starts_with('-'));
    words
        .flat_map(|l| l.split([' ', ',', '[', '=']).filter(|w| w.starts_with("--")).take(1))
        .map(|w| w.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned())
        .filter(|w| w.len() > 2)
        .collect()
}

#[test]
fn every_command_has_a_man_page_with_its_options() {
    let folder = TempDir::new().expect("scratch");
    stdout(&["man", "--dir", &folder.path().display().to_string()]);
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
        // `man COMMAND` prints the same page.
        assert_eq!(stdout(&["man", &command]).replace("\\-", "-"), text);
    }
    let written = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(written, commands().len() + 1, "hidden commands have no page");
    let wrong = output(&["man", "rnu"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("did you mean `run`?"), "{}", stderr(&wrong));
}

#[test]
fn mandoc_accepts_every_page() {
    if Command::new("mandoc").arg("-V").output().is_err() {
        return skip_without_tool("`mandoc` is not installed");
    }
    let folder = TempDir::new().expect("scratch");
    stdout(&["man", "--dir", &folder.path().display().to_string()]);
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        // Below warnings are style messages, for example about long lines.
        let lint = Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .arg(entry.path())
            .output();
        let lint = lint.expect("mandoc starts");
        let faults = String::from_utf8_lossy(&lint.stdout).into_owned();
        // Pages have no date, so that builds are reproducible.
        let faults: Vec<&str> = faults.lines().filter(|l| !l.contains("missing date")).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let read = Command::new("mandoc")
            .args(["-Tutf8"])
            .arg(entry.path())
            .output()
            .expect("mandoc starts");
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        // mandoc prints a bold letter twice, with a backspace between.
        assert!(
            text.replace('\u{8}', "").contains("SSYYNNOOPPSSIISS") && text.contains("leakcheck"),
            "{text}"
        );
    }
}

#[test]
fn completions_have_every_command_and_bash_loads_them() {
    let all = ["bash", "zsh", "fish"].map(|shell| (shell, stdout(&["completions", shell])));
    for command in commands() {
        for (shell, text) in &all {
            assert!(text.contains(&command), "{shell}: {command}");
        }
    }
    // In a shell with leakcheck in its PATH
    let path = format!(
        "{}:{}",
        Path::new(EXECUTABLE).parent().expect("a folder").display(),
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
    let printed = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert!(shell.status.success() && shell.stderr.is_empty(), "{}", stderr(&shell));
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with("complete ") && lines[0].ends_with("-F _leakcheck leakcheck"),
        "{printed}"
    );
    assert_eq!(lines[1..], ["watch", "--container"], "{printed}");
}
