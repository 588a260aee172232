//! Draws the layers of a chart from back to front: bands, grid, limits, growth, measured values, text.

mod bands;
mod header;
mod labels;
mod plot_area;

use plotters::backend::DrawingBackend;

use super::axis::time_ticks;
use super::canvas::{Align, Canvas};
use super::error::ChartError;
use super::layout::SMALL_TEXT;
use super::palette;
use crate::figure::{Figure, Point};
use labels::Labels;
use plot_area::PlotArea;

pub(super) use header::title;

/// Maximum number of ticks on the time axis.
const MAX_TIME_TICKS: usize = 11;
/// Number of slices of the growth's wedge.
const WEDGE_SLICES: u8 = 100;
/// Minimum distance between marks of checkpoints.
const MARK_SPACING: f64 = 40.0;
/// From this many points on, the line of values may hide the layers below it.
const DENSE_POINTS: usize = 500;

/// Draws the whole chart.
pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    let plot = PlotArea::of(figure);
    let mut labels = Labels::new(&plot, figure);
    canvas.fill(palette::WHITE)?;
    bands::phases(canvas, &plot, figure)?;
    bands::faults(canvas, &plot, figure, &mut labels)?;
    grid(canvas, &plot, figure)?;
    bands::gaps(canvas, &plot, figure)?;
    bands::rotations(canvas, &plot, figure)?;
    growth_wedge(canvas, &plot, figure)?;
    limits(canvas, &plot, figure)?;
    // Few values are drawn over the wide line of growth; many would hide it.
    if figure.points.len() < DENSE_POINTS {
        growth_line(canvas, &plot, figure)?;
        measured(canvas, &plot, figure)?;
    } else {
        measured(canvas, &plot, figure)?;
        growth_line(canvas, &plot, figure)?;
    }
    labels.limits(canvas, &plot, figure)?;
    frame(canvas, &plot)?;
    bands::phase_names(canvas, &plot, figure)?;
    header::header(canvas, figure)
}

fn grid<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plot: &PlotArea, figure: &Figure) -> Result<(), ChartError> {
    for tick in &plot.axis.ticks {
        let y = plot.y(tick.at);
        canvas.line(&[(plot.left, y), (plot.right, y)], palette::GRID, 1.0)?;
        // The topmost position holds the unit.
        if y > plot.top + 6.0 {
            canvas.text(
                &tick.label,
                (plot.left - 10.0, y),
                SMALL_TEXT,
                palette::TEXT,
                Align::Right,
            )?;
        }
    }
    let (from, to) = plot.times;
    for tick in time_ticks(from, to, MAX_TIME_TICKS) {
        let x = plot.x(tick.at);
        canvas.line(&[(x, plot.bottom), (x, plot.bottom + 6.0)], palette::FRAME, 1.0)?;
        canvas.text(
            &tick.label,
            (x, plot.bottom + 24.0),
            SMALL_TEXT,
            palette::TEXT,
            Align::Center,
        )?;
    }
    let unit = match (plot.axis.unit, figure.counter) {
        ("", false) => "count",
        ("", true) => "increase",
        (unit, _) => unit,
    };
    canvas.text(
        unit,
        (plot.left - 10.0, plot.top - 16.0),
        SMALL_TEXT,
        palette::MUTED,
        Align::Right,
    )?;
    let below = (plot.right, plot.bottom + 52.0);
    canvas.text(figure.time_label, below, SMALL_TEXT, palette::MUTED, Align::Right)
}

fn frame<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plot: &PlotArea) -> Result<(), ChartError> {
    let corners = [
        (plot.left, plot.top),
        (plot.left, plot.bottom),
        (plot.right, plot.bottom),
    ];
    canvas.line(&corners, palette::FRAME, 1.0)
}

fn limits<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plot: &PlotArea, figure: &Figure) -> Result<(), ChartError> {
    for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
        if let Some((from, to)) = plot.clipped(from, to) {
            canvas.dashed(from, to, palette::LIMIT, 2.0)?;
        }
    }
    Ok(())
}

fn growth_wedge<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    let Some(growth) = &figure.growth else { return Ok(()) };
    // In slices, so that an edge outside the plot area follows its border.
    let edge = |slice: u8, per_min: f64| {
        let share = f64::from(slice) / f64::from(WEDGE_SLICES);
        let t_s = growth.from_s + (growth.to_s - growth.from_s) * share;
        plot.clamped((t_s, growth.from + (growth.end(per_min) - growth.from) * share))
    };
    let up = (0..=WEDGE_SLICES).map(|slice| edge(slice, growth.per_min.high));
    let down = (0..=WEDGE_SLICES).rev().map(|slice| edge(slice, growth.per_min.low));
    let corners: Vec<_> = up.chain(down).collect();
    canvas.polygon(&corners, palette::GROWTH, 0.16)
}

fn growth_line<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    let Some(growth) = &figure.growth else { return Ok(()) };
    let end = (growth.to_s, growth.end(growth.per_min.estimate));
    match plot.clipped((growth.from_s, growth.from), end) {
        Some((from, to)) => canvas.line(&[from, to], palette::GROWTH, 4.0),
        None => Ok(()),
    }
}

fn measured<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plot: &PlotArea, figure: &Figure) -> Result<(), ChartError> {
    let parts: Vec<&[Point]> = figure.points.chunk_by(|_, next| !next.breaks).collect();
    for part in parts {
        let stroke: Vec<_> = part.iter().map(|p| plot.at((p.t_s, p.value))).collect();
        match stroke[..] {
            [alone] => canvas.dot(alone, 2.5, palette::MEASURED, palette::MEASURED)?,
            _ => canvas.line(&stroke, palette::MEASURED, 2.0)?,
        }
    }
    let marks = (plot.right - plot.left) / MARK_SPACING;
    let every = (figure.checkpoints.len() as f64 / marks).ceil().max(1.0) as usize;
    for point in figure.checkpoints.iter().step_by(every) {
        canvas.dot(plot.at(*point), 4.5, palette::WHITE, palette::MEASURED)?;
    }
    Ok(())
}
