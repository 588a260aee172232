//! Draws the header of a chart: metric, verdict, the outcome of each limit, and the legend.

use plotters::backend::DrawingBackend;

use crate::chart::canvas::{Align, Canvas, Position, text_width};
use crate::chart::error::ChartError;
use crate::chart::layout::{SMALL_TEXT, WIDTH};
use crate::chart::palette::{self, Color};
use crate::figure::Figure;

const LEFT: f64 = 24.0;
const TITLE_TEXT: f64 = 30.0;
const TITLE_Y: f64 = 28.0;
const LEGEND_Y: f64 = 70.0;
/// Distance between two entries of the legend.
const ENTRY_SPACING: f64 = 26.0;
/// Width of a symbol in the legend.
const SYMBOL_WIDTH: f64 = 30.0;

/// Returns the title for screen readers: `fds: fail (growth_per_min < 1: fail; drained <= 2: pass)`.
pub(crate) fn title(figure: &Figure) -> String {
    let rules = outcomes(figure).join("; ");
    match figure.verdict {
        Some(verdict) => format!("{}: {} ({rules})", figure.metric, verdict.name()),
        None => format!("{}, no limit", figure.metric),
    }
}

fn outcomes(figure: &Figure) -> Vec<String> {
    figure
        .limits
        .iter()
        .map(|l| format!("{}: {}", l.rule, l.outcome.name()))
        .collect()
}

pub(super) fn header<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    canvas.text(&figure.metric, (LEFT, TITLE_Y), TITLE_TEXT, palette::TEXT, Align::Left)?;
    let mut x = LEFT + text_width(&figure.metric, TITLE_TEXT) + 14.0;
    if let Some(verdict) = figure.verdict {
        let text = verdict.name();
        let width = text_width(text, SMALL_TEXT + 2.0) + 20.0;
        let color = palette::of_verdict(verdict);
        canvas.area((x, TITLE_Y - 15.0), (x + width, TITLE_Y + 15.0), color, 1.0)?;
        let middle = (x + width / 2.0, TITLE_Y);
        canvas.text(text, middle, SMALL_TEXT + 2.0, palette::WHITE, Align::Center)?;
        x += width + 16.0;
    }
    let rules = if figure.limits.is_empty() {
        "no limit".into()
    } else {
        fitting(&outcomes(figure), f64::from(WIDTH) - x - 20.0)
    };
    canvas.text(&rules, (x, TITLE_Y), SMALL_TEXT, palette::MUTED, Align::Left)?;
    legend(canvas, figure)
}

/// Joins as many parts as fit, and adds the number of the others.
fn fitting(parts: &[String], room: f64) -> String {
    for shown in (1..=parts.len()).rev() {
        let rest = parts.len() - shown;
        let more = if rest > 0 {
            format!("; {rest} more")
        } else {
            String::new()
        };
        let text = parts[..shown].join("; ") + &more;
        if text_width(&text, SMALL_TEXT) <= room {
            return text;
        }
    }
    format!("{} limits", parts.len())
}

/// A symbol in the legend.
enum Symbol {
    Line(Color),
    Dashed(Color),
    Mark,
    Box(Color, f64),
}

fn legend<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    let mut entries = vec![(
        Symbol::Line(palette::MEASURED),
        if figure.counter { "increase" } else { "measured" }.to_owned(),
    )];
    if !figure.checkpoints.is_empty() {
        entries.push((Symbol::Mark, "checkpoint".into()));
    }
    if let Some(growth) = &figure.growth {
        let g = growth.per_min;
        let (rate, interval) = (
            figure.unit.format_rate(g.estimate),
            figure.unit.format_interval(g.low, g.high),
        );
        entries.push((Symbol::Line(palette::GROWTH), format!("growth {rate} ({interval})")));
    }
    if figure.limits.iter().any(|l| l.line.is_some()) {
        entries.push((Symbol::Dashed(palette::LIMIT), "limit".into()));
    }
    if !figure.faults.is_empty() {
        entries.push((Symbol::Box(palette::FAULT, 0.35), "fault".into()));
    }
    if !figure.gaps.is_empty() {
        entries.push((Symbol::Box(palette::TEXT, 0.7), "no value".into()));
    }
    let mut x = LEFT;
    for (symbol, text) in entries {
        draw_symbol(canvas, &symbol, (x, LEGEND_Y))?;
        x += SYMBOL_WIDTH + 8.0;
        canvas.text(&text, (x, LEGEND_Y), SMALL_TEXT, palette::TEXT, Align::Left)?;
        x += text_width(&text, SMALL_TEXT) + ENTRY_SPACING;
    }
    Ok(())
}

fn draw_symbol<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    symbol: &Symbol,
    (x, y): Position,
) -> Result<(), ChartError> {
    let (from, to) = ((x, y), (x + SYMBOL_WIDTH, y));
    match *symbol {
        Symbol::Line(color) => canvas.line(&[from, to], color, 2.5),
        Symbol::Dashed(color) => canvas.dashed(from, to, color, 2.5),
        Symbol::Mark => canvas.dot((x + SYMBOL_WIDTH / 2.0, y), 4.5, palette::WHITE, palette::MEASURED),
        Symbol::Box(color, opacity) => canvas.area((x + 6.0, y - 7.0), (x + SYMBOL_WIDTH, y + 7.0), color, opacity),
    }
}
