//! The tables of the summary.

use std::fmt::Write as _;

use leakcheck_model::lines::EmitterLines;
use leakcheck_model::{Record, RunResult};

use super::{code_free, folded, mark};
use crate::quantity::{clock, count, duration};
use crate::words;

/// Rows of the checkpoint table: more is no table for people, and a CI system's page has an end.
const MOST_CHECKPOINTS: usize = 40;
/// Emitters shown of those with anything wrong.
const MOST_EMITTERS: usize = 20;

pub(super) fn limits(result: &RunResult, record: &Record) -> String {
    if result.limits.is_empty() {
        return "No limit was given.".into();
    }
    let mut table = String::from("| metric | limit | measured | interval | outcome |\n|---|---|---:|---:|---|\n");
    for limit in &result.limits {
        let unit = words::unit_of(record, &limit.metric);
        let (value, interval) = words::measured(limit, unit);
        let share = match limit.bound {
            Some(bound) if limit.rule.contains('%') => format!(" ({})", unit.show(bound)),
            _ => String::new(),
        };
        let _ = writeln!(
            table,
            "| {} | `{}`{share} | {value} | {interval} | {} {} |",
            code_free(&limit.metric),
            limit.rule.replace('|', "\\|"),
            mark(limit.outcome),
            limit.outcome.name()
        );
    }
    table
}

/// FASE's table: at each checkpoint the value, the growth since the baseline and the growth per minute.
pub(super) fn checkpoints(result: &RunResult, record: &Record) -> String {
    if result.checkpoints.is_empty() {
        return String::new();
    }
    let metrics = words::checkpoint_metrics(result);
    let mut table = String::from("| time | phase |");
    for metric in &metrics {
        let _ = write!(table, " {} | growth | per minute |", code_free(metric));
    }
    let _ = write!(table, "\n|---:|---|{}\n", "---:|---:|---:|".repeat(metrics.len()));
    let shown = thinned(result.checkpoints.len());
    for index in &shown {
        let checkpoint = &result.checkpoints[*index];
        let _ = write!(table, "| {} | {} |", clock(checkpoint.t_s), checkpoint.phase.name());
        for metric in &metrics {
            let [value, growth, rate] = words::at_checkpoint(result, record, checkpoint, metric);
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

/// Evenly chosen rows, the first and the last among them.
fn thinned(rows: usize) -> Vec<usize> {
    if rows <= MOST_CHECKPOINTS {
        return (0..rows).collect();
    }
    (0..MOST_CHECKPOINTS)
        .map(|i| i * (rows - 1) / (MOST_CHECKPOINTS - 1))
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
        let unit = words::unit_of(record, name);
        let show = |v: Option<f64>| v.map_or_else(String::new, |v| unit.show(v));
        let growth = m.growth_per_min.map_or_else(String::new, |g| {
            format!(
                "{} ({})",
                unit.show_signed(g.estimate),
                unit.show_interval(g.low, g.high)
            )
        });
        let _ = writeln!(
            table,
            "| {} | {} | {} of {} | {} | {} | {} | {} | {growth} | {} |",
            code_free(name),
            code_free(&m.source),
            count(m.samples),
            count(m.samples + m.missing),
            show(m.baseline),
            show(m.last),
            show(m.min),
            show(m.max),
            code_free(m.shape.as_deref().unwrap_or_default())
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
    for e in worst.iter().take(MOST_EMITTERS) {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            code_free(&e.emitter),
            count(e.sent),
            count(e.lost),
            count(e.duplicated),
            count(e.reordered),
            count(e.torn),
            code_free(&e.missing.join(", "))
        );
    }
    if worst.len() > MOST_EMITTERS {
        let _ = write!(
            table,
            "\n{MOST_EMITTERS} of {} emitters with anything wrong.\n",
            worst.len()
        );
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
        let length = match band.to_s - band.from_s {
            endless if endless.is_infinite() => "the rest".into(),
            length => duration(length),
        };
        let _ = writeln!(
            table,
            "| {} | {} | {length} | {} |",
            band.label,
            clock(band.from_s),
            code_free(&band.what)
        );
    }
    format!("## Faults\n\n{table}")
}

pub(super) fn environment(result: &RunResult, record: &Record) -> String {
    let mut table = String::from("| | |\n|---|---|\n");
    for (name, value) in words::environment(result, record) {
        let _ = writeln!(table, "| {} | {} |", code_free(&name), code_free(&value));
    }
    folded("Environment", &table)
}
