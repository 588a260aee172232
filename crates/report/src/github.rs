//! What a GitHub workflow shows: annotations on the run's page, and the step's summary.
//!
//! Format: workflow commands (`::error title=…::message`); in a message `%`, carriage return and newline are escaped, in
//! a property `:` and `,` too (GitHub's documentation "Workflow commands for GitHub Actions", and its toolkit).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use leakcheck_model::{Reason, Record, RunResult, Verdict};

use crate::error::Error;
use crate::markdown::{Pictures, summary};

/// GitHub shows ten annotations of each kind for a step.
const MOST_ANNOTATIONS: usize = 10;
/// GitHub refuses a step's summary above 1 MiB.
pub const MOST_SUMMARY_BYTES: usize = 1 << 20;

/// The annotations, a line each: every reason is an error unless the verdict is a pass, warnings are warnings.
#[must_use]
pub fn annotations(result: &RunResult) -> String {
    let mut lines = String::new();
    let title = |reason: &Reason| match &reason.metric {
        Some(metric) => format!("leakcheck {}: {metric}", result.verdict.name()),
        None => format!("leakcheck {}", result.verdict.name()),
    };
    match result.verdict {
        Verdict::Pass => {
            let text = format!("{}: {}", result.scenario, crate::words::meaning(result));
            lines.push_str(&command("notice", "leakcheck pass", &text));
        }
        _ if result.reasons.is_empty() => {
            let text = format!("{}: {}", result.scenario, crate::words::meaning(result));
            lines.push_str(&command(
                "error",
                &format!("leakcheck {}", result.verdict.name()),
                &text,
            ));
        }
        _ => {
            for reason in result.reasons.iter().take(MOST_ANNOTATIONS) {
                let text = format!("{}: {}", result.scenario, reason.message);
                lines.push_str(&command("error", &title(reason), &text));
            }
        }
    }
    for warning in result.warnings.iter().take(MOST_ANNOTATIONS) {
        let text = format!("{}: {}", result.scenario, warning.message);
        lines.push_str(&command("warning", "leakcheck", &text));
    }
    lines
}

/// Appends the page to the file that `$GITHUB_STEP_SUMMARY` names; earlier steps' text stays.
///
/// # Errors
/// If the file cannot be written.
pub fn append_step_summary(file: &Path, result: &RunResult, record: &Record) -> Result<(), Error> {
    let mut open = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .map_err(Error::io("write", file))?;
    let page = step_summary(result, record);
    open.write_all(page.as_bytes()).map_err(Error::io("write", file))
}

/// The page for `$GITHUB_STEP_SUMMARY`: without pictures, which have no address there, and never above its size.
#[must_use]
pub fn step_summary(result: &RunResult, record: &Record) -> String {
    let mut page = summary(result, record, Pictures::Elsewhere);
    if page.len() > MOST_SUMMARY_BYTES {
        let note = "\n\n(cut here: a step's summary is at most 1 MiB; `summary.md` has all of it)\n";
        let mut end = MOST_SUMMARY_BYTES - note.len();
        while !page.is_char_boundary(end) {
            end -= 1;
        }
        page.truncate(end);
        page.push_str(note);
    }
    page
}

fn command(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={}::{}\n", property(title), data(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Example, leaking};

    #[test]
    fn every_reason_is_an_annotation_on_one_line() {
        let mut example = leaking();
        example.result.reasons[0].message = "100 % more\nthan before".into();
        assert_eq!(
            annotations(&example.result),
            "::error title=leakcheck fail%3A fds::example: 100 %25 more%0Athan before\n\
             ::error title=leakcheck fail%3A streams::example: streams: 55 does not keep `min >= 53`\n\
             ::warning title=leakcheck::example: 4 scrapes of /metrics failed & were not repeated\n"
        );
    }

    #[test]
    fn a_pass_is_a_notice_and_nothing_judged_is_an_error() {
        let mut example = Example::new([0.0; 5]);
        assert!(annotations(&example.result).starts_with("::notice title=leakcheck pass::"));
        example.result.verdict = Verdict::Invalid;
        assert!(annotations(&example.result).starts_with("::error title=leakcheck invalid::"));
    }

    #[test]
    fn a_summary_is_added_to_those_of_earlier_steps() {
        let scratch = tempfile::tempdir().expect("scratch");
        let file = scratch.path().join("summary");
        std::fs::write(&file, "earlier\n").expect("writes");
        let example = leaking();
        append_step_summary(&file, &example.result, &example.record).expect("appends");
        let text = std::fs::read_to_string(&file).expect("reads");
        assert!(text.starts_with("earlier\n# ❌ fail: example\n"), "{text}");
    }

    #[test]
    fn a_summary_is_cut_before_it_is_refused() {
        let mut example = leaking();
        example.result.reasons[0].message = "ü".repeat(MOST_SUMMARY_BYTES);
        let page = step_summary(&example.result, &example.record);
        assert!(page.len() <= MOST_SUMMARY_BYTES && page.ends_with("all of it)\n"));
    }
}
