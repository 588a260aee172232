//! The formats for other tools: a page, JUnit, Prometheus, Grafana, a CI. Each is tested with the real tool, or skipped with a
//! message if the tool is not installed.

mod browser;
mod build_cache;
mod ci;
mod grafana;
mod junit;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::harness::{leakcheck, stderr};
use crate::skip::skip_without_tool;

/// The folder of a short run of the capture daemon on the simulated engine, made once for all tests that only read it.
fn a_run() -> &'static Path {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, folder) = RUN.get_or_init(|| {
        let scratch = TempDir::new().expect("a scratch folder");
        let scenario = scratch.path().join("short.toml");
        let text = "name = \"short\"\n[[load]]\nname = \"noisy\"\ncontainers = 3\nlines_per_second = 20\n\
            [target]\nkind = \"capture\"\nrotate_every = \"1s\"\n\
            [schedule]\nwarm_up = \"1s\"\nmeasure = \"6s\"\nsample_every = \"250ms\"\ncheckpoint_every = \"2s\"\ndrain = \"2s\"\nextend = \"0s\"\n\
            [limits]\nfds = \"growth_per_min < 60\"\nrotations = \"increase >= 50% of expected\"\nlines = \"lost == 0\"\n";
        std::fs::write(&scenario, text).expect("written");
        let reports = scratch.path().join("reports");
        let output = leakcheck()
            .arg("run")
            .arg(&scenario)
            .args(["--engine", "simulated", "--quiet", "--out"])
            .arg(&reports)
            .output()
            .expect("leakcheck starts");
        let runs = std::fs::read_dir(reports.join("short"));
        let runs = runs.unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let folder = runs.flatten().next().expect("a run").path();
        assert!(folder.join("report.html").is_file(), "{}", stderr(&output));
        (scratch, folder)
    });
    folder
}

/// The run in OpenMetrics format.
fn exported(folder: &Path) -> String {
    let output = leakcheck()
        .arg("export")
        .arg(folder)
        .args(["--format", "openmetrics"])
        .output()
        .expect("leakcheck starts");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn prometheus_accepts_an_exported_run() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return skip_without_tool("`promtool` is not installed (Debian's package prometheus has it)");
    }
    let scratch = TempDir::new().expect("a scratch folder");
    let (text, data) = (scratch.path().join("run.txt"), scratch.path().join("data"));
    std::fs::write(&text, exported(a_run())).expect("written");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&text, &data])
        .output()
        .expect("promtool starts");
    assert!(made.status.success(), "{}", stderr(&made));
    let blocks = std::fs::read_dir(&data).expect("blocks").flatten();
    assert!(blocks.filter(|b| b.path().join("index").is_file()).count() >= 1);
    // And it holds all samples (`dump` needs a folder for the write-ahead log).
    std::fs::create_dir(data.join("wal")).expect("a folder");
    let dumped = Command::new("promtool").args(["tsdb", "dump"]).arg(&data).output();
    let dumped = String::from_utf8(dumped.expect("promtool starts").stdout).expect("text");
    let samples = std::fs::read_to_string(a_run().join("samples.csv")).expect("samples");
    let fds = dumped
        .lines()
        .filter(|l| l.contains("\"leakcheck_fds\"") || l.contains("leakcheck_fds{"));
    assert_eq!(fds.count(), samples.lines().count() - 1, "{dumped}");
}
