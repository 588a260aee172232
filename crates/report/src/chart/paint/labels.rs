//! Words on the plane: each limit beside its line, none over another and, where it can be, none over the values.

use plotters::backend::DrawingBackend;

use super::super::ChartError;
use super::super::canvas::{Align, At, Canvas, text_width};
use super::super::palette;
use super::SMALL;
use super::plane::Plane;
use crate::figure::Figure;

/// Height of a line of small text with a little air.
const LINE: f64 = 26.0;
/// How far a label's middle stands from its line.
const AWAY: f64 = 18.0;

#[derive(Clone, Copy)]
struct Box2 {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Box2 {
    fn around(text: &str, middle: At, em: f64) -> Self {
        let half = text_width(text, em) / 2.0 + 3.0;
        Self {
            left: middle.0 - half,
            right: middle.0 + half,
            top: middle.1 - LINE / 2.0,
            bottom: middle.1 + LINE / 2.0,
        }
    }

    fn touches(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn holds(&self, (x, y): At) -> bool {
        x > self.left && x < self.right && y > self.top && y < self.bottom
    }
}

/// Where words are already, and where the values are.
pub(super) struct Labels {
    taken: Vec<Box2>,
    ink: Vec<At>,
}

impl Labels {
    pub(super) fn new(plane: &Plane, figure: &Figure) -> Self {
        let mut ink: Vec<At> = Vec::new();
        for pair in figure.points.windows(2) {
            between(
                plane.at((pair[0].t_s, pair[0].value)),
                plane.at((pair[1].t_s, pair[1].value)),
                &mut ink,
            );
        }
        for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
            if let Some((from, to)) = plane.clipped(from, to) {
                between(from, to, &mut ink);
            }
        }
        if let Some(growth) = &figure.growth {
            let end = (growth.to_s, growth.end(growth.per_min.estimate));
            if let Some((from, to)) = plane.clipped((growth.from_s, growth.from), end) {
                between(from, to, &mut ink);
            }
        }
        Self { taken: Vec::new(), ink }
    }

    /// Takes the place of a text unless words are there already.
    pub(super) fn claim(&mut self, text: &str, middle: At, em: f64) -> bool {
        let place = Box2::around(text, middle, em);
        let free = !self.taken.iter().any(|t| t.touches(&place));
        if free {
            self.taken.push(place);
        }
        free
    }

    /// Writes each limit beside its line, and those off the plane into a corner.
    pub(super) fn limits<DB: DrawingBackend>(
        &mut self,
        canvas: &Canvas<'_, DB>,
        plane: &Plane,
        figure: &Figure,
    ) -> Result<(), ChartError> {
        let (above, below) = plane.levels_outside(figure);
        for (rules, where_to, y) in [
            (above, "above", plane.top + AWAY),
            (below, "below", plane.bottom - AWAY),
        ] {
            if rules.is_empty() {
                continue;
            }
            let text = format!("{} lies {where_to} this chart", rules.join(" and "));
            let half = text_width(&text, SMALL) / 2.0;
            let places = [
                plane.right - half - 8.0,
                plane.left + half + 8.0,
                f64::midpoint(plane.left, plane.right),
            ];
            let nearby = [0.0, LINE, -LINE, 2.0 * LINE, -2.0 * LINE];
            let candidates = nearby.iter().flat_map(|dy| places.map(|x| ((x, y + dy), 0)));
            self.write(canvas, plane, &text, candidates)?;
        }
        for limit in &figure.limits {
            let Some((from, to)) = limit.line.and_then(|[from, to]| plane.clipped(from, to)) else {
                continue;
            };
            let half = text_width(&limit.rule, SMALL) / 2.0;
            let outside = if limit.ceiling { -AWAY } else { AWAY };
            // From the line's end backwards, on the forbidden side first.
            let first = (from.0.min(to.0 - 2.0 * half) + half + 4.0).max(plane.left + half + 4.0);
            let candidates = (0..12_u8).flat_map(|step| {
                let x = (to.0 - half - 6.0 - f64::from(step) * 80.0)
                    .max(first)
                    .min(plane.right - half - 4.0);
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
            self.write(canvas, plane, &limit.rule, candidates)?;
        }
        Ok(())
    }

    /// Writes a text at the free place that covers least of the values; each candidate comes with what it costs to be
    /// far away.
    fn write<DB: DrawingBackend>(
        &mut self,
        canvas: &Canvas<'_, DB>,
        plane: &Plane,
        text: &str,
        candidates: impl Iterator<Item = (At, usize)>,
    ) -> Result<(), ChartError> {
        let place = candidates
            .map(|(at, far)| (at, Box2::around(text, at, SMALL), far))
            .filter(|(_, place, _)| place.top >= plane.top && place.bottom <= plane.bottom)
            .filter(|(_, place, _)| !self.taken.iter().any(|t| t.touches(place)))
            .min_by_key(|(_, place, far)| self.ink.iter().filter(|p| place.holds(**p)).count() + far);
        let Some((at, place, _)) = place else { return Ok(()) };
        self.taken.push(place);
        canvas.area(
            (place.left, place.top + 2.0),
            (place.right, place.bottom - 2.0),
            palette::WHITE,
            0.8,
        )?;
        canvas.text(text, at, SMALL, palette::LIMIT, Align::Center)
    }
}

/// Points along a stroke, close enough that none of its length hides from a box of text.
fn between(from: At, to: At, ink: &mut Vec<At>) {
    const CLOSE: f64 = 8.0;
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let count = (length / CLOSE).ceil().clamp(1.0, 500.0) as usize;
    for i in 0..=count {
        let share = i as f64 / count as f64;
        ink.push((from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share));
    }
}
