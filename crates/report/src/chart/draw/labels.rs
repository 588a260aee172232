//! Places labels on the plot area: each limit beside its line, without overlaps and, if possible, away from the values.

use plotters::backend::DrawingBackend;

use super::plot_area::PlotArea;
use crate::chart::canvas::{Align, Canvas, Position, text_width};
use crate::chart::error::ChartError;
use crate::chart::layout::SMALL_TEXT;
use crate::chart::palette;
use crate::figure::Figure;

/// Height of a line of small text, with padding.
const LINE_HEIGHT: f64 = 26.0;
/// Distance between the middle of a label and its line.
const LABEL_DISTANCE: f64 = 18.0;

/// The box that a label covers.
#[derive(Clone, Copy)]
struct LabelBox {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl LabelBox {
    fn around(text: &str, middle: Position, em: f64) -> Self {
        let half = text_width(text, em) / 2.0 + 3.0;
        Self {
            left: middle.0 - half,
            right: middle.0 + half,
            top: middle.1 - LINE_HEIGHT / 2.0,
            bottom: middle.1 + LINE_HEIGHT / 2.0,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn contains(&self, (x, y): Position) -> bool {
        x > self.left && x < self.right && y > self.top && y < self.bottom
    }
}

/// The boxes of placed labels, and points of the drawn lines, which labels avoid.
pub(super) struct Labels {
    placed: Vec<LabelBox>,
    obstacles: Vec<Position>,
}

impl Labels {
    pub(super) fn new(plot: &PlotArea, figure: &Figure) -> Self {
        let mut obstacles: Vec<Position> = Vec::new();
        for pair in figure.points.windows(2) {
            add_points_between(
                plot.at((pair[0].t_s, pair[0].value)),
                plot.at((pair[1].t_s, pair[1].value)),
                &mut obstacles,
            );
        }
        for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
            if let Some((from, to)) = plot.clipped(from, to) {
                add_points_between(from, to, &mut obstacles);
            }
        }
        if let Some(growth) = &figure.growth {
            let end = (growth.to_s, growth.end(growth.per_min.estimate));
            if let Some((from, to)) = plot.clipped((growth.from_s, growth.from), end) {
                add_points_between(from, to, &mut obstacles);
            }
        }
        Self {
            placed: Vec::new(),
            obstacles,
        }
    }

    /// Reserves the place of a text. Returns false if another label overlaps it.
    pub(super) fn claim(&mut self, text: &str, middle: Position, em: f64) -> bool {
        let place = LabelBox::around(text, middle, em);
        let free = !self.placed.iter().any(|t| t.overlaps(&place));
        if free {
            self.placed.push(place);
        }
        free
    }

    /// Draws each limit beside its line, and those outside the plot area in a corner.
    pub(super) fn limits<DB: DrawingBackend>(
        &mut self,
        canvas: &Canvas<'_, DB>,
        plot: &PlotArea,
        figure: &Figure,
    ) -> Result<(), ChartError> {
        let (above, below) = plot.limits_outside(figure);
        for (rules, side_name, y) in [
            (above, "above", plot.top + LABEL_DISTANCE),
            (below, "below", plot.bottom - LABEL_DISTANCE),
        ] {
            if rules.is_empty() {
                continue;
            }
            let text = format!("{} lies {side_name} this chart", rules.join(" and "));
            let half = text_width(&text, SMALL_TEXT) / 2.0;
            let places = [
                plot.right - half - 8.0,
                plot.left + half + 8.0,
                f64::midpoint(plot.left, plot.right),
            ];
            let nearby = [0.0, LINE_HEIGHT, -LINE_HEIGHT, 2.0 * LINE_HEIGHT, -2.0 * LINE_HEIGHT];
            let candidates = nearby.iter().flat_map(|dy| places.map(|x| ((x, y + dy), 0)));
            self.draw(canvas, plot, &text, candidates)?;
        }
        for limit in &figure.limits {
            let Some((from, to)) = limit.line.and_then(|[from, to]| plot.clipped(from, to)) else {
                continue;
            };
            let half = text_width(&limit.rule, SMALL_TEXT) / 2.0;
            let outside = if limit.ceiling { -LABEL_DISTANCE } else { LABEL_DISTANCE };
            // From the end of the line backwards, on the forbidden side first.
            let first = (from.0.min(to.0 - 2.0 * half) + half + 4.0).max(plot.left + half + 4.0);
            let candidates = (0..12_u8).flat_map(|step| {
                let x = (to.0 - half - 6.0 - f64::from(step) * 80.0)
                    .max(first)
                    .min(plot.right - half - 4.0);
                let share = if to.0 > from.0 {
                    ((x - from.0) / (to.0 - from.0)).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let rise = half * ((to.1 - from.1) / (to.0 - from.0).max(1.0)).abs();
                let y = from.1 + (to.1 - from.1) * share;
                let side = outside + rise.min(60.0) * outside.signum();
                [((x, y + side), usize::from(step)), ((x, y - side), usize::from(step))]
            });
            self.draw(canvas, plot, &limit.rule, candidates)?;
        }
        Ok(())
    }

    /// Draws a text at the free place that covers the fewest values. Each candidate has a penalty for its distance.
    fn draw<DB: DrawingBackend>(
        &mut self,
        canvas: &Canvas<'_, DB>,
        plot: &PlotArea,
        text: &str,
        candidates: impl Iterator<Item = (Position, usize)>,
    ) -> Result<(), ChartError> {
        let place = candidates
            .map(|(at, penalty)| (at, LabelBox::around(text, at, SMALL_TEXT), penalty))
            .filter(|(_, place, _)| place.top >= plot.top && place.bottom <= plot.bottom)
            .filter(|(_, place, _)| !self.placed.iter().any(|t| t.overlaps(place)))
            .min_by_key(|(_, place, penalty)| self.obstacles.iter().filter(|p| place.contains(**p)).count() + penalty);
        let Some((at, place, _)) = place else { return Ok(()) };
        self.placed.push(place);
        canvas.area(
            (place.left, place.top + 2.0),
            (place.right, place.bottom - 2.0),
            palette::WHITE,
            0.8,
        )?;
        canvas.text(text, at, SMALL_TEXT, palette::LIMIT, Align::Center)
    }
}

/// Appends points along a line, closer together than the height of a label.
fn add_points_between(from: Position, to: Position, points: &mut Vec<Position>) {
    const SPACING: f64 = 8.0;
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let count = (length / SPACING).ceil().clamp(1.0, 500.0) as usize;
    for i in 0..=count {
        let share = i as f64 / count as f64;
        points.push((from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share));
    }
}
