//! report.html of a real run in a real browser.

use std::process::Command;

use tempfile::TempDir;

use super::a_run;
use crate::daemon::Daemon;
use crate::skip::skip_without_tool;

/// Opens a page in a browser. Returns its elements after its scripts ran, and the messages of the console.
fn open(url: &str) -> Option<(String, Vec<String>)> {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
    else {
        skip_without_tool("no Chromium is installed");
        return None;
    };
    let profile = TempDir::new().expect("a scratch folder");
    let run = Command::new("timeout")
        .args(["--kill-after=5", "90", browser])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .args(["--window-size=400,900", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .expect("it starts");
    assert!(run.status.success(), "{}", run.status);
    let log = String::from_utf8_lossy(&run.stderr).into_owned();
    let messages = log.lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned);
    Some((String::from_utf8_lossy(&run.stdout).into_owned(), messages.collect()))
}

#[test]
fn the_report_has_all_parts_and_the_browser_logs_no_error() {
    let Some((page, messages)) = open(&format!("file://{}/report.html", a_run().display())) else {
        return;
    };
    assert!(messages.is_empty(), "{messages:?}");
    assert!(page.matches("class=\"measured\"").count() >= 5, "the charts are live");
    for part in [
        "<h2>Limits</h2>",
        "<h2>Charts</h2>",
        "<h2>Lines</h2>",
        "<h2>Checkpoints</h2>",
        "Environment",
        "<h2>Repeat</h2>",
        "group noisy",
        ">noisy-03<",
        "target's command",
        "leakcheck run ",
        "rotate_every",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_live_report_contacts_only_its_server() {
    let server = Daemon::start(&["report", &a_run().display().to_string(), "--live"]);
    let Some((page, messages)) = open(&format!("http://{}/", server.address)) else {
        return;
    };
    // The page's content security policy logs a request to any other address.
    assert!(messages.is_empty(), "{messages:?}");
    assert!(
        page.contains("class=\"measured\"") && !page.contains("stays as it is.)</p>"),
        "{page}"
    );
}
