//! Output on a terminal, and a watch by a user without privileges.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::executable;
use crate::retry::retry_missed_samples;
use crate::skip::{skip, skip_without_tool};

/// Runs leakcheck on a terminal of 200 columns and returns its output, or `None` if the test is skipped.
fn on_a_terminal(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> Option<String> {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "120", "script", "-qec"])
        .arg(format!(
            "stty cols 200 rows 40; '{}' {arguments}",
            executable().display()
        ))
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
/// The start of a redrawn line, which a CI log must not contain.
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
    // Without colour, but with a live line that has no colour either
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
    // In a CI with a terminal no line is redrawn
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
    // A live line says how long is left
    let live: Vec<&str> = seen.split(['\r', '\n']).filter(|l| l.contains(" left")).collect();
    assert!(live.len() > 5, "{seen:?}");
    let with = |what: &[&str]| live.iter().any(|l| what.iter().all(|w| l.contains(w)));
    assert!(with(&["measure", "fds", "▁▁▁", "threads", "rss"]), "{live:?}");
    assert!(with(&["so far", "[", "..", "]"]), "{live:?}");
    assert!(
        live.iter().all(|l| l.chars().count() < 260),
        "a live line fits into one line: {live:?}"
    );
}

/// A folder that every user may write to, with the executable in it.
fn shared_folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a scratch folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("opened");
    let program = folder.path().join("leakcheck");
    std::fs::copy(executable(), &program).expect("copied");
    (folder, program)
}

#[test]
fn an_unprivileged_watch_reports_what_it_cannot_see() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !is_root || Command::new("setpriv").arg("--version").output().is_err() {
        return skip(
            "LEAKCHECK_REQUIRE_ROOT",
            "only root can become another user, with `setpriv`",
        );
    }
    let (folder, program) = shared_folder();
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        retry_missed_samples(|| command.output().expect("it starts"))
    };
    // A process of root (this one) is judged by what can be read; the rest is reported
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
    let stderr = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("its /metrics, cannot be found"), "{stderr}");
    assert!(stderr.contains("not permitted to read /proc/"), "{stderr}");
    // Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors for every user. On an older kernel a limit on
    // them is a usage error
    let countable = std::fs::metadata("/proc/self/fd").is_ok_and(|m| m.len() > 0);
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
    let stderr = String::from_utf8_lossy(&fds.stderr).into_owned();
    assert_eq!(fds.status.code(), Some(if countable { 0 } else { 2 }), "{stderr}");
    let explained =
        stderr.contains("`fds` cannot be seen") && stderr.contains("cannot be counted: it is another user's process");
    assert_eq!(explained, !countable, "{stderr}");
    // Of its own processes it sees everything
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
