//! Locates the growth of a metric between checkpoints, and counts what else happened then.

use leakcheck_model::Samples;
use leakcheck_probe::attribution::GrowthPeriod;

/// Share of the growth that an interval must contain to be named.
const MIN_SHARE: f64 = 0.9;

/// Growth over more than this share of the time is steady, and no interval is named.
const STEADY: f64 = 0.5;

/// Values whose median is the level, so that one sample with a request in flight does not matter.
const LEVEL_VALUES: usize = 3;

/// The time of the baseline, a checkpoint or the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    /// Seconds of the run's clock.
    pub(super) t_s: f64,
    /// Counts of possible causes until then.
    pub(super) causes: Causes,
}

/// Counts of events that a leak may follow, since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Causes {
    /// Rotations, if the target counts them.
    pub(super) rotations: Option<f64>,
    /// Started containers.
    pub(super) starts: u64,
    /// Begun faults.
    pub(super) faults: u64,
}

impl Causes {
    /// Returns the events since `earlier`, rare kinds first, because they explain growth better than what always happens.
    #[expect(clippy::cast_precision_loss, reason = "containers and faults are few")]
    fn since(&self, earlier: &Self) -> Vec<(&'static str, f64)> {
        let faults = self.faults.saturating_sub(earlier.faults) as f64;
        let starts = self.starts.saturating_sub(earlier.starts) as f64;
        let rotations = self
            .rotations
            .zip(earlier.rotations)
            .map_or(0.0, |(now, then)| now - then);
        [("fault", faults), ("container start", starts), ("rotation", rotations)]
            .into_iter()
            .filter(|(_, n)| *n >= 1.0)
            .collect()
    }
}

/// Returns the level of a metric at `at_s`: the median of the last values until then.
pub(super) fn level(samples: &Samples, metric: &str, at_s: f64) -> Option<f64> {
    let column = samples.column(metric)?;
    let until = samples.t_s.partition_point(|t| *t <= at_s);
    let mut last: Vec<f64> = column[..until]
        .iter()
        .rev()
        .filter_map(|v| *v)
        .take(LEVEL_VALUES)
        .collect();
    last.sort_by(f64::total_cmp);
    last.get(last.len() / 2).copied()
}

/// Locates the growth of a metric between the first and the last mark; the marks between them are checkpoints.
pub(super) fn locate_growth(samples: &Samples, metric: &str, marks: &[Mark], sample_every_s: f64) -> GrowthPeriod {
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
        return GrowthPeriod::default();
    };
    let levels: Option<Vec<f64>> = marks.iter().map(|m| level(samples, metric, m.t_s)).collect();
    let whole = (last.t_s - first.t_s).max(0.0);
    if let Some((from, to, share)) = levels.as_deref().and_then(|levels| interval(levels, marks))
        && marks[to].t_s - marks[from].t_s <= STEADY * whole
    {
        let seconds = |mark: &Mark| mark.t_s - first.t_s;
        let is_end = to == marks.len() - 1;
        let when = match (from, to) {
            (0, to) => format!(
                "before checkpoint {to} ({:.0} s after the baseline)",
                seconds(&marks[to])
            ),
            (from, _) if is_end => format!(
                "after checkpoint {from} ({:.0} s after the baseline)",
                seconds(&marks[from])
            ),
            (from, to) => format!(
                "between checkpoint {from} and {to} ({:.0} to {:.0} s after the baseline)",
                seconds(&marks[from]),
                seconds(&marks[to])
            ),
        };
        return GrowthPeriod {
            when: Some(when),
            share,
            causes: marks[to].causes.since(&marks[from].causes),
        };
    }
    GrowthPeriod {
        when: (whole >= sample_every_s).then(|| format!("in the {whole:.0} s since the baseline")),
        share: 1.0,
        causes: last.causes.since(&first.causes),
    }
}

/// Returns the shortest interval between two marks that contains most of the growth, and its share.
fn interval(levels: &[f64], marks: &[Mark]) -> Option<(usize, usize, f64)> {
    let total = levels.last()? - levels.first()?;
    if total <= 0.0 {
        return None;
    }
    let pairs = (0..levels.len()).flat_map(|from| (from + 1..levels.len()).map(move |to| (from, to)));
    pairs
        .map(|(from, to)| (from, to, (levels[to] - levels[from]) / total))
        .filter(|(_, _, share)| *share >= MIN_SHARE)
        .min_by(|a, b| (marks[a.1].t_s - marks[a.0].t_s).total_cmp(&(marks[b.1].t_s - marks[b.0].t_s)))
        .map(|(from, to, share)| (from, to, share.min(1.0)))
}

#[cfg(test)]
mod tests {
    use leakcheck_model::{Phase, Sample};

    use super::*;

    /// A minute at 1 Hz with a checkpoint every 10 s and 6 rotations a second.
    fn minute(value: impl Fn(f64) -> f64) -> (Samples, Vec<Mark>) {
        let mut samples = Samples::new(vec!["fds".into(), "rotations".into()]);
        for t in 0..=60 {
            let t_s = f64::from(t);
            let values = vec![Some(value(t_s)), Some(6.0 * t_s)];
            let phase = Phase::Measure;
            samples.push(&Sample { t_s, phase, values });
        }
        let mark = |t_s: f64| Mark {
            t_s,
            causes: Causes {
                rotations: level(&samples, "rotations", t_s),
                starts: if t_s > 25.0 { 22 } else { 12 },
                faults: 0,
            },
        };
        let marks = (0..=6).map(|i| mark(f64::from(i) * 10.0)).collect();
        (samples, marks)
    }

    #[test]
    fn growth_between_two_checkpoints_is_located_with_its_causes() {
        let (samples, marks) = minute(|t| if t < 23.0 { 40.0 } else { 90.0 });
        let period = locate_growth(&samples, "fds", &marks, 1.0);
        assert_eq!(
            period.when.as_deref(),
            Some("between checkpoint 2 and 3 (20 to 30 s after the baseline)")
        );
        assert_eq!(period.causes, [("container start", 10.0), ("rotation", 60.0)]);
    }

    #[test]
    fn late_and_early_growth_is_distinguished_from_steady_growth() {
        let when = |value: fn(f64) -> f64| {
            let (samples, marks) = minute(value);
            locate_growth(&samples, "fds", &marks, 1.0).when.unwrap_or_default()
        };
        assert_eq!(
            when(|t| 40.0 + (t - 40.0).max(0.0)),
            "after checkpoint 4 (40 s after the baseline)"
        );
        assert_eq!(
            when(|t| 40.0 + t.min(12.0)),
            "before checkpoint 2 (20 s after the baseline)"
        );
        assert_eq!(when(|t| 40.0 + t), "in the 60 s since the baseline");
    }

    #[test]
    fn growth_of_a_metric_without_samples_spans_the_whole_time() {
        let (samples, marks) = minute(|t| t);
        let period = locate_growth(&samples, "children", &marks, 1.0);
        assert_eq!(period.when.as_deref(), Some("in the 60 s since the baseline"));
        assert_eq!(period.causes.last(), Some(&("rotation", 360.0 - 6.0)));
    }
}
