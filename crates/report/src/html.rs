//! `report.html`: the outcome as one file that needs no network.
//!
//! Verdict and reasons first; then limits, charts, lines, who leaked, checkpoints, environment and the command. Each
//! chart stands in the page as a picture and is replaced by a live one where scripts may run. What is dynamic is text,
//! escaped when the page is built.

mod data;
mod tables;

use leakcheck_model::{Reason, Record, RunResult, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::chart::{self, ChartError};
use crate::figure::{Figure, figures};
use crate::words;

/// Points of a live chart: five hours and a half at a sample a second without any thinning.
const LIVE_POINTS: usize = 20_000;
/// Points of the picture under it.
const PICTURE_POINTS: usize = 2000;

const CSS: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/chart.js");

/// The page. `scenario` is the scenario as run, to be shown at its end.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn page(result: &RunResult, record: &Record, scenario: Option<&str>) -> Result<String, ChartError> {
    let live = figures(result, record, LIVE_POINTS);
    let pictures = figures(result, record, PICTURE_POINTS)
        .iter()
        .map(chart::svg)
        .collect::<Result<Vec<_>, _>>()?;
    let title = format!("{}: {} – leakcheck", result.scenario, result.verdict.name());
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
                (top(result, record))
                main {
                    (tables::limits(result, record))
                    (charts(&live, &pictures))
                    (tables::lines(result))
                    (tables::attribution(result))
                    (tables::checkpoints(result, record))
                    (tables::faults(record))
                    (tables::metrics(result, record))
                    (tables::environment(result, record))
                    (again(result))
                    @if let Some(scenario) = scenario {
                        details { summary { "Scenario as run" } pre tabindex="0" { (scenario) } }
                    }
                }
                footer {
                    "Written by leakcheck. " code { "result.json" } " has every number, " code { "samples.csv" }
                    " every sample; " code { "leakcheck judge" } " judges them again."
                }
                script type="application/json" id="run-data" { (PreEscaped(data::of(&live))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// A verdict as a coloured word.
fn badge(verdict: Verdict) -> Markup {
    html! { span class=(format!("badge {}", verdict.name())) { (verdict.name()) } }
}

fn top(result: &RunResult, record: &Record) -> Markup {
    html! {
        header.top {
            h1 { (badge(result.verdict)) span { (result.scenario) } }
            p.lead { (words::meaning(result)) }
            p.quiet { (words::setting(result, record)) }
            (reasons(&result.reasons, "reasons", "Reasons"))
            (reasons(&result.warnings, "reasons warnings", "Worth knowing"))
        }
    }
}

fn reasons(reasons: &[Reason], class: &str, label: &str) -> Markup {
    html! {
        @if !reasons.is_empty() {
            ul class=(class) aria-label=(label) {
                @for reason in reasons {
                    li {
                        @if let Some(metric) = &reason.metric && !reason.message.contains(metric.as_str()) {
                            strong { (metric) } ": "
                        }
                        (code(&reason.message)) " " span.quiet { "(" (reason.code.name()) ")" }
                    }
                }
            }
        }
    }
}

/// Text in which backticks mark code.
fn code(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (i, part) in parts.iter().enumerate() {
                @if i % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (text) }
    }
}

fn charts(live: &[Figure], pictures: &[String]) -> Markup {
    html! {
        @if !live.is_empty() {
            section aria-label="Charts" {
                h2 { "Charts" }
                @for (i, (figure, picture)) in live.iter().zip(pictures).enumerate() {
                    section.chart data-figure=(i) aria-label=(format!("chart of {}", figure.metric)) {
                        h3 {
                            (figure.metric)
                            @if let Some(verdict) = figure.verdict { " " (badge(verdict)) }
                            small { (rules(figure)) }
                        }
                        .plot { (PreEscaped(picture)) }
                    }
                }
            }
        }
    }
}

fn rules(figure: &Figure) -> String {
    if figure.limits.is_empty() {
        return "no limit".into();
    }
    let parts: Vec<String> = figure
        .limits
        .iter()
        .map(|l| format!("{}: {}", l.rule, l.outcome.name()))
        .collect();
    let growth = figure.growth.map_or(String::new(), |g| {
        let (rate, interval) = (
            figure.unit.show_rate(g.per_min.estimate),
            figure.unit.show_interval(g.per_min.low, g.per_min.high),
        );
        format!(" – growth {rate} ({interval})")
    });
    parts.join("; ") + &growth
}

fn again(result: &RunResult) -> Markup {
    html! {
        @if let Some(command) = &result.command {
            h2 { "Again" }
            .command {
                pre id="command" tabindex="0" { (command) }
                button type="button" data-copy="command" hidden { "copy" }
            }
        }
    }
}

#[cfg(test)]
mod tests;
