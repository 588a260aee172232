//! The plane of a chart: which seconds and which values it shows, and where on the picture they are.

use super::super::axis::{ValueAxis, value_axis};
use super::super::canvas::{At, text_width};
use super::SMALL;
use crate::figure::Figure;
use crate::quantity::Unit;

/// Fewest counts that an axis spans: less, and one more task would look like a cliff.
const LEAST_COUNTS: f64 = 4.0;
/// Fewest bytes that an axis spans.
const LEAST_BYTES: f64 = 256.0 * 1024.0;
/// Smallest span as a share of the level, for the same reason.
const LEAST_SHARE: f64 = 0.02;
/// A sloping limit may make the axis this many times higher than the values need; then it leaves at the top.
const ROOM_FOR_SLOPES: f64 = 8.0;
/// A level limit further away than this many spans of the values is named in a corner instead.
const ROOM_FOR_LEVELS: f64 = 6.0;
/// Share of the span left free below.
const AIR: f64 = 0.07;
/// And above, where the words of a limit must fit over its line.
const AIR_ABOVE: f64 = 0.11;

/// Ticks that fit on the axis of values without touching.
const VALUE_TICKS: usize = 5;
/// Room at the left for the numbers of most axes; longer ones get what they need.
const LEFT: f64 = 112.0;

/// The plane.
pub(super) struct Plane {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) times: (f64, f64),
    pub(super) values: (f64, f64),
    pub(super) axis: ValueAxis,
}

impl Plane {
    pub(super) fn of(figure: &Figure) -> Self {
        let (from, to) = figure.span_s;
        let values = value_range(figure);
        let whole = figure.points.iter().all(|p| p.value.fract() == 0.0);
        let axis = value_axis(values.0, values.1, figure.unit, VALUE_TICKS, whole);
        let widest = axis
            .ticks
            .iter()
            .map(|t| text_width(&t.label, SMALL))
            .fold(0.0, f64::max);
        Self {
            left: LEFT.max(widest + 16.0).min(f64::from(super::super::WIDTH) / 3.0),
            right: f64::from(super::super::WIDTH) - 44.0,
            top: 126.0,
            bottom: f64::from(super::super::HEIGHT) - 76.0,
            times: (from, if to > from { to } else { from + 1.0 }),
            values,
            axis,
        }
    }

    pub(super) fn x(&self, t_s: f64) -> f64 {
        let (from, to) = self.times;
        self.left + (t_s - from) / (to - from) * (self.right - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        self.bottom - (value - low) / (high - low) * (self.bottom - self.top)
    }

    pub(super) fn at(&self, (t_s, value): (f64, f64)) -> At {
        (self.x(t_s), self.y(value))
    }

    /// The same, moved onto the plane's edge if it lies outside.
    pub(super) fn inside(&self, point: (f64, f64)) -> At {
        let (x, y) = self.at(point);
        (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom))
    }

    /// The part of a straight line that lies on the plane.
    pub(super) fn clipped(&self, from: (f64, f64), to: (f64, f64)) -> Option<(At, At)> {
        let (a, b) = (self.at(from), self.at(to));
        let (mut start, mut end) = (0.0_f64, 1.0_f64);
        // Liang-Barsky: each edge cuts the share of the line that is left.
        for (position, step, low, high) in [
            (a.0, b.0 - a.0, self.left, self.right),
            (a.1, b.1 - a.1, self.top, self.bottom),
        ] {
            if step == 0.0 {
                if position < low || position > high {
                    return None;
                }
                continue;
            }
            let (enter, leave) = ((low - position) / step, (high - position) / step);
            start = start.max(enter.min(leave));
            end = end.min(enter.max(leave));
        }
        let along = |share: f64| (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share);
        (start < end).then(|| (along(start), along(end)))
    }

    /// The level limits that lie above and below the plane.
    pub(super) fn levels_outside<'f>(&self, figure: &'f Figure) -> (Vec<&'f str>, Vec<&'f str>) {
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for limit in &figure.limits {
            let Some([from, to]) = limit.line else { continue };
            if self.clipped(from, to).is_some() {
                continue;
            }
            if from.1 > self.values.1 {
                above.push(limit.rule.as_str());
            } else {
                below.push(limit.rule.as_str());
            }
        }
        (above, below)
    }
}

/// From the values, with the limits where they do not squash them.
fn value_range(figure: &Figure) -> (f64, f64) {
    let measured = figure.points.iter().map(|p| p.value);
    let (mut low, mut high) = measured.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    let (lowest, highest) = (low, high);
    let least = match figure.unit {
        Unit::Count => LEAST_COUNTS,
        Unit::Bytes => LEAST_BYTES,
    };
    let span = (highest - lowest).max(least).max(highest.abs() * LEAST_SHARE);
    for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
        let slopes = from.1 != to.1;
        let room = span * if slopes { ROOM_FOR_SLOPES } else { ROOM_FOR_LEVELS };
        for value in [from.1, to.1] {
            let near = value <= highest + room && value >= lowest - room;
            if near {
                low = low.min(value);
                high = high.max(value);
            } else if slopes {
                low = low.min(value.max(lowest - room));
                high = high.max(value.min(highest + room));
            }
        }
    }
    let missing = (span - (high - low)).max(0.0);
    low -= missing / 2.0;
    high += missing / 2.0;
    let air = (high - low) * AIR;
    let floor = if lowest >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    ((low - air).max(floor - air * 0.5), high + (high - low) * AIR_ABOVE)
}
