//! Tests of the Markdown summary.

use super::*;
use crate::tests::sample_run::{SampleRun, leaking};
use leakcheck_model::Verdict;

#[test]
fn the_page_of_a_failed_run() {
    let example = leaking();
    insta::assert_snapshot!(summary(&example.result, &example.record, ChartLinks::Relative));
}

#[test]
fn a_passed_run_is_short() {
    let example = SampleRun::new([0.0, 0.0, 0.0, 60.0, 0.0])
        .metric("tasks", "", |_| Some(120.0))
        .growth("tasks", 0.0, -0.01, 0.01)
        .limit("tasks", "growth_per_min < 2", 0.0, Verdict::Pass);
    let page = summary(&example.result, &example.record, ChartLinks::Omitted);
    assert!(
        page.starts_with("# ✅ pass: example\n\nThe limit holds, and the data could have shown otherwise."),
        "{page}"
    );
    assert!(!page.contains("!["), "a relative link is broken on another page");
}

#[test]
fn a_run_without_a_limit_or_a_sample_still_has_a_page() {
    let mut example = SampleRun::new([0.0; 5]);
    example.result.verdict = Verdict::Invalid;
    let page = summary(&example.result, &example.record, ChartLinks::Relative);
    assert!(
        page.contains("It is not a pass") && page.contains("No limit was given."),
        "{page}"
    );
}

#[test]
fn names_cannot_become_markup() {
    let mut example = leaking();
    example.result.scenario = "<script>alert(1)</script> [x](y) | *z*".into();
    let page = summary(&example.result, &example.record, ChartLinks::Relative);
    assert!(!page.contains("<script>"));
    assert!(page.contains(r"\[x\](y) \| \*z\*"), "{page}");
    assert_eq!(escape("`a < b` < c"), "`a < b` &lt; c");
    assert_eq!(escape("a ` <b>"), "a ' &lt;b&gt;", "a lone backtick opens no code");
}

#[test]
fn six_hours_of_checkpoints_are_thinned_and_say_so() {
    let example = SampleRun::new([0.0, 0.0, 0.0, 7200.0, 0.0])
        .metric("tasks", "", |_| Some(120.0))
        .checkpoints(30.0);
    let page = summary(&example.result, &example.record, ChartLinks::Relative);
    assert!(page.contains("40 of 240 checkpoints"), "{page}");
    assert!(page.contains("| 1:59:30 | measure |"));
}
