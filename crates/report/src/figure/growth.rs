//! The growth that the judge found, as a line through the judged values and the wedge of its interval.

use leakcheck_model::result::Growth;

/// A line with a wedge around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthLine {
    /// Beginning of the judged part, seconds.
    pub from_s: f64,
    /// Its end, seconds.
    pub to_s: f64,
    /// The line's value at the beginning.
    pub from: f64,
    /// Per minute: estimate and interval.
    pub per_min: Growth,
}

impl GrowthLine {
    /// The line of this slope that has half the values above it and half below (the intercept that goes with
    /// Theil's slope: the median of what the slope leaves over).
    #[must_use]
    pub fn through(per_min: Growth, judged: &[(f64, f64)]) -> Option<Self> {
        let (from_s, to_s) = (judged.first()?.0, judged.last()?.0);
        let mut rest: Vec<f64> = judged
            .iter()
            .map(|(t, v)| v - per_min.estimate * (t - from_s) / 60.0)
            .collect();
        let middle = rest.len() / 2;
        let from = *rest.select_nth_unstable_by(middle, f64::total_cmp).1;
        Some(Self {
            from_s,
            to_s,
            from,
            per_min,
        })
    }

    /// The value at the end for a growth of `per_min`.
    #[must_use]
    pub fn end(&self, per_min: f64) -> f64 {
        self.from + per_min * (self.to_s - self.from_s) / 60.0
    }
}
