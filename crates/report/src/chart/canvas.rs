//! Lines, boxes and text in the chart's own pixels; the only file that speaks plotters.

use std::sync::OnceLock;

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, IntoTextStyle as _, RGBAColor, RGBColor, ShapeStyle,
};

use super::ChartError;
use super::palette::Color;

/// Drawn this many times larger than shown.
pub(super) const SCALE: u32 = 2;
/// The em of a font of plotters' size 1 (its layout divides by it; SVG gets the em, PNG the line height).
const LINE_HEIGHT: f64 = 1.24;
/// A viewer's own sans-serif may be this much wider than the font that we measure with (DejaVu Sans, Verdana).
const WIDER_FONT: f64 = 1.16;

/// A corner or a point of a stroke.
pub(super) type At = (f64, f64);

/// Where text stands relative to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Registers the built-in font; nothing can be drawn before.
pub(super) fn register_font() -> Result<(), ChartError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    REGISTERED
        .get_or_init(|| plotters::style::register_font("sans-serif", FontStyle::Normal, font).is_ok())
        .then_some(())
        .ok_or(ChartError::Font)
}

pub(super) fn failed(error: impl std::fmt::Display) -> ChartError {
    ChartError::Draw(error.to_string())
}

/// How wide a text may become, whichever font draws it.
pub(super) fn text_width(text: &str, em: f64) -> f64 {
    let font = FontDesc::new(FontFamily::SansSerif, em * LINE_HEIGHT * 10.0, FontStyle::Normal);
    let width = font
        .box_size(text)
        .map_or(text.len() as f64 * em * 6.0, |(w, _)| f64::from(w));
    width / 10.0 * WIDER_FONT
}

/// Something to draw on.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    hand: Hand,
}

/// What a backend does in its own way.
#[derive(Clone, Copy)]
pub(super) struct Hand {
    /// How far text must sink, in ems, for capitals to stand in the middle of their line.
    pub(super) sink: f64,
    /// Text is drawn twice, half a pixel apart: the built-in font is a light one.
    pub(super) bolder: bool,
    /// Strokes are drawn piece by piece: the bitmap's joined strokes lose their width at sharp turns.
    pub(super) by_pieces: bool,
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>, hand: Hand) -> Self {
        Self { area, hand }
    }

    pub(super) fn fill(&self, color: Color) -> Result<(), ChartError> {
        self.area.fill(&RGBColor(color.0, color.1, color.2)).map_err(failed)
    }

    /// A stroke through points.
    pub(super) fn line(&self, points: &[At], color: Color, width: f64) -> Result<(), ChartError> {
        let style = stroke(color, width);
        let piece = if self.hand.by_pieces { 2 } else { points.len() };
        for stroke in points.windows(piece.clamp(1, points.len().max(1))) {
            let path = PathElement::new(stroke.iter().map(|p| px(*p)).collect::<Vec<_>>(), style);
            self.area.draw(&path).map_err(failed)?;
        }
        Ok(())
    }

    /// A straight dashed stroke.
    pub(super) fn dashed(&self, from: At, to: At, color: Color, width: f64) -> Result<(), ChartError> {
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

    /// A filled box.
    pub(super) fn area(&self, from: At, to: At, color: Color, opacity: f64) -> Result<(), ChartError> {
        let style = ShapeStyle::from(&mixed(color, opacity)).filled();
        self.area
            .draw(&Rectangle::new([px(from), px(to)], style))
            .map_err(failed)
    }

    /// A filled shape.
    pub(super) fn shape(&self, corners: &[At], color: Color, opacity: f64) -> Result<(), ChartError> {
        let corners: Vec<_> = corners.iter().map(|p| px(*p)).collect();
        self.area
            .draw(&Polygon::new(corners, mixed(color, opacity)))
            .map_err(failed)
    }

    /// A dot with a rim.
    pub(super) fn dot(&self, at: At, radius: f64, inside: Color, rim: Color) -> Result<(), ChartError> {
        for (radius, color) in [(radius, rim), (radius - 1.5, inside)] {
            let style = ShapeStyle::from(&RGBColor(color.0, color.1, color.2)).filled();
            let circle = Circle::new(px(at), radius * f64::from(SCALE), style);
            self.area.draw(&circle).map_err(failed)?;
        }
        Ok(())
    }

    /// A line of text; `at` is its middle in height.
    pub(super) fn text(&self, text: &str, at: At, em: f64, color: Color, align: Align) -> Result<(), ChartError> {
        let h = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let size = em * LINE_HEIGHT * f64::from(SCALE);
        let ink = RGBColor(color.0, color.1, color.2);
        let style = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal)
            .into_text_style(self.area)
            .color(&ink)
            .pos(Pos::new(h, VPos::Center));
        let at = (at.0, at.1 + em * self.hand.sink);
        let twice = (at.0 + 1.0 / f64::from(SCALE), at.1);
        for at in [Some(at), self.hand.bolder.then_some(twice)].into_iter().flatten() {
            let drawn = Text::new(text.to_owned(), px(at), style.clone());
            self.area.draw(&drawn).map_err(failed)?;
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "pixels of a picture; out of range saturates and is clipped"
)]
fn px((x, y): At) -> (i32, i32) {
    let scale = f64::from(SCALE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a stroke's width is a few pixels"
)]
fn stroke(color: Color, width: f64) -> ShapeStyle {
    let width = (width * f64::from(SCALE)).round().max(1.0) as u32;
    ShapeStyle::from(&RGBColor(color.0, color.1, color.2)).stroke_width(width)
}

fn mixed(color: Color, opacity: f64) -> RGBAColor {
    RGBColor(color.0, color.1, color.2).mix(opacity)
}
