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
