//! `leakcheck report --live`: the page of a run in progress.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::daemon::{Daemon, body};
use crate::harness::{output, stderr};

/// Writes the folder of a run that has just begun to measure.
fn started_run(root: &Path) -> PathBuf {
    let folder = root.join("run-1");
    std::fs::create_dir(&folder).expect("a folder");
    let scenario = "name = \"daemon\"\n[target]\nkind = \"command\"\ncommand = [\"./agent\"]\n[schedule]\nmeasure = \"5m\"\n[limits]\nfds = \"growth_per_min < 5\"\n";
    std::fs::write(folder.join("scenario.toml"), scenario).expect("scenario.toml");
    std::fs::write(folder.join("samples.csv"), "t_s,phase,fds\n0,measure,40\n").expect("samples.csv");
    let events = r#"{"t_s":0.0,"at":"2026-01-01T00:00:00Z","event":"run-started","run_id":"run-1","scenario":"daemon","version":"0.1.0","command":"leakcheck run"}
{"t_s":0.0,"at":"2026-01-01T00:00:00Z","event":"phase-began","phase":"measure"}
"#;
    std::fs::write(folder.join("events.jsonl"), events).expect("events.jsonl");
    folder
}

fn append(file: &Path, text: &str) {
    let mut file = std::fs::File::options().append(true).open(file).expect("there");
    file.write_all(text.as_bytes()).expect("written");
}

#[test]
fn the_page_follows_a_run_to_its_end() {
    // Given a run that has just begun
    let scratch = TempDir::new().expect("a scratch folder");
    let folder = started_run(scratch.path());
    let server = Daemon::start(&["report", &folder.display().to_string(), "--live"]);
    let (first, state) = (server.get("/"), server.get("/state"));
    assert!(
        first.starts_with("HTTP/1.1 200 OK") && first.contains("The run is not finished."),
        "{first}"
    );
    assert!(first.contains(&format!("data-version=\"{}\"", body(&state))));
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
    // When it takes more samples, the last one written in part
    let rows: String = (1..300).map(|t| format!("{t},measure,40\n")).collect();
    append(&folder.join("samples.csv"), &(rows + "300,mea"));
    // Then the page has all whole rows
    assert_ne!(body(&server.get("/state")), body(&state));
    let second = server.get("/");
    assert!(
        second.contains("The run is not finished.") && second.contains("4 min 59 s judged"),
        "{second}"
    );
    // When it ends, then the page has the verdict
    append(&folder.join("samples.csv"), "sure,40\n");
    append(
        &folder.join("events.jsonl"),
        "{\"t_s\":301.0,\"at\":\"2026-01-01T00:05:01Z\",\"event\":\"finished\"}\n",
    );
    let last = server.get("/");
    assert!(
        last.contains("badge pass") && !last.contains("The run is not finished."),
        "{last}"
    );
    // And nothing was written to the run folder
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 3);
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
fn a_live_report_serves_only_this_machine() {
    let scratch = TempDir::new().expect("a scratch folder");
    let folder = started_run(scratch.path());
    let server = Daemon::start(&["report", &folder.display().to_string(), "--live"]);
    let foreign = server.get_as("/", "leakcheck.example:80");
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    assert!(!foreign.contains("daemon"), "{foreign}");
    assert!(server.get("/samples.csv").starts_with("HTTP/1.1 404"));
    let head = server.get("/");
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
}

#[test]
fn a_folder_without_a_run_is_a_usage_error() {
    let scratch = TempDir::new().expect("a scratch folder");
    let output = output(&["report", "--live", &scratch.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("scenario.toml"), "{}", stderr(&output));
}
