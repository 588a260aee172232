//! Tests of markdown: what goes in and what must come out.

use super::*;
use crate::example::{Example, leaking};

#[test]
fn a_failed_run_says_what_leaked_and_where_to_look() {
    let example = leaking();
    insta::assert_snapshot!(summary(&example.result, &example.record, Pictures::Beside));
}

#[test]
fn a_passed_run_is_short() {
    let example = Example::new([0.0, 0.0, 0.0, 60.0, 0.0])
        .metric("tasks", "", |_| Some(120.0))
        .growth("tasks", 0.0, -0.01, 0.01)
        .limit("tasks", "growth_per_min < 2", 0.0, Verdict::Pass);
    let page = summary(&example.result, &example.record, Pictures::Elsewhere);
    assert!(
        page.starts_with("# ✅ pass: example\n\nThe limit holds, and the data could have shown otherwise."),
        "{page}"
    );
    assert!(!page.contains("!["), "a relative picture leads nowhere on another page");
}

#[test]
fn a_run_without_a_limit_or_a_sample_still_has_a_page() {
    let mut example = Example::new([0.0; 5]);
    example.result.verdict = Verdict::Invalid;
    let page = summary(&example.result, &example.record, Pictures::Beside);
    assert!(
        page.contains("It is not a pass") && page.contains("No limit was given."),
        "{page}"
    );
}

#[test]
fn names_cannot_become_markup() {
    let mut example = leaking();
    example.result.scenario = "<script>alert(1)</script> [x](y) | *z*".into();
    let page = summary(&example.result, &example.record, Pictures::Beside);
    assert!(!page.contains("<script>"));
    assert!(page.contains(r"\[x\](y) \| \*z\*"), "{page}");
    assert_eq!(code_free("`a < b` < c"), "`a < b` &lt; c");
    assert_eq!(code_free("a ` <b>"), "a ' &lt;b&gt;", "a lone backtick opens no code");
}

#[test]
fn six_hours_of_checkpoints_are_thinned_and_say_so() {
    let example = Example::new([0.0, 0.0, 0.0, 7200.0, 0.0])
        .metric("tasks", "", |_| Some(120.0))
        .checkpoints(30.0);
    let page = summary(&example.result, &example.record, Pictures::Beside);
    assert!(page.contains("40 of 240 checkpoints"), "{page}");
    assert!(page.contains("| 1:59:30 | measure |"));
}
