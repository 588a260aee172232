//! The summary of a run on the terminal: verdict, reasons, limits, attribution, and the path of the report.

use std::path::Path;

use leakcheck_model::verdict::{ReasonCode, Verdict};
use leakcheck_model::{RunResult, Unit};
use leakcheck_report::text;

use crate::style::{self, BAD, BOLD, DIM, DOUBT, GOOD, PLAIN};

/// Prints the summary of a result, with the path of the report in `folder`.
pub(crate) fn print(result: &RunResult, folder: Option<&Path>) {
    let (colour, name) = styled(result.verdict);
    use ReasonCode::{Interrupted, TargetDied, TargetNotReady};
    let meaning = match result.verdict {
        Verdict::Pass => "every limit holds, and the data suffice to show it",
        Verdict::Fail
            if result
                .reasons
                .iter()
                .any(|r| matches!(r.code, TargetDied | TargetNotReady)) =>
        {
            "the target died or did not become ready"
        }
        Verdict::Fail => "a limit is exceeded",
        Verdict::Invalid => "no verdict: the measurement is broken",
        Verdict::Inconclusive if result.reasons.iter().any(|r| r.code == Interrupted) => {
            "no verdict: the run was interrupted"
        }
        Verdict::Inconclusive => "no verdict: the data do not decide; run longer, or rotate faster",
    };
    style::print_line(&format!(
        "\n{colour}{name}{PLAIN}  {BOLD}{}{PLAIN}: {meaning}",
        result.scenario
    ));
    for reason in &result.reasons {
        let metric = reason.metric.as_ref().map_or(String::new(), |m| format!("{m}: "));
        style::print_line(&format!(
            "  {colour}{}{PLAIN} {metric}{}",
            reason.code.name(),
            reason.message
        ));
    }
    for warning in &result.warnings {
        style::print_line(&format!("  {DOUBT}note{PLAIN} {}", warning.message));
    }
    style::print_line(&environment(result));
    print_limits(result);
    for late in result.late_leaks() {
        style::print_line(&format!(
            "  {DIM}a leak of {} in the last {:.0} s would have been detected from {} on{PLAIN}",
            late.metric,
            late.window_s,
            late.unit.format_rate(late.per_min)
        ));
    }
    if let Some(lines) = &result.lines {
        style::print_line(&format!(
            "  lines: {} sent, {} delivered, {} lost, {} repeated, {} out of order, {} torn",
            lines.sent, lines.delivered, lines.lost, lines.duplicated, lines.reordered, lines.torn
        ));
    }
    for sentence in result.attribution.iter().flat_map(|a| &a.sentences) {
        style::print_line(&format!("  who: {sentence}"));
    }
    print_origins(result);
    if let Some(cost) = &result.self_cost {
        style::print_line(&format!(
            "  {DIM}leakcheck itself: {:.1} s of CPU, at most {}, {:.0} us per sample, {} samples missed{PLAIN}",
            cost.cpu_s,
            Unit::Bytes.format(cost.max_rss_bytes as f64),
            cost.sample_us.median,
            cost.missed_samples
        ));
    }
    if let Some(folder) = folder {
        style::print_line(&format!("  report: {}", folder.join("report.html").display()));
    }
}

/// Prints which code created what leaked.
pub(crate) fn print_origins(result: &RunResult) {
    for origin in text::grown_origins(result) {
        style::print_line(&format!("  origin: {BOLD}{}{PLAIN}", text::origin(origin)));
    }
}

/// The style and the name of a verdict.
fn styled(verdict: Verdict) -> (anstyle::Style, &'static str) {
    match verdict {
        Verdict::Pass => (GOOD, "PASS"),
        Verdict::Fail => (BAD, "FAIL"),
        Verdict::Invalid => (DOUBT, "INVALID"),
        Verdict::Inconclusive => (DOUBT, "INCONCLUSIVE"),
    }
}

/// Engine, load, target and length of the run.
fn environment(result: &RunResult) -> String {
    let mut parts = Vec::new();
    if let Some(engine) = &result.engine {
        parts.push(format!("{} engine {}", engine.kind, engine.version));
    }
    if let Some(containers) = result.containers.filter(|n| *n > 0) {
        parts.push(format!("{containers} containers"));
    }
    if let Some(target) = &result.target {
        let version = target.version.as_ref().map_or(String::new(), |v| format!(" {v}"));
        parts.push(format!("target {}{version}", target.kind));
    }
    parts.push(format!("{:.0} s", result.duration_s));
    if let Some(saved) = result.saved_s {
        parts.push(format!("stopped early, {saved:.0} s saved"));
    }
    format!("  {DIM}{}{PLAIN}", parts.join(", "))
}

/// Prints the limits in columns.
fn print_limits(result: &RunResult) {
    let rows: Vec<[String; 5]> = result
        .limits
        .iter()
        .map(|l| {
            let interval = l
                .low
                .zip(l.high)
                .map_or(String::new(), |(low, high)| l.unit().format_interval(low, high));
            let exists = l.metric == "lines" || result.metrics.get(&l.metric).is_some_and(|m| m.samples > 0);
            let measured = match l.measured {
                Some(measured) => l.unit().format(measured),
                None if exists => "unknown".to_owned(),
                None => "absent".to_owned(),
            };
            [
                l.metric.clone(),
                l.rule.clone(),
                measured,
                interval,
                styled(l.outcome).1.to_lowercase(),
            ]
        })
        .collect();
    let head = ["metric", "limit", "measured", "interval", ""].map(str::to_owned);
    let width = |i: usize| {
        rows.iter()
            .chain([&head])
            .map(|r| r[i].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |r: &[String; 5]| {
        let cells: Vec<String> = (0..4).map(|i| format!("{:<1$}", r[i], widths[i])).collect();
        cells.join("  ")
    };
    style::print_line(&format!("\n  {DIM}{}{PLAIN}", line(&head).trim_end()));
    for (row, limit) in rows.iter().zip(&result.limits) {
        let colour = styled(limit.outcome).0;
        style::print_line(&format!("  {}  {colour}{}{PLAIN}", line(row), row[4]));
    }
    style::print_line("");
}
