//! The plot area of a chart: its range of time and values, and the mapping to pixels.

use leakcheck_model::Unit;

use crate::chart::axis::{ValueAxis, value_axis};
use crate::chart::canvas::{Position, text_width};
use crate::chart::layout::{HEIGHT, SMALL_TEXT, WIDTH};
use crate::figure::Figure;

/// Minimum range of an axis of counts; in a smaller one, one more task would look like a jump.
const MIN_COUNTS: f64 = 4.0;
/// Minimum range of an axis of bytes.
const MIN_BYTES: f64 = 256.0 * 1024.0;
/// Minimum range as a share of the values, for the same reason.
const MIN_SHARE: f64 = 0.02;
/// Ranges of the values by which a sloping limit may extend the axis; beyond, its line leaves the plot area.
const SLOPE_EXTENSION: f64 = 8.0;
/// Ranges of the values by which a level limit may extend the axis; beyond, it is named in a corner.
const LEVEL_EXTENSION: f64 = 6.0;
/// Share of the range that stays free below.
const MARGIN_BELOW: f64 = 0.07;
/// Share of the range that stays free above, for the labels of limits.
const MARGIN_ABOVE: f64 = 0.11;

/// Approximate number of ticks on the value axis.
const VALUE_TICKS: usize = 5;
/// Width left of the plot area, unless the labels of the value axis need more.
const MIN_LEFT: f64 = 112.0;

/// The plot area.
pub(super) struct PlotArea {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) times: (f64, f64),
    pub(super) values: (f64, f64),
    pub(super) axis: ValueAxis,
}

impl PlotArea {
    pub(super) fn of(figure: &Figure) -> Self {
        let (from, to) = figure.span_s;
        let values = value_range(figure);
        let whole = figure.points.iter().all(|p| p.value.fract() == 0.0);
        let axis = value_axis(values.0, values.1, figure.unit, VALUE_TICKS, whole);
        let widest = axis
            .ticks
            .iter()
            .map(|t| text_width(&t.label, SMALL_TEXT))
            .fold(0.0, f64::max);
        Self {
            left: MIN_LEFT.max(widest + 16.0).min(f64::from(WIDTH) / 3.0),
            right: f64::from(WIDTH) - 44.0,
            top: 126.0,
            bottom: f64::from(HEIGHT) - 76.0,
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

    pub(super) fn at(&self, (t_s, value): (f64, f64)) -> Position {
        (self.x(t_s), self.y(value))
    }

    /// Returns the position of a point, moved to the edge if it lies outside.
    pub(super) fn clamped(&self, point: (f64, f64)) -> Position {
        let (x, y) = self.at(point);
        (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom))
    }

    /// Returns the part of a straight line that lies inside.
    pub(super) fn clipped(&self, from: (f64, f64), to: (f64, f64)) -> Option<(Position, Position)> {
        let (a, b) = (self.at(from), self.at(to));
        let (mut start, mut end) = (0.0_f64, 1.0_f64);
        // Liang-Barsky: each edge cuts the remaining share of the line.
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

    /// Returns the limits whose lines lie above and below.
    pub(super) fn limits_outside<'f>(&self, figure: &'f Figure) -> (Vec<&'f str>, Vec<&'f str>) {
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

/// Returns the range of the values, extended to the limits unless the values would become flat.
fn value_range(figure: &Figure) -> (f64, f64) {
    let measured = figure.points.iter().map(|p| p.value);
    let (mut low, mut high) = measured.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    let (lowest, highest) = (low, high);
    let min_span = match figure.unit {
        Unit::Count => MIN_COUNTS,
        Unit::Bytes => MIN_BYTES,
    };
    let span = (highest - lowest).max(min_span).max(highest.abs() * MIN_SHARE);
    for [from, to] in figure.limits.iter().filter_map(|l| l.line) {
        let slopes = from.1 != to.1;
        let extension = span * if slopes { SLOPE_EXTENSION } else { LEVEL_EXTENSION };
        for value in [from.1, to.1] {
            let near = value <= highest + extension && value >= lowest - extension;
            if near {
                low = low.min(value);
                high = high.max(value);
            } else if slopes {
                low = low.min(value.max(lowest - extension));
                high = high.max(value.min(highest + extension));
            }
        }
    }
    let missing = (span - (high - low)).max(0.0);
    low -= missing / 2.0;
    high += missing / 2.0;
    let margin = (high - low) * MARGIN_BELOW;
    let floor = if lowest >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    (
        (low - margin).max(floor - margin * 0.5),
        high + (high - low) * MARGIN_ABOVE,
    )
}
