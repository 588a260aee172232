//! Tables of the summary.

use std::fmt::Write as _;

use leakcheck_model::format::{clock, count, duration};
use leakcheck_model::lines::EmitterLines;
use leakcheck_model::{Record, RunResult};

use super::markup::{escape, folded, icon};
use crate::text;

/// Rows of the checkpoint table, so that people can read it and the page of a CI system can hold it.
const MAX_CHECKPOINTS: usize = 40;
/// Rows of the table of emitters with problems.
const MAX_EMITTERS: usize = 20;

pub(super) fn limits(result: &RunResult, record: &Record) -> String {
    if result.limits.is_empty() {
        return "No limit was given.".into();
    }
    let mut table = String::from("| metric | limit | measured | interval | outcome |\n|---|---|---:|---:|---|\n");
    for limit in &result.limits {
        let unit = text::unit_of(record, &limit.metric);
        let (value, interval) = text::measured_and_interval(limit, unit);
        let bound = text::bound_of_share(limit, unit).map_or(String::new(), |bound| format!(" ({bound})"));
        let _ = writeln!(
            table,
            "| {} | `{}`{bound} | {value} | {interval} | {} {} |",
            escape(&limit.metric),
            limit.rule.replace('|', "\\|"),
            icon(limit.outcome),
            limit.outcome.name()
        );
    }
    table
}

/// Returns the table of checkpoints: value, growth since the baseline and growth per minute.
pub(super) fn checkpoints(result: &RunResult, record: &Record) -> String {
    if result.checkpoints.is_empty() {
        return String::new();
    }
    let metrics = text::checkpoint_metrics(result);
    let mut table = String::from("| time | phase |");
    for metric in &metrics {
        let _ = write!(table, " {} | growth | per minute |", escape(metric));
    }
    let _ = write!(table, "\n|---:|---|{}\n", "---:|---:|---:|".repeat(metrics.len()));
    let shown = thinned(result.checkpoints.len());
    for index in &shown {
        let checkpoint = &result.checkpoints[*index];
        let _ = write!(table, "| {} | {} |", clock(checkpoint.t_s), checkpoint.phase.name());
        for metric in &metrics {
            let [value, growth, rate] = text::checkpoint_cells(result, record, checkpoint, metric);
            let _ = write!(table, " {value} | {growth} | {rate} |");
        }
        table.push('\n');
    }
    if shown.len() < result.checkpoints.len() {
        let _ = write!(
            table,
            "\n{} of {} checkpoints; `result.json` has all.\n",
            shown.len(),
            result.checkpoints.len()
        );
    }
    format!("## Checkpoints\n\n{table}")
}

/// Returns evenly spaced rows with the first and the last.
fn thinned(rows: usize) -> Vec<usize> {
    if rows <= MAX_CHECKPOINTS {
        return (0..rows).collect();
    }
    (0..MAX_CHECKPOINTS)
        .map(|i| i * (rows - 1) / (MAX_CHECKPOINTS - 1))
        .collect()
}

pub(super) fn metrics(result: &RunResult, record: &Record) -> String {
    if result.metrics.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "| metric | source | seen | baseline | last | min | max | growth per minute | shape |\n|---|---|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for (name, m) in &result.metrics {
        let unit = text::unit_of(record, name);
        let show = |v: Option<f64>| v.map_or_else(String::new, |v| unit.format(v));
        let growth = m.growth_per_min.map_or_else(String::new, |g| {
            format!(
                "{} ({})",
                unit.format_signed(g.estimate),
                unit.format_interval(g.low, g.high)
            )
        });
        let _ = writeln!(
            table,
            "| {} | {} | {} of {} | {} | {} | {} | {} | {growth} | {} |",
            escape(name),
            escape(&m.source),
            count(m.samples),
            count(m.samples + m.missing),
            show(m.baseline),
            show(m.last),
            show(m.min),
            show(m.max),
            escape(m.shape.as_deref().unwrap_or_default())
        );
    }
    folded("Every metric", &table)
}

pub(super) fn emitters(worst: &[EmitterLines]) -> String {
    if worst.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "| emitter | sent | lost | duplicated | reordered | torn | missing |\n|---|---:|---:|---:|---:|---:|---|\n",
    );
    for e in worst.iter().take(MAX_EMITTERS) {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            escape(&e.emitter),
            count(e.sent),
            count(e.lost),
            count(e.duplicated),
            count(e.reordered),
            count(e.torn),
            escape(&e.missing.join(", "))
        );
    }
    if worst.len() > MAX_EMITTERS {
        let _ = write!(table, "\n{MAX_EMITTERS} of {} emitters with problems.\n", worst.len());
    }
    table
}

pub(super) fn faults(record: &Record) -> String {
    let bands = crate::figure::fault_bands(record, f64::INFINITY);
    if bands.is_empty() {
        return String::new();
    }
    let mut table = String::from("| fault | from | for | what |\n|---|---:|---:|---|\n");
    for band in bands {
        let lasted = match band.to_s - band.from_s {
            endless if endless.is_infinite() => "the rest".into(),
            seconds => duration(seconds),
        };
        let _ = writeln!(
            table,
            "| {} | {} | {lasted} | {} |",
            band.label,
            clock(band.from_s),
            escape(&band.description)
        );
    }
    format!("## Faults\n\n{table}")
}

pub(super) fn environment(result: &RunResult, record: &Record) -> String {
    let mut table = String::from("| | |\n|---|---|\n");
    for (name, value) in text::environment(result, record) {
        let _ = writeln!(table, "| {} | {} |", escape(&name), escape(&value));
    }
    folded("Environment", &table)
}
