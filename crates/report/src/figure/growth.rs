//! The growth measured by the judge, as a line through the judged values and a wedge for its interval.

use leakcheck_model::result::Growth;

/// Distance at which a value still belongs to the line, in half-widths of the shortest range that holds half of the values. For
/// normal noise that is 2.7 standard deviations.
const MAX_DISTANCE: f64 = 4.0;

/// A line with a wedge around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthLine {
    /// Time of the first judged value on the line, in seconds.
    pub from_s: f64,
    /// Time of the last one.
    pub to_s: f64,
    /// The line's value at `from_s`.
    pub from: f64,
    /// Estimate and interval of the growth per minute.
    pub per_min: Growth,
}

impl GrowthLine {
    /// Fits a line of the given slope through most of the values, and limits it to the time in which they lie on it: growth may
    /// begin late or stop. The intercept is the median residual near the shortest range that holds half of the residuals
    /// (reweighted least median of squares: Rousseeuw 1984, *J. Am. Stat. Assoc.* 79, 871).
    #[must_use]
    pub fn through(per_min: Growth, judged: &[(f64, f64)], quantum: f64) -> Option<Self> {
        let begin_s = judged.first()?.0;
        let grown = |t_s: f64| per_min.estimate * (t_s - begin_s) / 60.0;
        let mut residuals: Vec<f64> = judged.iter().map(|(t, v)| v - grown(*t)).collect();
        residuals.sort_unstable_by(f64::total_cmp);
        let half = residuals.len() / 2;
        let (low, high) = residuals
            .iter()
            .zip(&residuals[half..])
            .min_by(|(a, b), (c, d)| (*b - *a).total_cmp(&(*d - *c)))?;
        let densest = f64::midpoint(*low, *high);
        // Values are at least one step of the metric apart.
        let max_distance = (MAX_DISTANCE * (high - low) / 2.0).max(quantum);
        residuals.retain(|residual| (residual - densest).abs() <= max_distance);
        let middle = *residuals.get(residuals.len() / 2)?;
        let mut times = judged
            .iter()
            .filter(|(t, v)| (v - grown(*t) - middle).abs() <= max_distance)
            .map(|(t, _)| *t);
        let from_s = times.next()?;
        let to_s = times.next_back().unwrap_or(from_s);
        Some(Self {
            from_s,
            to_s,
            from: middle + grown(from_s),
            per_min,
        })
    }

    /// Returns the line's value at `to_s` for a growth of `per_min`.
    #[must_use]
    pub fn end(&self, per_min: f64) -> f64 {
        self.from + per_min * (self.to_s - self.from_s) / 60.0
    }
}
