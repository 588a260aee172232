//! What lies behind the values: phases, faults, gaps and rotations.

use leakcheck_model::Phase;
use plotters::backend::DrawingBackend;

use super::super::ChartError;
use super::super::canvas::{Align, Canvas, text_width};
use super::super::palette;
use super::SMALL;
use super::labels::Labels;
use super::plane::Plane;
use crate::figure::Figure;

/// Height of the strip with the phases' names.
const STRIP: f64 = 30.0;
/// Rotations closer together than this are a grey line that says nothing.
const ROTATION_ROOM: f64 = 6.0;

/// Shades everything that is not judged.
pub(super) fn phases<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plane: &Plane,
    figure: &Figure,
) -> Result<(), ChartError> {
    for band in &figure.phases {
        let (left, right) = (plane.x(band.from_s), plane.x(band.to_s));
        if !band.phase.is_judged() {
            canvas.area((left, plane.top), (right, plane.bottom), palette::UNJUDGED, 0.10)?;
        }
    }
    Ok(())
}

/// The strip above the plane: a box for each phase, its name where it fits.
pub(super) fn phase_names<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plane: &Plane,
    figure: &Figure,
) -> Result<(), ChartError> {
    if let [only] = &figure.phases[..]
        && only.phase == Phase::Measure
    {
        return canvas.line(&[(plane.left, plane.top), (plane.right, plane.top)], palette::GRID, 1.0);
    }
    for band in &figure.phases {
        let (left, right) = (plane.x(band.from_s), plane.x(band.to_s));
        let opacity = if band.phase.is_judged() { 0.08 } else { 0.24 };
        canvas.area(
            (left, plane.top - STRIP),
            (right, plane.top),
            palette::UNJUDGED,
            opacity,
        )?;
        canvas.line(&[(left, plane.top - STRIP), (left, plane.bottom)], palette::FRAME, 0.5)?;
        let name = band.phase.name();
        if text_width(name, SMALL) + 4.0 < right - left {
            let middle = (f64::midpoint(left, right), plane.top - STRIP / 2.0);
            canvas.text(name, middle, SMALL, palette::INK, Align::Center)?;
        }
    }
    Ok(())
}

/// Shades faults; `F1`, `F2`, … where there is room.
pub(super) fn faults<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plane: &Plane,
    figure: &Figure,
    labels: &mut Labels,
) -> Result<(), ChartError> {
    for fault in &figure.faults {
        let (left, right) = (
            plane.x(fault.from_s).max(plane.left),
            plane.x(fault.to_s).min(plane.right),
        );
        if right < plane.left || left > plane.right {
            continue;
        }
        let right = right.max(left + 2.0);
        canvas.area((left, plane.top), (right, plane.bottom), palette::FAULT, 0.22)?;
        let middle = (f64::midpoint(left, right), plane.top + 16.0);
        if labels.claim(&fault.label, middle, SMALL) {
            canvas.text(&fault.label, middle, SMALL, palette::INK, Align::Center)?;
        }
    }
    Ok(())
}

/// A dark foot under every stretch in which nothing was seen.
pub(super) fn gaps<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plane: &Plane,
    figure: &Figure,
) -> Result<(), ChartError> {
    for gap in &figure.gaps {
        let (left, right) = (plane.x(gap.from_s), plane.x(gap.to_s).max(plane.x(gap.from_s) + 2.0));
        canvas.area((left, plane.top), (right, plane.bottom), palette::INK, 0.05)?;
        canvas.area((left, plane.bottom - 7.0), (right, plane.bottom), palette::INK, 0.7)?;
    }
    Ok(())
}

/// A small tick under each rotation, where they can be told apart.
pub(super) fn rotations<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plane: &Plane,
    figure: &Figure,
) -> Result<(), ChartError> {
    if figure.rotations.len() as f64 * ROTATION_ROOM > plane.right - plane.left {
        return Ok(());
    }
    for t in &figure.rotations {
        let x = plane.x(*t);
        canvas.line(&[(x, plane.bottom - 10.0), (x, plane.bottom)], palette::FRAME, 1.5)?;
    }
    Ok(())
}
