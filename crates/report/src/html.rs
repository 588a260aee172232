//! Renders `report.html`, the result as one file that needs no network.
//!
//! Verdict and reasons come first, then limits, charts, lines, attribution, checkpoints, environment and the command. Each chart
//! is an SVG image, which a script replaces by an interactive one. All text is escaped.

mod data;
mod parts;
mod tables;

use leakcheck_model::result::LimitResult;
use leakcheck_model::{Reason, Record, RunResult};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::chart::{self, ChartError};
use crate::figure::{Figure, figures};
use crate::text;
use parts::{RunState, badge, code};

/// Points of an interactive chart: 5.5 hours at one sample per second without decimation.
const INTERACTIVE_POINTS: usize = 20_000;
/// Points of the image that it replaces.
const PICTURE_POINTS: usize = 2000;

const CSS: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/chart.js");

const LIVE_SCRIPT: &str = include_str!("html/live.js");

/// Properties of a page that is served during its run.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// The version of the shown data. The page polls `/state` and reloads when it differs.
    pub version: &'a str,
    /// True while the run is not finished.
    pub running: bool,
}

/// Renders the page of a finished run. `scenario` is the text of the scenario, shown at the end.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(result: &RunResult, record: &Record, scenario: Option<&str>) -> Result<String, ChartError> {
    render(result, record, scenario, None)
}

/// Renders the page of a run that may not be finished, for a server that answers `/state`.
///
/// # Errors
/// As [`page`].
pub fn live(
    result: &RunResult,
    record: &Record,
    scenario: Option<&str>,
    live: &Live<'_>,
) -> Result<String, ChartError> {
    render(result, record, scenario, Some(live))
}

fn render(
    result: &RunResult,
    record: &Record,
    scenario: Option<&str>,
    served: Option<&Live<'_>>,
) -> Result<String, ChartError> {
    let interactive = figures(result, record, INTERACTIVE_POINTS);
    let pictures = figures(result, record, PICTURE_POINTS)
        .iter()
        .map(chart::svg)
        .collect::<Result<Vec<_>, _>>()?;
    let state = if served.is_some_and(|s| s.running) {
        RunState::Running
    } else {
        RunState::Ended
    };
    let status = match state {
        RunState::Running => "running",
        RunState::Ended => result.verdict.name(),
    };
    let title = format!("{}: {status} – leakcheck", result.scenario);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="leakcheck";
                title { (title) }
                style { (PreEscaped(CSS)) }
            }
            body {
                (top(result, record, state))
                main {
                    (tables::limits(result, record, state))
                    (charts(&interactive, &pictures, state))
                    (tables::lines(result))
                    (tables::attribution(result))
                    (tables::checkpoints(result, record))
                    (tables::faults(record))
                    (tables::metrics(result, record))
                    (tables::environment(result, record))
                    (command(result))
                    @if let Some(scenario) = scenario {
                        details { summary { "Scenario as run" } pre tabindex="0" { (scenario) } }
                    }
                }
                footer {
                    "Written by leakcheck. " code { "result.json" } " has every number, " code { "samples.csv" }
                    " every sample. " code { "leakcheck judge" } " repeats the verdict."
                }
                script type="application/json" id="run-data" { (PreEscaped(data::json(&interactive))) }
                script { (PreEscaped(SCRIPT)) }
                @if let Some(served) = served {
                    script data-version=(served.version) { (PreEscaped(LIVE_SCRIPT)) }
                }
            }
        }
    };
    Ok(page.into_string())
}

fn top(result: &RunResult, record: &Record, state: RunState) -> Markup {
    // During a run only certain reasons are shown: an exceeded limit, a target that died.
    let certain = |reason: &&Reason| {
        let open = |l: &LimitResult| state.is_open(l.outcome) && l.reason.as_ref() == Some(*reason);
        !result.limits.iter().any(open)
    };
    let certain: Vec<&Reason> = result.reasons.iter().filter(certain).collect();
    let warnings: Vec<&Reason> = result.warnings.iter().collect();
    html! {
        header.top {
            @if state == RunState::Running {
                h1 { span.badge.running { "running" } span { (result.scenario) } }
                p.lead { "The run is not finished. This page shows the data so far; there is no verdict yet." }
            } @else {
                h1 { (badge(result.verdict, state)) span { (result.scenario) } }
                p.lead { (text::verdict_meaning(result)) }
            }
            p.muted { (text::setting(result, record)) }
            (reasons(&certain, "reasons", "Reasons"))
            (reasons(&warnings, "reasons warnings", "Warnings"))
        }
    }
}

fn reasons(reasons: &[&Reason], class: &str, label: &str) -> Markup {
    html! {
        @if !reasons.is_empty() {
            ul class=(class) aria-label=(label) {
                @for reason in reasons {
                    li {
                        @if let Some(metric) = &reason.metric && !reason.message.contains(metric.as_str()) {
                            strong { (metric) } ": "
                        }
                        (code(&reason.message)) " " span.muted { "(" (reason.code.name()) ")" }
                    }
                }
            }
        }
    }
}

fn charts(figures: &[Figure], pictures: &[String], state: RunState) -> Markup {
    html! {
        @if !figures.is_empty() {
            section aria-label="Charts" {
                h2 { "Charts" }
                @for (i, (figure, picture)) in figures.iter().zip(pictures).enumerate() {
                    section.chart data-figure=(i) aria-label=(format!("chart of {}", figure.metric)) {
                        h3 {
                            (figure.metric)
                            @if let Some(verdict) = figure.verdict { " " (badge(verdict, state)) }
                            small { (rules(figure, state)) }
                        }
                        .plot { (PreEscaped(picture)) }
                    }
                }
            }
        }
    }
}

fn rules(figure: &Figure, state: RunState) -> String {
    if figure.limits.is_empty() {
        return "no limit".into();
    }
    let parts: Vec<String> = figure
        .limits
        .iter()
        .map(|l| {
            format!(
                "{}: {}",
                l.rule,
                if state.is_open(l.outcome) {
                    "not yet"
                } else {
                    l.outcome.name()
                }
            )
        })
        .collect();
    let growth = figure.growth.map_or(String::new(), |g| {
        let (rate, interval) = (
            figure.unit.format_rate(g.per_min.estimate),
            figure.unit.format_interval(g.per_min.low, g.per_min.high),
        );
        format!(" – growth {rate} ({interval})")
    });
    parts.join("; ") + &growth
}

fn command(result: &RunResult) -> Markup {
    html! {
        @if let Some(command) = &result.command {
            h2 { "Repeat" }
            .command {
                pre id="command" tabindex="0" { (command) }
                button type="button" data-copy="command" hidden { "copy" }
            }
        }
    }
}

#[cfg(test)]
mod tests;
