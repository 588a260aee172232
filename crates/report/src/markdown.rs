//! `summary.md`: the outcome for people, made for a CI system's summary page.
//!
//! Verdict and reasons come first, in plain words; what only an investigation needs is folded away below.

mod tables;

use leakcheck_model::{Reason, Record, RunResult, Verdict};

use crate::quantity::{Unit, count};
use crate::words;

/// Whether pictures can be linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// The page lies in the run's folder, beside `charts/`.
    Beside,
    /// The page is shown elsewhere (`$GITHUB_STEP_SUMMARY`), where relative links lead nowhere.
    Elsewhere,
}

/// The page.
#[must_use]
pub fn summary(result: &RunResult, record: &Record, pictures: Pictures) -> String {
    let mut page = String::new();
    let mut part = |text: String| {
        if !text.is_empty() {
            page.push_str(text.trim_end());
            page.push_str("\n\n");
        }
    };
    part(heading(result));
    part(format!("{} {}", words::meaning(result), words::setting(result, record)));
    part(reasons("", &result.reasons));
    part(reasons("Worth knowing:\n\n", &result.warnings));
    part(tables::limits(result, record));
    part(late_leaks(result));
    part(attribution(result));
    part(lines(result));
    part(charts(result, record, pictures));
    part(tables::checkpoints(result, record));
    part(tables::metrics(result, record));
    part(tables::faults(record));
    part(tables::environment(result, record));
    part(repeat(result));
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn heading(result: &RunResult) -> String {
    format!(
        "# {} {}: {}",
        mark(result.verdict),
        result.verdict.name(),
        code_free(&result.scenario)
    )
}

/// A verdict at a glance; the word stands beside it.
fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Invalid => "🚫",
        Verdict::Inconclusive => "❔",
    }
}

fn reasons(title: &str, reasons: &[Reason]) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = reasons
        .iter()
        .map(|r| format!("- {} (`{}`)", sentence(r), r.code.name()))
        .collect();
    format!("{title}{}", lines.join("\n"))
}

/// A reason's message, with its metric in front unless it names it itself.
fn sentence(reason: &Reason) -> String {
    match &reason.metric {
        Some(metric) if !reason.message.contains(metric.as_str()) => {
            format!("**{}**: {}", code_free(metric), code_free(&reason.message))
        }
        _ => code_free(&reason.message),
    }
}

/// What a pass does not exclude.
fn late_leaks(result: &RunResult) -> String {
    let of_each: Vec<String> = result
        .late_leaks()
        .iter()
        .map(|late| {
            let unit = Unit::of(late.unit.symbol());
            format!(
                "{} from {} a minute (in the last {:.0} s)",
                code_free(late.metric),
                unit.show(late.per_min),
                late.window_s
            )
        })
        .collect();
    if of_each.is_empty() {
        return String::new();
    }
    format!("A leak that began late would have been seen of {}.", of_each.join(", "))
}

fn attribution(result: &RunResult) -> String {
    let Some(who) = &result.attribution else {
        return String::new();
    };
    if who.sentences.is_empty() && who.fds.is_empty() && who.tasks.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Who leaked\n\n");
    for line in words::attribution(who) {
        text.push_str(&format!("- {}\n", code_free(&line)));
    }
    text
}

fn lines(result: &RunResult) -> String {
    let Some(lines) = &result.lines else {
        return String::new();
    };
    let mut text = format!(
        "## Lines\n\n{} sent, {} delivered, {} lost, {} duplicated, {} reordered, {} torn",
        count(lines.sent),
        count(lines.delivered),
        count(lines.lost),
        count(lines.duplicated),
        count(lines.reordered),
        count(lines.torn)
    );
    if lines.unaccounted > 0 {
        text.push_str(&format!(
            "; of {} emitters nobody knows how many they sent",
            count(lines.unaccounted)
        ));
    }
    text.push_str(".\n\n");
    text.push_str(&tables::emitters(&lines.worst));
    text
}

fn charts(result: &RunResult, record: &Record, pictures: Pictures) -> String {
    if pictures == Pictures::Elsewhere {
        return String::new();
    }
    let (mut limited, mut others) = (String::new(), String::new());
    for name in crate::figure::charted(result, record) {
        let image = format!("![{}]({})\n\n", code_free(name), crate::folder::chart_path(name, "svg"));
        match result.limits.iter().any(|l| l.metric == name) {
            true => limited.push_str(&image),
            false => others.push_str(&image),
        }
    }
    match (limited.is_empty(), others.is_empty()) {
        (true, true) => String::new(),
        (_, true) => format!("## Charts\n\n{limited}"),
        _ => format!(
            "## Charts\n\n{limited}{}",
            folded("Charts of metrics without a limit", &others)
        ),
    }
}

fn repeat(result: &RunResult) -> String {
    match &result.command {
        Some(command) => format!("## Again\n\n```sh\n{}\n```", command.replace("```", "` ` `")),
        None => String::new(),
    }
}

/// A part that opens on a click.
fn folded(title: &str, text: &str) -> String {
    format!(
        "<details><summary>{title}</summary>\n\n{}\n\n</details>",
        text.trim_end()
    )
}

/// Text that cannot become markup, nor break a table's row; what stands between backticks stays code.
fn code_free(text: &str) -> String {
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '`' if paired => {
                in_code = !in_code;
                out.push('`');
            }
            '`' => out.push('\''),
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            _ if in_code => out.push(c),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '[' | ']' | '#' | '\\' if needs_backslash(c, text) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// An underscore inside a word is plain text to Markdown; backslashes there would only be ugly to read.
fn needs_backslash(c: char, text: &str) -> bool {
    c != '_' || text.starts_with('_') || text.ends_with('_') || text.contains(" _") || text.contains("_ ")
}

#[cfg(test)]
mod tests;
