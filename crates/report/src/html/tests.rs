//! Tests of the HTML report.

mod browser;
mod colors;

use super::*;
use crate::tests::sample_run::{SampleRun, leaking};
use leakcheck_model::Verdict;

fn rendered(example: &SampleRun) -> String {
    page(&example.result, &example.record, Some("name = \"example\"\n")).expect("renders")
}

#[test]
fn the_verdict_and_its_reasons_come_before_everything_else() {
    let text = rendered(&leaking());
    let position = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}"));
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
        assert!(position(pair[0]) < position(pair[1]), "{pair:?}");
    }
}

#[test]
fn the_page_loads_nothing() {
    let text = rendered(&leaking()).replace("http://www.w3.org/2000/svg", "");
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
    let text = rendered(&example);
    assert!(!text.contains("<script>alert") && !text.contains("<img"));
    assert_eq!(text.matches("</script>").count(), 2);
}

#[test]
fn a_run_without_samples_has_a_page_without_charts() {
    let mut example = SampleRun::new([0.0; 5]);
    example.result.verdict = Verdict::Invalid;
    let text = rendered(&example);
    assert!(text.contains("It is not a pass") && !text.contains("<h2>Charts</h2>"));
}

#[test]
fn every_group_and_every_container_has_its_lines() {
    let text = rendered(&leaking());
    for words in [
        "group noisy",
        "group idle",
        "Each of 40 emitters",
        ">noisy-39<",
        "o 17..19",
    ] {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn during_a_run_only_certain_reasons_are_shown() {
    let mut example = leaking();
    let open = leakcheck_model::Reason::of(leakcheck_model::ReasonCode::TooShort, "rss", "too few to tell");
    example.result.limits[2].outcome = Verdict::Inconclusive;
    example.result.limits[2].reason = Some(open.clone());
    example.result.reasons.push(open);
    let served = |running| {
        let version = "17-4";
        live(&example.result, &example.record, None, &Live { version, running }).expect("renders")
    };
    let (running, ended) = (served(true), served(false));
    assert!(running.contains("The run is not finished.") && running.contains("not yet"));
    assert!(!running.contains("too few to tell") && running.contains("4.02 does not keep"));
    assert!(ended.contains("too few to tell") && !ended.contains("The run is not finished."));
    for page in [running, ended] {
        assert!(page.contains("data-version=\"17-4\"") && page.contains("fetch(\"state\""));
    }
    assert!(!rendered(&leaking()).contains("fetch("), "a stored page does not poll");
}

/// Writes pages to look at: `cargo test -p leakcheck-report pages_to_look_at -- --ignored`.
#[test]
#[ignore = "writes pages for people to look at"]
fn pages_to_look_at() {
    let folder = std::env::temp_dir().join("leakcheck-charts");
    std::fs::create_dir_all(&folder).expect("folder");
    let wobble = |t: f64| (t * 12.9898).sin() * 43_758.545 % 1.0;
    let six_hours = SampleRun::new([5.0, 20.0, 60.0, 21_600.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((1200.0 + wobble(t) * 40.0 + t.max(0.0) / 60.0).floor())
        })
        .metric("rotations", "", |t| Some((t.max(0.0) / 30.0).floor() * 55.0))
        .growth("tasks", 1.0, 0.9, 1.1)
        .limit("tasks", "growth_per_min < 2", 1.0, Verdict::Pass)
        .limit("rotations", "increase >= 90% of expected", 39_600.0, Verdict::Pass)
        .checkpoints(60.0);
    for (name, example) in [("leaking", leaking()), ("six-hours", six_hours)] {
        let file = folder.join(format!("{name}.html"));
        std::fs::write(&file, rendered(&example)).expect("writes");
        eprintln!("see {}", file.display());
    }
}
