//! Annotations and the step summary of a GitHub workflow.
//!
//! Format: workflow commands (`::error title=…::message`). A message escapes `%`, carriage return and newline, a property
//! also `:` and `,` (GitHub documentation, "Workflow commands for GitHub Actions").

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use leakcheck_model::origins::Origin;
use leakcheck_model::{Reason, Record, RunResult, Verdict};

use crate::error::Error;
use crate::markdown::{ChartLinks, summary};
use crate::text::{self, verdict_meaning};

/// Number of annotations of each kind that GitHub shows per step.
const MAX_ANNOTATIONS: usize = 10;
/// Size above which GitHub rejects a step summary.
pub const MAX_SUMMARY_BYTES: usize = 1 << 20;

/// Returns the annotations, one per line: reasons as errors unless the verdict is a pass, warnings as warnings.
#[must_use]
pub fn annotations(result: &RunResult) -> String {
    let mut lines = String::new();
    let title = |reason: &Reason| match &reason.metric {
        Some(metric) => format!("leakcheck {}: {metric}", result.verdict.name()),
        None => format!("leakcheck {}", result.verdict.name()),
    };
    match result.verdict {
        Verdict::Pass => {
            let text = format!("{}: {}", result.scenario, verdict_meaning(result));
            lines.push_str(&command("notice", "leakcheck pass", &text));
        }
        _ if result.reasons.is_empty() => {
            let text = format!("{}: {}", result.scenario, verdict_meaning(result));
            lines.push_str(&command(
                "error",
                &format!("leakcheck {}", result.verdict.name()),
                &text,
            ));
        }
        _ => {
            for reason in result.reasons.iter().take(MAX_ANNOTATIONS) {
                let text = format!("{}: {}", result.scenario, reason.message);
                lines.push_str(&command("error", &title(reason), &text));
            }
        }
    }
    for origin in text::grown_origins(result) {
        lines.push_str(&annotation_at(origin, &text::origin(origin)));
    }
    for warning in result.warnings.iter().take(MAX_ANNOTATIONS) {
        let text = format!("{}: {}", result.scenario, warning.message);
        lines.push_str(&command("warning", "leakcheck", &text));
    }
    lines
}

/// Appends the summary to `file`, the value of `$GITHUB_STEP_SUMMARY`. The text of earlier steps is kept.
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

/// Returns the step summary: without charts, which have no address there, and cut to the size that GitHub accepts.
#[must_use]
pub fn step_summary(result: &RunResult, record: &Record) -> String {
    let mut page = summary(result, record, ChartLinks::Omitted);
    if page.len() > MAX_SUMMARY_BYTES {
        let note = "\n\n(cut here: a step summary is at most 1 MiB; `summary.md` is complete)\n";
        let mut end = MAX_SUMMARY_BYTES - note.len();
        while !page.is_char_boundary(end) {
            end -= 1;
        }
        page.truncate(end);
        page.push_str(note);
    }
    page
}

/// Returns an error at the line that created what leaked, if it is a file of the repository.
fn annotation_at(origin: &Origin, message: &str) -> String {
    let place = origin.place().and_then(|frame| frame.file.as_deref().zip(frame.line));
    match place.filter(|(file, _)| !file.starts_with('/')) {
        Some((file, line)) => {
            let place = format!("file={},line={line},", escape_property(file));
            format!("::error {place}title=leakcheck leak::{}\n", escape_data(message))
        }
        None => command("error", "leakcheck leak", message),
    }
}

fn command(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", escape_property(title), escape_data(message))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample_run::{SampleRun, leaking};

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
        let mut example = SampleRun::new([0.0; 5]);
        assert!(annotations(&example.result).starts_with("::notice title=leakcheck pass::"));
        example.result.verdict = Verdict::Invalid;
        assert!(annotations(&example.result).starts_with("::error title=leakcheck invalid::"));
    }

    #[test]
    fn a_summary_is_appended_to_those_of_earlier_steps() {
        let scratch = tempfile::tempdir().expect("scratch");
        let file = scratch.path().join("summary");
        std::fs::write(&file, "earlier\n").expect("writes");
        let example = leaking();
        append_step_summary(&file, &example.result, &example.record).expect("appends");
        let text = std::fs::read_to_string(&file).expect("reads");
        assert!(text.starts_with("earlier\n# ❌ fail: example\n"), "{text}");
    }

    #[test]
    fn a_summary_is_cut_to_the_accepted_size() {
        let mut example = leaking();
        example.result.reasons[0].message = "ü".repeat(MAX_SUMMARY_BYTES);
        let page = step_summary(&example.result, &example.record);
        assert!(page.len() <= MAX_SUMMARY_BYTES && page.ends_with("is complete)\n"));
    }
}
