//! Colours of charts, equal to the light theme of the page (`html/page.css`; a test compares them).
//!
//! Measured values, growth and limits also differ in brightness and stroke, for readers who do not see colours.

use leakcheck_model::Verdict;

/// A colour as red, green and blue.
pub(crate) type Color = (u8, u8, u8);

pub(crate) const WHITE: Color = (255, 255, 255);
pub(crate) const TEXT: Color = (31, 35, 40);
pub(crate) const MUTED: Color = (89, 99, 110);
pub(crate) const GRID: Color = (227, 231, 235);
pub(crate) const FRAME: Color = (140, 149, 159);
pub(crate) const MEASURED: Color = (9, 88, 200);
pub(crate) const GROWTH: Color = (130, 60, 200);
pub(crate) const LIMIT: Color = (194, 31, 43);
pub(crate) const FAULT: Color = (232, 128, 31);
pub(crate) const UNJUDGED: Color = (110, 119, 129);

/// Returns the colour of a verdict's badge.
pub(crate) fn of_verdict(verdict: Verdict) -> Color {
    match verdict {
        Verdict::Pass => (26, 127, 55),
        Verdict::Fail => LIMIT,
        Verdict::Invalid => (120, 80, 10),
        Verdict::Inconclusive => (138, 90, 0),
    }
}
