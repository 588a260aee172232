//! On a terminal, and seen by somebody who may not see everything.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::aloud::{skip, skip_without_tool};
use crate::commands::undisturbed::undisturbed;
use crate::stand::LEAKCHECK;

/// What leakcheck writes on a terminal of 200 columns; `None`, said aloud, where no terminal can be made.
fn on_a_terminal(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> Option<String> {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "120", "script", "-qec"])
        .arg(format!("stty cols 200 rows 40; '{LEAKCHECK}' {arguments}"))
        .arg("/dev/null")
        .current_dir(folder)
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    for variable in ["NO_COLOR", "CI", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_ACTIONS"] {
        if !environment.iter().any(|(name, _)| *name == variable) {
            command.env_remove(variable);
        }
    }
    if Command::new("script").arg("--version").output().is_err() {
        skip_without_tool("`script` is not installed (Debian's package bsdutils has it)");
        return None;
    }
    Some(String::from_utf8_lossy(&command.output().expect("it starts").stdout).into_owned())
}

const COLOUR: &str = "\u{1b}[";
/// How a line is written over: what a log would keep a thousand times.
const REDRAWN: &str = "\r\u{1b}[";

#[test]
fn colour_and_bars_are_for_a_terminal_and_no_color_and_ci_are_respected() {
    let folder = TempDir::new().expect("a scratch folder");
    let watch = "watch --duration 2s --limit 'fds: max < 50' -- sleep 60";
    let Some(coloured) = on_a_terminal(folder.path(), watch, &[]) else {
        return;
    };
    assert!(
        coloured.contains("\u{1b}[1m") && coloured.contains("\u{1b}[3"),
        "{coloured:?}"
    );
    assert!(coloured.contains('━'), "{coloured:?}");
    // Without colour, but with the live line: its bar and its words have none either
    let plain = on_a_terminal(folder.path(), watch, &[("NO_COLOR", "1")]).expect("as before");
    assert!(plain.contains("report: ") && plain.contains('━'), "{plain:?}");
    let colours = plain.match_indices(COLOUR).filter(|(at, _)| {
        let code: String = plain[at + 2..]
            .chars()
            .take_while(|c| !c.is_ascii_alphabetic())
            .collect();
        plain[at + 2 + code.len()..].starts_with('m') && code != "0" && !code.is_empty()
    });
    assert_eq!(colours.count(), 0, "{plain:?}");
    // In a CI that has a terminal: no line is drawn over
    let ci = on_a_terminal(folder.path(), watch, &[("CI", "true")]).expect("as before");
    assert!(
        ci.contains("report: ") && !ci.contains('━') && !ci.contains(REDRAWN),
        "{ci:?}"
    );
    let both = on_a_terminal(folder.path(), watch, &[("CI", "true"), ("NO_COLOR", "1")]).expect("as before");
    assert!(both.contains("report: ") && !both.contains(COLOUR), "{both:?}");
}

#[test]
fn a_watch_shows_sparklines_the_interval_and_the_verdict_so_far_while_it_goes_on() {
    let folder = TempDir::new().expect("a scratch folder");
    let watch = "watch --duration 12s --extend 0s -- sleep 60";
    let Some(seen) = on_a_terminal(folder.path(), watch, &[("NO_COLOR", "1")]) else {
        return;
    };
    // A live line is one that was drawn over: it says how long is left
    let live: Vec<&str> = seen.split(['\r', '\n']).filter(|l| l.contains(" left")).collect();
    assert!(live.len() > 5, "{seen:?}");
    let with = |what: &[&str]| live.iter().any(|l| what.iter().all(|w| l.contains(w)));
    assert!(with(&["measure", "fds", "▁▁▁", "threads", "rss"]), "{live:?}");
    assert!(with(&["so far", "[", "..", "]"]), "{live:?}");
    assert!(
        live.iter().all(|l| l.chars().count() < 260),
        "a line is a line: {live:?}"
    );
}

/// A place that every user may use, and leakcheck in it.
fn for_everybody() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a scratch folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("opened");
    let program = folder.path().join("leakcheck");
    std::fs::copy(LEAKCHECK, &program).expect("copied");
    (folder, program)
}

#[test]
fn without_privileges_a_watch_says_what_it_cannot_see_and_sees_all_of_its_own() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !is_root || Command::new("setpriv").arg("--version").output().is_err() {
        // Where one cannot become another user the test has nothing to try; root's machines have the program.
        return skip(
            "LEAKCHECK_REQUIRE_ROOT",
            "another user's process can be tried by root alone, with `setpriv`",
        );
    }
    let (folder, program) = for_everybody();
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        undisturbed(|| command.output().expect("it starts"))
    };
    // Given a process of root's (this one): what can be read of it is judged, the rest is named
    let pid = std::process::id().to_string();
    let other = nobody(&[
        "watch",
        "--pid",
        &pid,
        "--duration",
        "2s",
        "--limit",
        "threads: max < 5000",
        "--json",
    ]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(0), "{said}");
    assert!(said.contains("its /metrics, cannot be found"), "{said}");
    assert!(said.contains("not permitted to read /proc/"), "who leaked: {said}");
    // How many descriptors there are the kernel tells everybody since 6.2, by the size of a folder that may not be read;
    // before, a limit on what cannot be seen is no pass and no fail but a mistake that says why
    let told = std::fs::metadata("/proc/self/fd").is_ok_and(|m| m.len() > 0);
    let fds = nobody(&[
        "watch",
        "--pid",
        &pid,
        "--duration",
        "2s",
        "--limit",
        "fds: max < 5000",
        "--json",
    ]);
    let said = String::from_utf8_lossy(&fds.stderr).into_owned();
    assert_eq!(fds.status.code(), Some(if told { 0 } else { 2 }), "{said}");
    let says_why =
        said.contains("`fds` cannot be seen") && said.contains("cannot be counted: it is another user's process");
    assert_eq!(says_why, !told, "{said}");
    // And of its own processes it sees everything
    let own = nobody(&[
        "watch",
        "--duration",
        "2s",
        "--limit",
        "fds: max < 50",
        "--json",
        "--",
        "sleep",
        "60",
    ]);
    assert_eq!(own.status.code(), Some(0), "{}", String::from_utf8_lossy(&own.stderr));
}
