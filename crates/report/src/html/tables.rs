//! Tables of the page.

use leakcheck_model::event::Attribution;
use leakcheck_model::format::{clock, count, duration};
use leakcheck_model::lines::EmitterLines;
use leakcheck_model::origins::Origin;
use leakcheck_model::{Record, RunResult, Unit, Verdict};
use maud::{Markup, html};

use super::parts::{RunState, badge, code};
use crate::text;

/// Renders a table that scrolls on a narrow screen and is reachable by keyboard.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { .scroll role="region" tabindex="0" aria-label=(label) { table { (table) } } }
}

pub(super) fn limits(result: &RunResult, record: &Record, state: RunState) -> Markup {
    if result.limits.is_empty() {
        return html! { h2 { "Limits" } p { "No limit was given." } };
    }
    let is_final = |outcome: Verdict| !state.is_open(outcome);
    let explained = result.limits.iter().any(|l| is_final(l.outcome) && l.reason.is_some());
    let rows = html! {
        thead { tr {
            th scope="col" { "metric" } th scope="col" { "outcome" } th scope="col" { "limit" }
            th.number scope="col" { "measured" } th.number scope="col" { "interval" }
            @if explained { th scope="col" { "why" } }
        } }
        tbody {
            @for limit in &result.limits {
                @let unit = text::unit_of(record, &limit.metric);
                @let (value, interval) = text::measured_and_interval(limit, unit);
                tr {
                    th scope="row" { (limit.metric) }
                    td { (badge(limit.outcome, state)) }
                    td {
                        code { (limit.rule) }
                        @if let Some(bound) = text::bound_of_share(limit, unit) { " (" (bound) ")" }
                    }
                    td.number { (value) }
                    td.number { (interval) }
                    @if explained { td.text { @if let Some(reason) = limit.reason.as_ref().filter(|_| is_final(limit.outcome)) { (code(&reason.message)) } } }
                }
            }
        }
    };
    html! { h2 { "Limits" } (scrolling("Limits", &rows)) }
}

pub(super) fn lines(result: &RunResult) -> Markup {
    let Some(lines) = &result.lines else { return html! {} };
    let all = EmitterLines {
        emitter: "all".into(),
        sent: lines.sent,
        lost: lines.lost,
        duplicated: lines.duplicated,
        reordered: lines.reordered,
        torn: lines.torn,
        missing: Vec::new(),
    };
    let groups = lines.groups.iter().map(|g| EmitterLines {
        emitter: format!("group {}", g.emitter),
        ..g.clone()
    });
    let rows: Vec<EmitterLines> = std::iter::once(all).chain(groups).chain(lines.worst.clone()).collect();
    html! {
        h2 { "Lines" }
        p {
            (count(lines.delivered)) " of " (count(lines.sent)) " lines were delivered whole."
            @if lines.worst.is_empty() { " No emitter had problems." }
            @if lines.unaccounted > 0 {
                " The number of lines sent by " (count(lines.unaccounted)) " emitters is unknown."
            }
        }
        (scrolling("Lines in all, by group, and of emitters with problems, worst first", &line_rows(&rows)))
        @if !lines.each.is_empty() {
            details {
                summary { "Each of " (count(lines.each.len() as u64)) " emitters" }
                (scrolling("Lines of each emitter", &line_rows(&lines.each)))
            }
        }
    }
}

fn line_rows(lines: &[EmitterLines]) -> Markup {
    html! {
        thead { tr {
            th scope="col" { "emitter" }
            @for name in ["sent", "lost", "duplicated", "reordered", "torn"] { th.number scope="col" { (name) } }
            th scope="col" { "missing" }
        } }
        tbody { @for e in lines {
            tr {
                th scope="row" { (e.emitter) }
                @for n in [e.sent, e.lost, e.duplicated, e.reordered, e.torn] { td.number { (count(n)) } }
                td.text { (e.missing.join(", ")) }
            }
        } }
    }
}

pub(super) fn attribution(result: &RunResult) -> Markup {
    let nothing = Attribution::default();
    let attribution = result.attribution.as_ref().unwrap_or(&nothing);
    let has_rows = !(attribution.fds.is_empty() && attribution.tasks.is_empty());
    if attribution.sentences.is_empty() && !has_rows && text::grown_origins(result).next().is_none() {
        return html! {};
    }
    let rows = html! {
        thead { tr {
            th scope="col" { "what" } th scope="col" { "which" } th scope="col" { "where" }
            th.number scope="col" { "grew by" }
        } }
        tbody {
            @for g in &attribution.fds {
                tr {
                    td { "file descriptor" } td { (g.kind) } td.text { (g.peer.as_deref().unwrap_or_default()) }
                    td.number { (format!("{:+}", g.grew_by)) }
                }
            }
            @for g in &attribution.tasks {
                tr {
                    td { "task or thread" } td.text { (g.name) } td.text { (g.state.as_deref().unwrap_or_default()) }
                    td.number { (format!("{:+}", g.grew_by)) }
                }
            }
        }
    };
    html! {
        h2 { "Who leaked" }
        @if !attribution.sentences.is_empty() { ul { @for s in &attribution.sentences { li { (code(s)) } } } }
        @for origin in text::grown_origins(result) { (call_stack(origin)) }
        @if has_rows { (scrolling("What grew", &rows)) }
    }
}

/// The sentence of an origin, with its call stack to unfold. Frames of runtimes and libraries are dimmed.
fn call_stack(origin: &Origin) -> Markup {
    html! {
        details.origin {
            summary { (code(&text::origin(origin))) }
            ol {
                @for frame in &origin.stack {
                    li.library[frame.library] { code { (frame.function) } " " span.place { (frame.location()) } }
                }
            }
        }
    }
}

/// Renders the table of checkpoints.
pub(super) fn checkpoints(result: &RunResult, record: &Record) -> Markup {
    if result.checkpoints.is_empty() {
        return html! {};
    }
    let metrics = text::checkpoint_metrics(result);
    let rows = html! {
        thead {
            tr {
                th scope="col" rowspan="2" { "time" } th scope="col" rowspan="2" { "phase" }
                @for metric in &metrics { th scope="colgroup" colspan="3" { (metric) } }
            }
            tr { @for _ in &metrics {
                th.number scope="col" { "value" } th.number scope="col" { "growth" } th.number scope="col" { "per minute" }
            } }
        }
        tbody {
            @for checkpoint in &result.checkpoints {
                tr {
                    th.number scope="row" { (clock(checkpoint.t_s)) }
                    td { (checkpoint.phase.name()) }
                    @for metric in &metrics {
                        @let [value, growth, rate] = text::checkpoint_cells(result, record, checkpoint, metric);
                        td.number { (value) } td.number { (growth) } td.number { (rate) }
                    }
                }
            }
        }
    };
    html! {
        h2 { "Checkpoints" }
        details open[result.checkpoints.len() <= 40] {
            summary { (count(result.checkpoints.len() as u64)) " checkpoints: value, growth since the baseline, growth per minute" }
            (scrolling("Checkpoints", &rows))
        }
    }
}

pub(super) fn faults(record: &Record) -> Markup {
    let bands = crate::figure::fault_bands(record, f64::INFINITY);
    if bands.is_empty() {
        return html! {};
    }
    let rows = html! {
        thead { tr {
            th scope="col" { "fault" } th.number scope="col" { "from" } th.number scope="col" { "for" } th scope="col" { "what" }
        } }
        tbody { @for band in &bands {
            tr {
                th scope="row" { (band.label) }
                td.number { (clock(band.from_s)) }
                td.number { @if band.to_s.is_finite() { (duration(band.to_s - band.from_s)) } @else { "the rest" } }
                td.text { (band.description) }
            }
        } }
    };
    html! { h2 { "Faults" } (scrolling("Faults", &rows)) }
}

pub(super) fn metrics(result: &RunResult, record: &Record) -> Markup {
    if result.metrics.is_empty() {
        return html! {};
    }
    let show = |unit: Unit, v: Option<f64>| v.map_or_else(String::new, |v| unit.format(v));
    let rows = html! {
        thead { tr {
            th scope="col" { "metric" } th scope="col" { "source" }
            @for name in ["seen", "baseline", "last", "min", "max", "growth per minute", "drained"] {
                th.number scope="col" { (name) }
            }
            th scope="col" { "shape" }
        } }
        tbody { @for (name, m) in &result.metrics {
            @let unit = text::unit_of(record, name);
            tr {
                th scope="row" { (name) } td { (m.source) }
                td.number { (count(m.samples)) " of " (count(m.samples + m.missing)) }
                @for v in [m.baseline, m.last, m.min, m.max] { td.number { (show(unit, v)) } }
                td.number { @if let Some(g) = m.growth_per_min {
                    (unit.format_signed(g.estimate)) " (" (unit.format_interval(g.low, g.high)) ")"
                } }
                td.number { @if let Some(d) = m.drained { (unit.format_signed(d)) } }
                td.text { (m.shape.as_deref().unwrap_or_default()) }
            }
        } }
    };
    html! { details { summary { "Every metric" } (scrolling("Every metric", &rows)) } }
}

pub(super) fn environment(result: &RunResult, record: &Record) -> Markup {
    let rows = html! { tbody { @for (name, value) in text::environment(result, record) {
        tr { th scope="row" { (name) } td.text { (value) } }
    } } };
    html! { details open { summary { "Environment" } (scrolling("Environment", &rows)) } }
}
