//! Executes the commands of README.md and docs/reports.md on a small daemon.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::harness::{executable, root, stderr};

/// Runs a line in a shell that finds `leakcheck` in its PATH.
fn shell(folder: &Path, line: &str) -> Output {
    let beside = executable().parent().expect("a folder").display();
    let path = format!("{beside}:{}", std::env::var("PATH").unwrap_or_default());
    Command::new("timeout")
        .args(["120", "bash", "-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .stdin(Stdio::null())
        .output()
        .expect("bash starts")
}

#[test]
fn the_commands_for_your_own_daemon_work() {
    let folder = TempDir::new().expect("scratch");
    let daemon = folder.path().join("my-daemon");
    std::fs::write(&daemon, "#!/bin/sh\nexec sleep 300\n").expect("written");
    std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("readable");
    assert!(readme.contains("`leakcheck watch -- ./my-daemon`"));
    // Two seconds are too short for a verdict on growth, so 125 is allowed.
    let watched = shell(
        folder.path(),
        "leakcheck watch --duration 2s --extend 0s -- ./my-daemon",
    );
    assert!(matches!(watched.status.code(), Some(0 | 125)), "{}", stderr(&watched));
    let reports = folder.path().join("reports/watch-my-daemon");
    let mut runs = std::fs::read_dir(reports).expect("runs").flatten();
    let run = runs.next().expect("a run").path();
    let run = run.display();
    for line in [
        format!("leakcheck judge {run}; [ $? -ne 2 ]"),
        format!("cp -r {run} {run}-again && {{ leakcheck compare {run} {run}-again; [ $? -ne 2 ]; }}"),
        format!("leakcheck report {run}"),
        format!("leakcheck export {run} --format openmetrics | tail -n 1 | grep -qx '# EOF'"),
        format!("leakcheck export {run} --format csv | head -n 1 | grep -q '^t_s,phase,'"),
        "leakcheck init my-daemon.toml && leakcheck check my-daemon.toml && leakcheck plan my-daemon.toml".to_owned(),
        "leakcheck schema | head -n 1 | grep -qx '{'".to_owned(),
        "leakcheck completions fish > leakcheck.fish && leakcheck man --dir man && test -s man/leakcheck.1".to_owned(),
        "leakcheck noise --lines-per-second max --lines 3 | grep -c '^lc1 ' | grep -qx 4".to_owned(),
    ] {
        let output = shell(folder.path(), &line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
    }
}
