//! Renders `summary.md`, the result for people and for the summary page of a CI system.
//!
//! Verdict and reasons come first. Details that only an investigation needs are folded below.

mod markup;
mod tables;

use leakcheck_model::format::count;
use leakcheck_model::{Reason, Record, RunResult};

use crate::text;
use markup::{escape, folded, icon};

/// Links to the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartLinks {
    /// Relative links, for a page in the run's folder.
    Relative,
    /// No links, for a page elsewhere (`$GITHUB_STEP_SUMMARY`).
    Omitted,
}

/// Renders the page.
#[must_use]
pub fn summary(result: &RunResult, record: &Record, links: ChartLinks) -> String {
    let mut page = String::new();
    let mut part = |text: String| {
        if !text.is_empty() {
            page.push_str(text.trim_end());
            page.push_str("\n\n");
        }
    };
    part(heading(result));
    part(format!(
        "{} {}",
        text::verdict_meaning(result),
        text::setting(result, record)
    ));
    part(reasons("", &result.reasons));
    part(reasons("Warnings:\n\n", &result.warnings));
    part(tables::limits(result, record));
    part(late_leaks(result));
    part(attribution(result));
    part(lines(result));
    part(charts(result, record, links));
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
        icon(result.verdict),
        result.verdict.name(),
        escape(&result.scenario)
    )
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

/// Returns a reason's message, with its metric in front unless the message names it.
fn sentence(reason: &Reason) -> String {
    match &reason.metric {
        Some(metric) if !reason.message.contains(metric.as_str()) => {
            format!("**{}**: {}", escape(metric), escape(&reason.message))
        }
        _ => escape(&reason.message),
    }
}

/// Returns the smallest late leak that the run would have detected, per metric.
fn late_leaks(result: &RunResult) -> String {
    let rates: Vec<String> = result
        .late_leaks()
        .iter()
        .map(|late| {
            format!(
                "{} from {} a minute (in the last {:.0} s)",
                escape(late.metric),
                late.unit.format(late.per_min),
                late.window_s
            )
        })
        .collect();
    if rates.is_empty() {
        return String::new();
    }
    format!(
        "A leak that began late would have been detected for {}.",
        rates.join(", ")
    )
}

fn attribution(result: &RunResult) -> String {
    let found = result.attribution.iter().flat_map(text::attribution);
    let lines: String = found
        .chain(text::grown_origins(result).map(text::origin))
        .map(|line| format!("- {}\n", escape(&line)))
        .collect();
    if lines.is_empty() {
        return lines;
    }
    format!("## Who leaked\n\n{lines}")
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
            "; the number of lines sent by {} emitters is unknown",
            count(lines.unaccounted)
        ));
    }
    text.push_str(".\n\n");
    text.push_str(&tables::emitters(&lines.worst));
    text
}

fn charts(result: &RunResult, record: &Record, links: ChartLinks) -> String {
    if links == ChartLinks::Omitted {
        return String::new();
    }
    let (mut limited, mut others) = (String::new(), String::new());
    for name in crate::figure::charted_metrics(result, record) {
        let image = format!("![{}]({})\n\n", escape(name), crate::folder::chart_path(name, "svg"));
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
        Some(command) => format!("## Repeat\n\n```sh\n{}\n```", command.replace("```", "` ` `")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
