//! Tests of the page in a real browser: mouse, keyboard, narrow screen, dark theme, printing.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::rendered;
use crate::tests::sample_run::leaking;
use crate::tests::skip::skip;

/// Finds a headless browser, or skips the test.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        skip("no Chromium is installed");
    }
    found
}

/// Runs the browser on a file, with a deadline. Returns its output and its console messages.
fn run_browser(browser: &str, folder: &Path, file: &str, arguments: &[&str]) -> (String, Vec<String>) {
    let run = Command::new("timeout")
        .args(["--kill-after=5", "90", browser])
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--hide-scrollbars",
        ])
        .arg("--virtual-time-budget=5000")
        .args(arguments)
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", folder.join(file).display()))
        .output()
        .expect("runs");
    let log = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{}: {log}", run.status);
    let messages = log.lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned);
    (String::from_utf8_lossy(&run.stdout).into_owned(), messages.collect())
}

/// Opens the page with a script that uses it and records its observations; `None` without a browser.
fn observed(script: &str, arguments: &[&str]) -> Option<Value> {
    let browser = browser()?;
    let scratch = TempDir::new().expect("scratch");
    let probe = format!("<script>{script}</script>");
    std::fs::write(scratch.path().join("report.html"), rendered(&leaking()) + &probe).expect("writes");
    // A browser window is at least 500 px wide; a frame can be as narrow as a phone.
    let phone = "<!DOCTYPE html><iframe src=\"report.html\" style=\"width: 390px; height: 844px; border: 0\"></iframe>\
        <script>addEventListener('message', (e) => { const p = document.createElement('pre'); p.id = 'probe'; \
        p.textContent = e.data; document.body.append(p); });</script>";
    std::fs::write(scratch.path().join("phone.html"), phone).expect("writes");
    let file = if arguments.contains(&PHONE) {
        "phone.html"
    } else {
        "report.html"
    };
    let arguments: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|a| *a != PHONE)
        .chain(["--dump-dom"])
        .collect();
    let (dom, messages) = run_browser(browser, scratch.path(), file, &arguments);
    assert!(messages.is_empty(), "{messages:?}");
    let report = dom
        .rsplit_once("<pre id=\"probe\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("the probe did not report: {dom}"));
    let text = report.0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(serde_json::from_str(&text).expect(&text))
}

/// Marks a run with the page in a frame as narrow as a phone.
const PHONE: &str = "a phone";

fn text<'v>(seen: &'v Value, key: &str) -> &'v str {
    seen[key].as_str().unwrap_or_else(|| panic!("{key}: {seen}"))
}

#[test]
fn the_charts_hover_zoom_and_toggle() {
    let Some(seen) = observed(include_str!("interaction.js"), &["--window-size=1200,900"]) else {
        return;
    };
    assert_eq!(
        (&seen["charts"], &seen["images_left"]),
        (&3.into(), &0.into()),
        "{seen}"
    );
    assert!(text(&seen, "idle").starts_with("hover or use"), "{seen}");
    // The middle of the chart is near second 67, after the third leak.
    let hover = text(&seen, "hover");
    assert!(
        hover.starts_with("1:0") && hover.contains("measure") && hover.contains("(+"),
        "{seen}"
    );
    assert_eq!(seen["cursors"], 3, "all charts share the cursor: {seen}");
    assert_ne!(seen["zoomed"], seen["ticks"]);
    assert_eq!(seen["can_reset"], true);
    assert_eq!(seen["unzoomed"], seen["ticks"]);
    assert_eq!(
        (&seen["limits"], &seen["limits_off"], &seen["limits_on"]),
        (&2.into(), &0.into(), &2.into())
    );
    assert_eq!(seen["pressed"], "false");
    assert_eq!(seen["overflow"], 0, "nothing overflows the page");
}

#[test]
fn the_keyboard_alone_reads_and_zooms_every_chart() {
    let Some(seen) = observed(include_str!("interaction.js"), &["--window-size=1200,900"]) else {
        return;
    };
    // Each chart, button and table can be focused.
    assert_eq!(seen["unfocusable"], 0, "{seen}");
    assert_ne!(seen["right"], seen["hover"]);
    assert!(text(&seen, "home").starts_with("0:00"), "{seen}");
    assert!(text(&seen, "end").starts_with("2:14 · drain"), "{seen}");
    assert_eq!(seen["aria_live"], "polite", "a screen reader announces the value");
    // Minus undoes plus; 0 and Escape show the whole run.
    assert_ne!(seen["plus"], seen["ticks"], "{seen}");
    assert_ne!(seen["minus"], seen["plus"], "{seen}");
    assert_eq!(
        (&seen["zero"], &seen["escape"]),
        (&seen["ticks"], &seen["ticks"]),
        "{seen}"
    );
}

#[test]
fn a_phone_shows_the_whole_page_without_horizontal_scrolling() {
    let Some(seen) = observed(include_str!("layout.js"), &[PHONE]) else {
        return;
    };
    assert_eq!(seen["width"], 390, "{seen}");
    assert_eq!(seen["overflow"], 0, "{seen}");
    assert_eq!(seen["overflowing"], serde_json::json!([]), "{seen}");
    assert!(seen["smallest_text"].as_f64() >= Some(12.0), "{seen}");
    assert!(
        seen["smallest_button"].as_f64() >= Some(24.0),
        "WCAG 2.2, target size: {seen}"
    );
    assert_eq!(seen["charts"], 3, "{seen}");
}

#[test]
fn the_dark_theme_follows_the_preference() {
    let dark = ["--window-size=1200,900", "--blink-settings=preferredColorScheme=0"];
    let Some(seen) = observed(include_str!("layout.js"), &dark) else {
        return;
    };
    assert_eq!(
        (text(&seen, "background"), text(&seen, "color")),
        ("rgb(13, 17, 23)", "rgb(230, 237, 243)")
    );
    let light = observed(include_str!("layout.js"), &["--window-size=1200,900"]).expect("as before");
    assert_eq!(text(&light, "background"), "rgb(255, 255, 255)");
    assert_eq!((&seen["overflow"], &light["overflow"]), (&0.into(), &0.into()));
}

#[test]
fn a_printed_page_shows_collapsed_sections() {
    let Some(browser) = browser() else { return };
    if Command::new("pdftotext").arg("-v").output().is_err() {
        return skip("`pdftotext` is not installed (Debian's package poppler-utils has it)");
    }
    let scratch = TempDir::new().expect("scratch");
    std::fs::write(scratch.path().join("report.html"), rendered(&leaking())).expect("writes");
    let pdf = scratch.path().join("report.pdf");
    run_browser(
        browser,
        scratch.path(),
        "report.html",
        &[&format!("--print-to-pdf={}", pdf.display())],
    );
    let output = Command::new("pdftotext")
        .arg("-layout")
        .arg(&pdf)
        .arg("-")
        .output()
        .expect("runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // One text of each collapsed section.
    for collapsed in [
        "noisy-39",
        "name = \"example\"",
        "leakcheck run scenarios/example.toml",
        "baseline",
    ] {
        assert!(printed.contains(collapsed), "{collapsed}: {printed}");
    }
    assert!(!printed.contains("hover or use"), "interactive hints are not printed");
}
