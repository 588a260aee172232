//! Decides whether a snapshot is worth taking: a limited metric has grown beyond its limit by the difference of its ends.
//!
//! This is cheaper than the judge, and a needless snapshot costs milliseconds.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::{Phase, Samples};

/// Samples at either end whose median is taken.
const END_SAMPLES: usize = 5;

/// Returns true if a metric seems to exceed its limit.
pub(super) fn suspects_growth(limits: &[(String, Limit)], samples: &Samples) -> bool {
    limits.iter().any(|(metric, limit)| exceeds(metric, limit, samples))
}

fn exceeds(metric: &str, limit: &Limit, samples: &Samples) -> bool {
    let Bound::Number(bound) = limit.bound else {
        return false;
    };
    let judged: Vec<(f64, f64)> = samples.series(metric, Phase::is_judged).collect();
    if !limit.comparison.is_ceiling() || judged.len() < 2 * END_SAMPLES {
        return false;
    }
    let (first, last) = (
        median_point(&judged[..END_SAMPLES]),
        median_point(&judged[judged.len() - END_SAMPLES..]),
    );
    let net = last.1 - first.1;
    let measured = match limit.statistic {
        Statistic::GrowthPerMin | Statistic::EndpointPerMin => net / ((last.0 - first.0) / 60.0),
        Statistic::PerRotation => {
            let rotations: Vec<f64> = samples.series("rotations", Phase::is_judged).map(|(_, v)| v).collect();
            let count = rotations
                .last()
                .zip(rotations.first())
                .map_or(0.0, |(now, then)| now - then);
            net / count.max(1.0)
        }
        // A value that must return to its level is suspect as soon as it exceeds that.
        Statistic::Growth | Statistic::Drained => net,
        Statistic::Max | Statistic::Last | Statistic::Mean => last.1,
        _ => return false,
    };
    !limit.comparison.holds(measured, bound)
}

/// Returns the median of the times and of the values.
fn median_point(points: &[(f64, f64)]) -> (f64, f64) {
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = points.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    (median(|p| p.0), median(|p| p.1))
}

#[cfg(test)]
mod tests {
    use leakcheck_model::Sample;

    use super::*;

    fn suspects(rule: &str, value: impl Fn(f64) -> f64) -> bool {
        let mut samples = Samples::new(vec!["fds".into(), "rotations".into()]);
        for t in 0..60 {
            let t_s = f64::from(t);
            let values = vec![Some(value(t_s)), Some(t_s * 4.0)];
            let phase = Phase::Measure;
            samples.push(&Sample { t_s, phase, values });
        }
        suspects_growth(&[("fds".into(), rule.parse().expect("a limit"))], &samples)
    }

    #[test]
    fn growth_beyond_any_kind_of_limit_is_suspect() {
        for rule in [
            "growth_per_min < 30",
            "endpoint_per_min < 30",
            "per_rotation < 0.2",
            "growth < 40",
            "drained <= 5",
            "max <= 90",
        ] {
            assert!(suspects(rule, |t| 40.0 + t), "{rule}");
            assert!(!suspects(rule, |_| 40.0), "{rule}");
        }
    }

    #[test]
    fn an_outlier_and_a_lower_limit_are_not_suspect() {
        assert!(!suspects("growth_per_min < 30", |t| if t < 59.0 {
            40.0
        } else {
            400.0
        }));
        assert!(!suspects("min >= 100", |t| 40.0 + t));
    }
}
