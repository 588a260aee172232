//! When a metric grew, by the checkpoints, and what happened as often meanwhile.

use leakcheck_model::Samples;
use leakcheck_probe::attribution::Course;

/// The share of the growth that a stretch must have to be the time in which it happened.
const MOST: f64 = 0.9;

/// Growth in more than this share of the time is steady: there is no stretch to name.
const STEADY: f64 = 0.5;

/// Values whose median is the level at a moment, so that one sample with a request in flight does not count.
const LEVEL: usize = 3;

/// A moment between which and another one growth is looked for: the baseline, a checkpoint, the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    /// Seconds of the run's clock.
    pub(super) t_s: f64,
    /// What had happened until then.
    pub(super) causes: Causes,
}

/// What a leak may follow: each is a count since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Causes {
    /// Rotations, if the target counts them.
    pub(super) rotations: Option<f64>,
    /// Containers started.
    pub(super) starts: u64,
    /// Faults begun.
    pub(super) faults: u64,
}

impl Causes {
    /// What happened since `earlier`, most telling first: what is rare and goes with the growth explains more than what is always there.
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

/// The level of a metric at a moment: the median of the last values until then.
pub(super) fn level(samples: &Samples, metric: &str, at_s: f64) -> Option<f64> {
    let column = samples.column(metric)?;
    let until = samples.t_s.partition_point(|t| *t <= at_s);
    let mut last: Vec<f64> = column[..until].iter().rev().filter_map(|v| *v).take(LEVEL).collect();
    last.sort_by(f64::total_cmp);
    last.get(last.len() / 2).copied()
}

/// When a metric grew between the first mark and the last one, which is now; marks between them are checkpoints.
pub(super) fn of(samples: &Samples, metric: &str, marks: &[Mark], sample_every_s: f64) -> Course {
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
        return Course::default();
    };
    let levels: Option<Vec<f64>> = marks.iter().map(|m| level(samples, metric, m.t_s)).collect();
    let whole = (last.t_s - first.t_s).max(0.0);
    if let Some((from, to, share)) = levels.as_deref().and_then(|levels| stretch(levels, marks))
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
        return Course {
            when: Some(when),
            share,
            causes: marks[to].causes.since(&marks[from].causes),
        };
    }
    Course {
        when: (whole >= sample_every_s).then(|| format!("in the {whole:.0} s since the baseline")),
        share: 1.0,
        causes: last.causes.since(&first.causes),
    }
}

/// The shortest stretch between two marks that has most of the growth, and its share of it.
fn stretch(levels: &[f64], marks: &[Mark]) -> Option<(usize, usize, f64)> {
    let total = levels.last()? - levels.first()?;
    if total <= 0.0 {
        return None;
    }
    let pairs = (0..levels.len()).flat_map(|from| (from + 1..levels.len()).map(move |to| (from, to)));
    pairs
        .map(|(from, to)| (from, to, (levels[to] - levels[from]) / total))
        .filter(|(_, _, share)| *share >= MOST)
        .min_by(|a, b| (marks[a.1].t_s - marks[a.0].t_s).total_cmp(&(marks[b.1].t_s - marks[b.0].t_s)))
        .map(|(from, to, share)| (from, to, share.min(1.0)))
}

#[cfg(test)]
mod tests {
    use leakcheck_model::{Phase, Sample};

    use super::*;

    /// A minute at 1 Hz with checkpoints each 10 s and 6 rotations a second.
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
    fn growth_that_happened_between_two_checkpoints_is_put_there_with_what_happened_then() {
        let (samples, marks) = minute(|t| if t < 23.0 { 40.0 } else { 90.0 });
        let course = of(&samples, "fds", &marks, 1.0);
        assert_eq!(
            course.when.as_deref(),
            Some("between checkpoint 2 and 3 (20 to 30 s after the baseline)")
        );
        assert_eq!(course.causes, [("container start", 10.0), ("rotation", 60.0)]);
    }

    #[test]
    fn a_late_onset_and_an_early_end_are_told_from_steady_growth() {
        let when = |value: fn(f64) -> f64| {
            let (samples, marks) = minute(value);
            of(&samples, "fds", &marks, 1.0).when.unwrap_or_default()
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
    fn a_metric_that_is_not_sampled_has_a_course_all_the_same() {
        let (samples, marks) = minute(|t| t);
        let course = of(&samples, "children", &marks, 1.0);
        assert_eq!(course.when.as_deref(), Some("in the 60 s since the baseline"));
        assert_eq!(course.causes.last(), Some(&("rotation", 360.0 - 6.0)));
    }
}
