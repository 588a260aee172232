//! Draws lines, boxes and text in pixels of the chart; the only file that uses plotters' elements.

use std::sync::OnceLock;

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, IntoTextStyle as _, RGBAColor, RGBColor, ShapeStyle,
};

use super::error::ChartError;
use super::palette::Color;

/// Factor by which a chart is drawn larger than it is shown.
pub(super) const SCALE: u32 = 2;
/// Line height in ems: plotters' font size is the line height, and its SVG backend divides by this.
const LINE_HEIGHT: f64 = 1.24;
/// Factor by which a viewer's sans-serif font may be wider than the measured one (DejaVu Sans, Verdana).
const WIDER_FONT: f64 = 1.16;

/// A position in pixels.
pub(super) type Position = (f64, f64);

/// Horizontal alignment of text to its position.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Registers the built-in font, which drawing needs.
pub(super) fn register_font() -> Result<(), ChartError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    REGISTERED
        .get_or_init(|| plotters::style::register_font("sans-serif", FontStyle::Normal, font).is_ok())
        .then_some(())
        .ok_or(ChartError::Font)
}

/// Returns the largest width of a text over the usual fonts.
pub(super) fn text_width(text: &str, em: f64) -> f64 {
    let font = FontDesc::new(FontFamily::SansSerif, em * LINE_HEIGHT * 10.0, FontStyle::Normal);
    let width = font
        .box_size(text)
        .map_or(text.len() as f64 * em * 6.0, |(w, _)| f64::from(w));
    width / 10.0 * WIDER_FONT
}

/// A drawing surface.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    quirks: BackendQuirks,
}

/// Differences between plotters' backends that the canvas compensates for.
#[derive(Clone, Copy)]
pub(super) struct BackendQuirks {
    /// Distance, in ems, by which text is moved down so that capitals are centred.
    pub(super) text_drop_em: f64,
    /// Draws text twice, half a pixel apart, because the built-in font is light.
    pub(super) bold_text: bool,
    /// Draws each segment of a line alone, because the bitmap backend narrows joined lines at sharp turns.
    pub(super) split_lines: bool,
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>, quirks: BackendQuirks) -> Self {
        Self { area, quirks }
    }

    pub(super) fn fill(&self, color: Color) -> Result<(), ChartError> {
        self.area
            .fill(&RGBColor(color.0, color.1, color.2))
            .map_err(ChartError::draw)
    }

    /// Draws a line through points.
    pub(super) fn line(&self, points: &[Position], color: Color, width: f64) -> Result<(), ChartError> {
        let style = stroke(color, width);
        let segment = if self.quirks.split_lines { 2 } else { points.len() };
        for stroke in points.windows(segment.clamp(1, points.len().max(1))) {
            let path = PathElement::new(stroke.iter().map(|p| px(*p)).collect::<Vec<_>>(), style);
            self.area.draw(&path).map_err(ChartError::draw)?;
        }
        Ok(())
    }

    /// Draws a straight dashed line.
    pub(super) fn dashed(&self, from: Position, to: Position, color: Color, width: f64) -> Result<(), ChartError> {
        const DASH: f64 = 9.0;
        const SPACE: f64 = 6.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |d: f64| {
            let share = (d / length).min(1.0);
            (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
        };
        let mut at = 0.0;
        while at < length {
            self.line(&[along(at), along(at + DASH)], color, width)?;
            at += DASH + SPACE;
        }
        Ok(())
    }

    /// Draws a filled box.
    pub(super) fn area(&self, from: Position, to: Position, color: Color, opacity: f64) -> Result<(), ChartError> {
        let style = ShapeStyle::from(&mixed(color, opacity)).filled();
        self.area
            .draw(&Rectangle::new([px(from), px(to)], style))
            .map_err(ChartError::draw)
    }

    /// Draws a filled polygon.
    pub(super) fn polygon(&self, corners: &[Position], color: Color, opacity: f64) -> Result<(), ChartError> {
        let corners: Vec<_> = corners.iter().map(|p| px(*p)).collect();
        self.area
            .draw(&Polygon::new(corners, mixed(color, opacity)))
            .map_err(ChartError::draw)
    }

    /// Draws a dot with a rim.
    pub(super) fn dot(&self, at: Position, radius: f64, inside: Color, rim: Color) -> Result<(), ChartError> {
        for (radius, color) in [(radius, rim), (radius - 1.5, inside)] {
            let style = ShapeStyle::from(&RGBColor(color.0, color.1, color.2)).filled();
            let circle = Circle::new(px(at), radius * f64::from(SCALE), style);
            self.area.draw(&circle).map_err(ChartError::draw)?;
        }
        Ok(())
    }

    /// Draws a line of text, vertically centred at `at`.
    pub(super) fn text(&self, text: &str, at: Position, em: f64, color: Color, align: Align) -> Result<(), ChartError> {
        let h = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let size = em * LINE_HEIGHT * f64::from(SCALE);
        let rgb = RGBColor(color.0, color.1, color.2);
        let style = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal)
            .into_text_style(self.area)
            .color(&rgb)
            .pos(Pos::new(h, VPos::Center));
        let at = (at.0, at.1 + em * self.quirks.text_drop_em);
        let twice = (at.0 + 1.0 / f64::from(SCALE), at.1);
        for at in [Some(at), self.quirks.bold_text.then_some(twice)].into_iter().flatten() {
            let drawn = Text::new(text.to_owned(), px(at), style.clone());
            self.area.draw(&drawn).map_err(ChartError::draw)?;
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "pixels; out of range saturates and is clipped"
)]
fn px((x, y): Position) -> (i32, i32) {
    let scale = f64::from(SCALE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a line is a few pixels wide"
)]
fn stroke(color: Color, width: f64) -> ShapeStyle {
    let width = (width * f64::from(SCALE)).round().max(1.0) as u32;
    ShapeStyle::from(&RGBColor(color.0, color.1, color.2)).stroke_width(width)
}

fn mixed(color: Color, opacity: f64) -> RGBAColor {
    RGBColor(color.0, color.1, color.2).mix(opacity)
}
