//! The end of a run in a form that a tired person understands: verdict, why, each limit, where the rest is.

use std::path::Path;

use leakcheck_model::RunResult;
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{ReasonCode, Verdict};

use crate::style::{self, BAD, BOLD, DIM, DOUBT, GOOD, PLAIN};

/// A value for people, in its metric's unit.
pub(crate) fn human(x: f64, unit: &str) -> String {
    if unit == "B" {
        return match x.abs() {
            a if a >= 1_048_576.0 => format!("{:.1} MiB", x / 1_048_576.0),
            a if a >= 1024.0 => format!("{:.1} KiB", x / 1024.0),
            // Adding zero makes of -0 a plain 0.
            _ => format!("{:.0} B", x.round() + 0.0),
        };
    }
    // No "-0.000": it is 0 to a reader.
    let whole = (x - x.round()).abs() < 5e-4;
    // Adding zero makes of -0 a plain 0.
    let x = if whole { x.round() + 0.0 } else { x };
    match x.abs() {
        _ if whole => format!("{x:.0}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 0.01 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// Prints the summary.
pub(crate) fn tell(result: &RunResult, folder: Option<&Path>) {
    let (colour, word) = face(result.verdict);
    use ReasonCode::{Interrupted, TargetDied, TargetNotReady};
    let meaning = match result.verdict {
        Verdict::Pass => "every limit holds, and the data could have shown otherwise",
        Verdict::Fail
            if result
                .reasons
                .iter()
                .any(|r| matches!(r.code, TargetDied | TargetNotReady)) =>
        {
            "the target died or never came up"
        }
        Verdict::Fail => "a limit is exceeded",
        Verdict::Invalid => "no verdict: the data could not have shown a leak",
        Verdict::Inconclusive if result.reasons.iter().any(|r| r.code == Interrupted) => {
            "no verdict: it was ended before it was decided"
        }
        Verdict::Inconclusive => "no verdict: the data do not decide; a longer run, or faster rotation, would tell",
    };
    style::say(&format!(
        "\n{colour}{word}{PLAIN}  {BOLD}{}{PLAIN}: {meaning}",
        result.scenario
    ));
    for reason in &result.reasons {
        let metric = reason.metric.as_ref().map_or(String::new(), |m| format!("{m}: "));
        style::say(&format!(
            "  {colour}{}{PLAIN} {metric}{}",
            reason.code.name(),
            reason.message
        ));
    }
    for warning in &result.warnings {
        style::say(&format!("  {DOUBT}note{PLAIN} {}", warning.message));
    }
    style::say(&circumstances(result));
    table(result);
    for late in result.late_leaks() {
        let unit = late.unit.symbol();
        style::say(&format!(
            "  {DIM}a leak of {} that began in the last {:.0} s would have been seen from {} a minute on{PLAIN}",
            late.metric,
            late.window_s,
            human(late.per_min, unit)
        ));
    }
    if let Some(lines) = &result.lines {
        style::say(&format!(
            "  lines: {} sent, {} delivered, {} lost, {} repeated, {} out of order, {} torn",
            lines.sent, lines.delivered, lines.lost, lines.duplicated, lines.reordered, lines.torn
        ));
    }
    for sentence in result.attribution.iter().flat_map(|a| &a.sentences) {
        style::say(&format!("  who: {sentence}"));
    }
    if let Some(cost) = &result.self_cost {
        style::say(&format!(
            "  {DIM}leakcheck itself: {:.1} s of CPU, {} at most, {:.0} us a sample, {} samples missed{PLAIN}",
            cost.cpu_s,
            human(cost.max_rss_bytes as f64, "B"),
            cost.sample_us.median,
            cost.missed_samples
        ));
    }
    if let Some(folder) = folder {
        style::say(&format!("  report: {}", folder.join("report.html").display()));
    }
}

fn face(verdict: Verdict) -> (anstyle::Style, &'static str) {
    match verdict {
        Verdict::Pass => (GOOD, "PASS"),
        Verdict::Fail => (BAD, "FAIL"),
        Verdict::Invalid => (DOUBT, "INVALID"),
        Verdict::Inconclusive => (DOUBT, "INCONCLUSIVE"),
    }
}

fn circumstances(result: &RunResult) -> String {
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

/// The limits in columns.
fn table(result: &RunResult) {
    let unit = |l: &LimitResult| l.unit().symbol();
    let rows: Vec<[String; 5]> = result
        .limits
        .iter()
        .map(|l| {
            let interval = l.low.zip(l.high).map_or(String::new(), |(low, high)| {
                format!("{} .. {}", human(low, unit(l)), human(high, unit(l)))
            });
            let seen = l.metric == "lines" || result.metrics.get(&l.metric).is_some_and(|m| m.samples > 0);
            let measured = match l.measured {
                Some(measured) => human(measured, unit(l)),
                None if seen => "not known".to_owned(),
                None => "not seen".to_owned(),
            };
            [
                l.metric.clone(),
                l.rule.clone(),
                measured,
                interval,
                face(l.outcome).1.to_lowercase(),
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
    style::say(&format!("\n  {DIM}{}{PLAIN}", line(&head).trim_end()));
    for (row, limit) in rows.iter().zip(&result.limits) {
        let colour = face(limit.outcome).0;
        style::say(&format!("  {}  {colour}{}{PLAIN}", line(row), row[4]));
    }
    style::say("");
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn what_is_nothing_to_a_reader_has_no_sign() {
        for (x, text) in [
            (-0.0, "0"),
            (-0.0003, "0"),
            (-0.004, "-0.004"),
            (-0.3, "-0.30"),
            (12.0, "12"),
        ] {
            assert_eq!(human(x, ""), text);
        }
        assert_eq!(human(-0.3, "B"), "0 B");
    }
}
