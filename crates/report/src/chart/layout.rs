//! Sizes of a chart and of its text, in pixels.

/// Width of a chart.
pub const WIDTH: u32 = 1200;
/// Height of a chart.
pub const HEIGHT: u32 = 500;
/// Size of the text on axes and in the legend: 10 px when the chart is shown 600 px wide.
pub(super) const SMALL_TEXT: f64 = 20.0;
