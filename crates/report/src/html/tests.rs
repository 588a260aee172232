//! Tests of html: what goes in and what must come out.

use super::*;
use crate::example::{Example, leaking};

fn built(example: &Example) -> String {
    page(&example.result, &example.record, Some("name = \"example\"\n")).expect("builds")
}

#[test]
fn the_verdict_and_its_reasons_come_before_everything_else() {
    let text = built(&leaking());
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}"));
    let order = [
        "badge fail",
        "One of 5 limits is exceeded.",
        "4.02 does not keep",
        "<h2>Limits</h2>",
        "<h2>Charts</h2>",
        "<h2>Lines</h2>",
        "<h2>Who leaked</h2>",
        "<h2>Checkpoints</h2>",
        "Environment",
        "leakcheck run scenarios/example.toml",
        "Scenario as run",
    ];
    for pair in order.windows(2) {
        assert!(place(pair[0]) < place(pair[1]), "{pair:?}");
    }
}

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let text = built(&leaking()).replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url(/", "<link"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn no_name_becomes_markup() {
    let evil = "</script><script>alert(1)</script><img onerror=x>";
    let mut example = leaking().metric(evil, "", |_| Some(1.0)).fault(evil, 1.0, 2.0);
    example.result.scenario = evil.into();
    example.result.reasons[0].message = evil.into();
    example.result.command = Some(evil.into());
    let text = built(&example);
    assert!(!text.contains("<script>alert") && !text.contains("<img"));
    assert_eq!(text.matches("</script>").count(), 2);
}

#[test]
fn a_run_without_samples_has_a_page_without_charts() {
    let mut example = Example::new([0.0; 5]);
    example.result.verdict = leakcheck_model::Verdict::Invalid;
    let text = built(&example);
    assert!(text.contains("It is not a pass") && !text.contains("<h2>Charts</h2>"));
}

/// A browser that can run without a screen, if one is installed.
fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| std::process::Command::new(name).arg("--version").output().is_ok())
}

#[test]
fn in_a_real_browser_the_charts_hover_zoom_and_toggle() {
    let Some(browser) = browser() else {
        eprintln!("SKIPPED: no Chromium is installed");
        return;
    };
    let scratch = tempfile::tempdir().expect("scratch");
    let file = scratch.path().join("report.html");
    let probe = format!("<script>{}</script>", include_str!("browser_probe.js"));
    std::fs::write(&file, built(&leaking()) + &probe).expect("writes");
    let run = std::process::Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--window-size=1200,900",
        ])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", scratch.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("runs");
    let (dom, log) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    let console: Vec<_> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let text = dom
        .split_once("<pre id=\"probe\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("the probe did not report: {log}"))
        .0
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let seen: serde_json::Value = serde_json::from_str(&text).expect(&text);
    assert_eq!(
        (&seen["charts"], &seen["pictures_left"]),
        (&3.into(), &0.into()),
        "{text}"
    );
    assert!(
        seen["idle"].as_str().expect("text").starts_with("hover or use"),
        "{text}"
    );
    // The middle of the picture is about the middle of 134 seconds, where the third leak has happened.
    let hover = seen["hover"].as_str().expect("text");
    assert!(
        hover.starts_with("1:0") && hover.contains("measure") && hover.contains("(+"),
        "{text}"
    );
    assert_eq!(seen["cursors"], 3, "all charts share the cursor: {text}");
    assert_ne!(seen["right"], seen["hover"]);
    assert!(
        seen["end"].as_str().expect("text").starts_with("2:14 · drain"),
        "{text}"
    );
    assert_ne!(seen["zoomed"], seen["ticks"]);
    assert_eq!(seen["can_reset"], true);
    assert_eq!(seen["unzoomed"], seen["ticks"]);
    assert_eq!(
        (&seen["limits"], &seen["limits_off"], &seen["limits_on"]),
        (&2.into(), &0.into(), &2.into())
    );
    assert_eq!(seen["pressed"], "false");
    assert_eq!(seen["overflow"], 0, "nothing sticks out of the page");
}

/// Pages to look at: `cargo test -p leakcheck-report pages_to_look_at -- --ignored`.
#[test]
#[ignore = "writes pages for people to look at"]
fn pages_to_look_at() {
    let folder = std::env::temp_dir().join("leakcheck-gallery");
    std::fs::create_dir_all(&folder).expect("folder");
    let wobble = |t: f64| (t * 12.9898).sin() * 43_758.545 % 1.0;
    let six_hours = Example::new([5.0, 20.0, 60.0, 21_600.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((1200.0 + wobble(t) * 40.0 + t.max(0.0) / 60.0).floor())
        })
        .metric("rotations", "", |t| Some((t.max(0.0) / 30.0).floor() * 55.0))
        .growth("tasks", 1.0, 0.9, 1.1)
        .limit("tasks", "growth_per_min < 2", 1.0, leakcheck_model::Verdict::Pass)
        .limit(
            "rotations",
            "increase >= 90% of expected",
            39_600.0,
            leakcheck_model::Verdict::Pass,
        )
        .checkpoints(60.0);
    for (name, example) in [("leaking", leaking()), ("six-hours", six_hours)] {
        let file = folder.join(format!("{name}.html"));
        std::fs::write(&file, built(&example)).expect("writes");
        eprintln!("see {}", file.display());
    }
}
