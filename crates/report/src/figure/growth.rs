//! The growth that the judge found, as a line through the judged values and the wedge of its interval.

use leakcheck_model::result::Growth;

/// How many times half the width of the densest half of the values a value may lie off the line and still lie on it: 2.7 standard
/// deviations of normal noise, of which the densest half is 1.35 wide.
const ON_THE_LINE: f64 = 4.0;

/// A line with a wedge around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthLine {
    /// First judged moment at which the values lie on it, seconds.
    pub from_s: f64,
    /// Last one.
    pub to_s: f64,
    /// The line's value at the beginning.
    pub from: f64,
    /// Per minute: estimate and interval.
    pub per_min: Growth,
}

impl GrowthLine {
    /// The line of this slope that most values lie on, where they do: growth that began late or stopped is no line through
    /// everything. Its intercept is the median of what the slope leaves over, of those values that lie near the shortest range that
    /// holds half of them (the least median of squares, reweighted: Rousseeuw 1984, *J. Am. Stat. Assoc.* 79, 871).
    #[must_use]
    pub fn through(per_min: Growth, judged: &[(f64, f64)], quantum: f64) -> Option<Self> {
        let begin_s = judged.first()?.0;
        let grown = |t_s: f64| per_min.estimate * (t_s - begin_s) / 60.0;
        let mut rest: Vec<f64> = judged.iter().map(|(t, v)| v - grown(*t)).collect();
        rest.sort_unstable_by(f64::total_cmp);
        let half = rest.len() / 2;
        let (low, high) = rest
            .iter()
            .zip(&rest[half..])
            .min_by(|(a, b), (c, d)| (*b - *a).total_cmp(&(*d - *c)))?;
        let densest = f64::midpoint(*low, *high);
        // One step of the metric is no distance.
        let reach = (ON_THE_LINE * (high - low) / 2.0).max(quantum);
        rest.retain(|rest| (rest - densest).abs() <= reach);
        let middle = *rest.get(rest.len() / 2)?;
        let mut on_it = judged
            .iter()
            .filter(|(t, v)| (v - grown(*t) - middle).abs() <= reach)
            .map(|(t, _)| *t);
        let from_s = on_it.next()?;
        let to_s = on_it.next_back().unwrap_or(from_s);
        Some(Self {
            from_s,
            to_s,
            from: middle + grown(from_s),
            per_min,
        })
    }

    /// The value at the end for a growth of `per_min`.
    #[must_use]
    pub fn end(&self, per_min: f64) -> f64 {
        self.from + per_min * (self.to_s - self.from_s) / 60.0
    }
}
