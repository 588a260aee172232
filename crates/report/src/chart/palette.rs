//! The colours of charts. Measured, growth and limit differ in brightness and in stroke too, for eyes that see no colour.

use leakcheck_model::Verdict;

/// Red, green, blue.
pub(super) type Color = (u8, u8, u8);

pub(super) const WHITE: Color = (255, 255, 255);
pub(super) const INK: Color = (31, 35, 40);
pub(super) const QUIET: Color = (89, 99, 110);
pub(super) const GRID: Color = (222, 226, 230);
pub(super) const FRAME: Color = (140, 149, 159);
pub(super) const MEASURED: Color = (9, 88, 200);
pub(super) const GROWTH: Color = (130, 60, 200);
pub(super) const LIMIT: Color = (207, 34, 46);
pub(super) const FAULT: Color = (240, 140, 40);
pub(super) const UNJUDGED: Color = (110, 119, 129);

/// The badge of a verdict.
pub(super) fn of_verdict(verdict: Verdict) -> Color {
    match verdict {
        Verdict::Pass => (26, 127, 55),
        Verdict::Fail => LIMIT,
        Verdict::Invalid => (120, 80, 10),
        Verdict::Inconclusive => (154, 103, 0),
    }
}
