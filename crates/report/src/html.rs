//! `report.html`: the outcome as one file that needs no network.
//!
//! Verdict and reasons first; then limits, charts, lines, who leaked, checkpoints, environment and the command. Each
//! chart stands in the page as a picture and is replaced by a live one where scripts may run. What is dynamic is text,
//! escaped when the page is built.

mod data;
mod tables;

use leakcheck_model::result::LimitResult;
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

const LIVE_SCRIPT: &str = include_str!("html/live.js");

/// Whether a run goes on while its page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    GoesOn,
    Ended,
}

impl Life {
    /// Whether an outcome is none yet: the data that would decide may still come.
    fn is_open(self, outcome: Verdict) -> bool {
        self == Self::GoesOn && matches!(outcome, Verdict::Invalid | Verdict::Inconclusive)
    }
}

/// A page that is served while its run goes on.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// Which state of the run it shows; the page asks `/state` whether there is a newer one.
    pub state: &'a str,
    /// Whether the run goes on; else what is shown is its end.
    pub goes_on: bool,
}

/// The page. `scenario` is the scenario as run, to be shown at its end.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn page(result: &RunResult, record: &Record, scenario: Option<&str>) -> Result<String, ChartError> {
    built(result, record, scenario, None)
}

/// The page of a run that may still go on, for a server that answers `/state`.
///
/// # Errors
/// As [`page`].
pub fn live(
    result: &RunResult,
    record: &Record,
    scenario: Option<&str>,
    live: &Live<'_>,
) -> Result<String, ChartError> {
    built(result, record, scenario, Some(live))
}

fn built(
    result: &RunResult,
    record: &Record,
    scenario: Option<&str>,
    served: Option<&Live<'_>>,
) -> Result<String, ChartError> {
    let charted = figures(result, record, LIVE_POINTS);
    let pictures = figures(result, record, PICTURE_POINTS)
        .iter()
        .map(chart::svg)
        .collect::<Result<Vec<_>, _>>()?;
    let life = if served.is_some_and(|s| s.goes_on) {
        Life::GoesOn
    } else {
        Life::Ended
    };
    let state = if life == Life::GoesOn {
        "running"
    } else {
        result.verdict.name()
    };
    let title = format!("{}: {state} – leakcheck", result.scenario);
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
                (top(result, record, life))
                main {
                    (tables::limits(result, record, life))
                    (charts(&charted, &pictures, life))
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
                script type="application/json" id="run-data" { (PreEscaped(data::of(&charted))) }
                script { (PreEscaped(SCRIPT)) }
                @if let Some(served) = served {
                    script data-state=(served.state) { (PreEscaped(LIVE_SCRIPT)) }
                }
            }
        }
    };
    Ok(page.into_string())
}

/// A verdict as a coloured word.
fn badge(verdict: Verdict, life: Life) -> Markup {
    if life.is_open(verdict) {
        return html! { span.badge.running { "not yet" } };
    }
    html! { span class=(format!("badge {}", verdict.name())) { (verdict.name()) } }
}

fn top(result: &RunResult, record: &Record, life: Life) -> Markup {
    // What is certain although the run goes on: a limit that is exceeded, a target that died.
    let certain = |reason: &&Reason| {
        let open = |l: &LimitResult| life.is_open(l.outcome) && l.reason.as_ref() == Some(*reason);
        !result.limits.iter().any(open)
    };
    let certain: Vec<&Reason> = result.reasons.iter().filter(certain).collect();
    let warnings: Vec<&Reason> = result.warnings.iter().collect();
    html! {
        header.top {
            @if life == Life::GoesOn {
                h1 { span.badge.running { "running" } span { (result.scenario) } }
                p.lead { "The run goes on. What follows is what can be said so far, and no verdict." }
            } @else {
                h1 { (badge(result.verdict, life)) span { (result.scenario) } }
                p.lead { (words::meaning(result)) }
            }
            p.quiet { (words::setting(result, record)) }
            (reasons(&certain, "reasons", "Reasons"))
            (reasons(&warnings, "reasons warnings", "Worth knowing"))
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

fn charts(figures: &[Figure], pictures: &[String], life: Life) -> Markup {
    html! {
        @if !figures.is_empty() {
            section aria-label="Charts" {
                h2 { "Charts" }
                @for (i, (figure, picture)) in figures.iter().zip(pictures).enumerate() {
                    section.chart data-figure=(i) aria-label=(format!("chart of {}", figure.metric)) {
                        h3 {
                            (figure.metric)
                            @if let Some(verdict) = figure.verdict { " " (badge(verdict, life)) }
                            small { (rules(figure, life)) }
                        }
                        .plot { (PreEscaped(picture)) }
                    }
                }
            }
        }
    }
}

fn rules(figure: &Figure, life: Life) -> String {
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
                if life.is_open(l.outcome) {
                    "not yet"
                } else {
                    l.outcome.name()
                }
            )
        })
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
mod browser;
#[cfg(test)]
mod look;
#[cfg(test)]
mod tests;
