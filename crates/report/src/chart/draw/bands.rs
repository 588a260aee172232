//! Draws the bands behind the values: phases, faults, gaps and rotations.

use leakcheck_model::Phase;
use plotters::backend::DrawingBackend;

use super::labels::Labels;
use super::plot_area::PlotArea;
use crate::chart::canvas::{Align, Canvas, text_width};
use crate::chart::error::ChartError;
use crate::chart::layout::SMALL_TEXT;
use crate::chart::palette;
use crate::figure::Figure;

/// Height of the strip with the names of the phases.
const STRIP_HEIGHT: f64 = 30.0;
/// Minimum average distance between ticks of rotations; closer ones would form a grey line.
const ROTATION_SPACING: f64 = 6.0;

/// Shades the phases that are not judged.
pub(super) fn phases<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    for band in &figure.phases {
        let (left, right) = (plot.x(band.from_s), plot.x(band.to_s));
        if !band.phase.is_judged() {
            canvas.area((left, plot.top), (right, plot.bottom), palette::UNJUDGED, 0.10)?;
        }
    }
    Ok(())
}

/// Draws the strip above the plot area: a box for each phase, with its name if it fits.
pub(super) fn phase_names<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    if let [only] = &figure.phases[..]
        && only.phase == Phase::Measure
    {
        return canvas.line(&[(plot.left, plot.top), (plot.right, plot.top)], palette::GRID, 1.0);
    }
    for band in &figure.phases {
        let (left, right) = (plot.x(band.from_s), plot.x(band.to_s));
        let opacity = if band.phase.is_judged() { 0.08 } else { 0.24 };
        canvas.area(
            (left, plot.top - STRIP_HEIGHT),
            (right, plot.top),
            palette::UNJUDGED,
            opacity,
        )?;
        canvas.line(
            &[(left, plot.top - STRIP_HEIGHT), (left, plot.bottom)],
            palette::FRAME,
            0.5,
        )?;
        let name = band.phase.name();
        if text_width(name, SMALL_TEXT) + 4.0 < right - left {
            let middle = (f64::midpoint(left, right), plot.top - STRIP_HEIGHT / 2.0);
            canvas.text(name, middle, SMALL_TEXT, palette::TEXT, Align::Center)?;
        }
    }
    Ok(())
}

/// Shades faults, with their labels (`F1`, `F2`, …) where they fit.
pub(super) fn faults<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
    labels: &mut Labels,
) -> Result<(), ChartError> {
    for fault in &figure.faults {
        let (left, right) = (plot.x(fault.from_s).max(plot.left), plot.x(fault.to_s).min(plot.right));
        if right < plot.left || left > plot.right {
            continue;
        }
        let right = right.max(left + 2.0);
        canvas.area((left, plot.top), (right, plot.bottom), palette::FAULT, 0.22)?;
        let middle = (f64::midpoint(left, right), plot.top + 16.0);
        if labels.claim(&fault.label, middle, SMALL_TEXT) {
            canvas.text(&fault.label, middle, SMALL_TEXT, palette::TEXT, Align::Center)?;
        }
    }
    Ok(())
}

/// Draws a dark bar under every period without values.
pub(super) fn gaps<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    for gap in &figure.gaps {
        let (left, right) = (plot.x(gap.from_s), plot.x(gap.to_s).max(plot.x(gap.from_s) + 2.0));
        canvas.area((left, plot.top), (right, plot.bottom), palette::TEXT, 0.05)?;
        canvas.area((left, plot.bottom - 7.0), (right, plot.bottom), palette::TEXT, 0.7)?;
    }
    Ok(())
}

/// Draws a small tick for each rotation, if they can be distinguished.
pub(super) fn rotations<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &PlotArea,
    figure: &Figure,
) -> Result<(), ChartError> {
    if figure.rotations.len() as f64 * ROTATION_SPACING > plot.right - plot.left {
        return Ok(());
    }
    for t in &figure.rotations {
        let x = plot.x(*t);
        canvas.line(&[(x, plot.bottom - 10.0), (x, plot.bottom)], palette::FRAME, 1.5)?;
    }
    Ok(())
}
