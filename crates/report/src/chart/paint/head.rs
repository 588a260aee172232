//! The chart's head: metric, verdict, what each limit comes to, and the legend.

use plotters::backend::DrawingBackend;

use super::super::ChartError;
use super::super::WIDTH;
use super::super::canvas::{Align, At, Canvas, text_width};
use super::super::palette::{self, Color};
use super::SMALL;
use crate::figure::Figure;

const LEFT: f64 = 24.0;
const BIG: f64 = 30.0;
const TITLE_Y: f64 = 28.0;
const LEGEND_Y: f64 = 70.0;
/// Between two entries of the legend.
const APART: f64 = 26.0;
/// Width of a legend's sample of a stroke.
const SWATCH: f64 = 30.0;

/// `fds: fail (growth_per_min < 1: fail; drained <= 2: pass)`, for those who cannot see the chart.
pub(in super::super) fn title(figure: &Figure) -> String {
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

pub(super) fn head<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    canvas.text(&figure.metric, (LEFT, TITLE_Y), BIG, palette::INK, Align::Left)?;
    let mut x = LEFT + text_width(&figure.metric, BIG) + 14.0;
    if let Some(verdict) = figure.verdict {
        let text = verdict.name();
        let width = text_width(text, SMALL + 2.0) + 20.0;
        let color = palette::of_verdict(verdict);
        canvas.area((x, TITLE_Y - 15.0), (x + width, TITLE_Y + 15.0), color, 1.0)?;
        let middle = (x + width / 2.0, TITLE_Y);
        canvas.text(text, middle, SMALL + 2.0, palette::WHITE, Align::Center)?;
        x += width + 16.0;
    }
    let words = if figure.limits.is_empty() {
        "no limit".into()
    } else {
        fitting(&outcomes(figure), f64::from(WIDTH) - x - 20.0)
    };
    canvas.text(&words, (x, TITLE_Y), SMALL, palette::QUIET, Align::Left)?;
    legend(canvas, figure)
}

/// As many as fit, joined; how many do not.
fn fitting(parts: &[String], room: f64) -> String {
    for shown in (1..=parts.len()).rev() {
        let rest = parts.len() - shown;
        let more = if rest > 0 {
            format!("; {rest} more")
        } else {
            String::new()
        };
        let text = parts[..shown].join("; ") + &more;
        if text_width(&text, SMALL) <= room {
            return text;
        }
    }
    format!("{} limits", parts.len())
}

/// A stroke's sample in the legend.
enum Sample {
    Line(Color),
    Dashed(Color),
    Mark,
    Box(Color, f64),
}

fn legend<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    let mut entries = vec![(
        Sample::Line(palette::MEASURED),
        if figure.counter { "increase" } else { "measured" }.to_owned(),
    )];
    if !figure.checkpoints.is_empty() {
        entries.push((Sample::Mark, "checkpoint".into()));
    }
    if let Some(growth) = &figure.growth {
        let g = growth.per_min;
        let (rate, between) = (
            figure.unit.show_rate(g.estimate),
            figure.unit.show_interval(g.low, g.high),
        );
        entries.push((Sample::Line(palette::GROWTH), format!("growth {rate} ({between})")));
    }
    if figure.limits.iter().any(|l| l.line.is_some()) {
        entries.push((Sample::Dashed(palette::LIMIT), "limit".into()));
    }
    if !figure.faults.is_empty() {
        entries.push((Sample::Box(palette::FAULT, 0.35), "fault".into()));
    }
    if !figure.gaps.is_empty() {
        entries.push((Sample::Box(palette::INK, 0.7), "not seen".into()));
    }
    let mut x = LEFT;
    for (sample, text) in entries {
        swatch(canvas, &sample, (x, LEGEND_Y))?;
        x += SWATCH + 8.0;
        canvas.text(&text, (x, LEGEND_Y), SMALL, palette::INK, Align::Left)?;
        x += text_width(&text, SMALL) + APART;
    }
    Ok(())
}

fn swatch<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, sample: &Sample, (x, y): At) -> Result<(), ChartError> {
    let (from, to) = ((x, y), (x + SWATCH, y));
    match *sample {
        Sample::Line(color) => canvas.line(&[from, to], color, 2.5),
        Sample::Dashed(color) => canvas.dashed(from, to, color, 2.5),
        Sample::Mark => canvas.dot((x + SWATCH / 2.0, y), 4.5, palette::WHITE, palette::MEASURED),
        Sample::Box(color, opacity) => canvas.area((x + 6.0, y - 7.0), (x + SWATCH, y + 7.0), color, opacity),
    }
}
