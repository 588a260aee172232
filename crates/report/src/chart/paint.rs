//! The chart's layers from back to front: bands, grid, limits, growth, measured values, words.

mod bands;
mod head;
mod labels;
mod plane;

use plotters::backend::DrawingBackend;

use super::ChartError;
use super::axis::time_ticks;
use super::canvas::{Align, Canvas};
use super::palette;
use crate::figure::{Figure, Point};
use labels::Labels;
use plane::Plane;

pub(super) use head::title;

/// The smallest letters, on axes and in the legend: 10 px when the chart is shown 600 px wide.
const SMALL: f64 = 20.0;
/// Ticks that fit on the axis of time without touching.
const TIME_TICKS: usize = 11;
/// Slices of the growth's wedge.
const WEDGE_SLICES: u8 = 100;
/// Room for one mark of a checkpoint; of more only every so many is marked.
const MARK_ROOM: f64 = 40.0;
/// With this many points a stroke of values may cover what lies under it.
const NOISY: usize = 500;

/// Draws all of it.
pub(super) fn paint<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure) -> Result<(), ChartError> {
    let plane = Plane::of(figure);
    let mut labels = Labels::new(&plane, figure);
    canvas.fill(palette::WHITE)?;
    bands::phases(canvas, &plane, figure)?;
    bands::faults(canvas, &plane, figure, &mut labels)?;
    grid(canvas, &plane, figure)?;
    bands::gaps(canvas, &plane, figure)?;
    bands::rotations(canvas, &plane, figure)?;
    growth_wedge(canvas, &plane, figure)?;
    limits(canvas, &plane, figure)?;
    // A calm series lies on the line's wide stroke; a noisy one would bury it.
    if figure.points.len() < NOISY {
        growth_line(canvas, &plane, figure)?;
        measured(canvas, &plane, figure)?;
    } else {
        measured(canvas, &plane, figure)?;
        growth_line(canvas, &plane, figure)?;
    }
    labels.limits(canvas, &plane, figure)?;
    frame(canvas, &plane)?;
    bands::phase_names(canvas, &plane, figure)?;
    head::head(canvas, figure)
}

fn grid<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane, figure: &Figure) -> Result<(), ChartError> {
    for tick in &plane.axis.ticks {
        let y = plane.y(tick.at);
        canvas.line(&[(plane.left, y), (plane.right, y)], palette::GRID, 1.0)?;
        // The unit stands there.
        if y > plane.top + 6.0 {
            canvas.text(&tick.label, (plane.left - 10.0, y), SMALL, palette::INK, Align::Right)?;
        }
    }
    let (from, to) = plane.times;
    for tick in time_ticks(from, to, TIME_TICKS) {
        let x = plane.x(tick.at);
        canvas.line(&[(x, plane.bottom), (x, plane.bottom + 6.0)], palette::FRAME, 1.0)?;
        canvas.text(
            &tick.label,
            (x, plane.bottom + 24.0),
            SMALL,
            palette::INK,
            Align::Center,
        )?;
    }
    let unit = match (plane.axis.unit, figure.counter) {
        ("", false) => "count",
        ("", true) => "increase",
        (unit, _) => unit,
    };
    canvas.text(
        unit,
        (plane.left - 10.0, plane.top - 16.0),
        SMALL,
        palette::QUIET,
        Align::Right,
    )?;
    let below = (plane.right, plane.bottom + 52.0);
    canvas.text(figure.time, below, SMALL, palette::QUIET, Align::Right)
}

fn frame<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane) -> Result<(), ChartError> {
    let corners = [
        (plane.left, plane.top),
        (plane.left, plane.bottom),
        (plane.right, plane.bottom),
    ];
    canvas.line(&corners, palette::FRAME, 1.0)
}

fn limits<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane, figure: &Figure) -> Result<(), ChartError> {
    for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
        if let Some((from, to)) = plane.clipped(from, to) {
            canvas.dashed(from, to, palette::LIMIT, 2.0)?;
        }
    }
    Ok(())
}

fn growth_wedge<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane, figure: &Figure) -> Result<(), ChartError> {
    let Some(growth) = &figure.growth else { return Ok(()) };
    // In slices, so that an edge that leaves the plane follows its border.
    let edge = |slice: u8, per_min: f64| {
        let share = f64::from(slice) / f64::from(WEDGE_SLICES);
        let t_s = growth.from_s + (growth.to_s - growth.from_s) * share;
        plane.inside((t_s, growth.from + (growth.end(per_min) - growth.from) * share))
    };
    let up = (0..=WEDGE_SLICES).map(|slice| edge(slice, growth.per_min.high));
    let down = (0..=WEDGE_SLICES).rev().map(|slice| edge(slice, growth.per_min.low));
    let corners: Vec<_> = up.chain(down).collect();
    canvas.shape(&corners, palette::GROWTH, 0.16)
}

fn growth_line<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane, figure: &Figure) -> Result<(), ChartError> {
    let Some(growth) = &figure.growth else { return Ok(()) };
    let end = (growth.to_s, growth.end(growth.per_min.estimate));
    match plane.clipped((growth.from_s, growth.from), end) {
        Some((from, to)) => canvas.line(&[from, to], palette::GROWTH, 4.0),
        None => Ok(()),
    }
}

fn measured<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, plane: &Plane, figure: &Figure) -> Result<(), ChartError> {
    let parts: Vec<&[Point]> = figure.points.chunk_by(|_, next| !next.breaks).collect();
    for part in parts {
        let stroke: Vec<_> = part.iter().map(|p| plane.at((p.t_s, p.value))).collect();
        match stroke[..] {
            [alone] => canvas.dot(alone, 2.5, palette::MEASURED, palette::MEASURED)?,
            _ => canvas.line(&stroke, palette::MEASURED, 2.0)?,
        }
    }
    let room = (plane.right - plane.left) / MARK_ROOM;
    let every = (figure.checkpoints.len() as f64 / room).ceil().max(1.0) as usize;
    for point in figure.checkpoints.iter().step_by(every) {
        canvas.dot(plane.at(*point), 4.5, palette::WHITE, palette::MEASURED)?;
    }
    Ok(())
}
