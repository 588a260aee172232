//! Whether it is worth while to look closely: a limited metric has, by the plain difference of its two ends, grown beyond its limit.
//!
//! Not the judge's word: it is said cheaply, at each checkpoint, and a look too many costs milliseconds.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::{Phase, Samples};

/// Samples at either end whose median is the end.
const END: usize = 5;

/// Whether any limit looks exceeded.
pub(super) fn is_due(limits: &[(String, Limit)], samples: &Samples) -> bool {
    limits.iter().any(|(metric, limit)| exceeds(metric, limit, samples))
}

fn exceeds(metric: &str, limit: &Limit, samples: &Samples) -> bool {
    let Bound::Number(bound) = limit.bound else {
        return false;
    };
    let judged: Vec<(f64, f64)> = samples.series(metric, Phase::is_judged).collect();
    if !limit.comparison.is_ceiling() || judged.len() < 2 * END {
        return false;
    }
    let (first, last) = (middle(&judged[..END]), middle(&judged[judged.len() - END..]));
    let net = last.1 - first.1;
    let measured = match limit.statistic {
        Statistic::GrowthPerMin | Statistic::EndpointPerMin => net / ((last.0 - first.0) / 60.0),
        Statistic::PerRotation => {
            let rotations: Vec<f64> = samples.series("rotations", Phase::is_judged).map(|(_, v)| v).collect();
            let turned = rotations
                .last()
                .zip(rotations.first())
                .map_or(0.0, |(now, then)| now - then);
            net / turned.max(1.0)
        }
        // What must drain away once the load is gone is suspect as soon as it is more than that.
        Statistic::Growth | Statistic::Drained => net,
        Statistic::Max | Statistic::Last | Statistic::Mean => last.1,
        _ => return false,
    };
    !limit.comparison.holds(measured, bound)
}

/// The median of times and that of values.
fn middle(points: &[(f64, f64)]) -> (f64, f64) {
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

    fn due(rule: &str, value: impl Fn(f64) -> f64) -> bool {
        let mut samples = Samples::new(vec!["fds".into(), "rotations".into()]);
        for t in 0..60 {
            let t_s = f64::from(t);
            let values = vec![Some(value(t_s)), Some(t_s * 4.0)];
            let phase = Phase::Measure;
            samples.push(&Sample { t_s, phase, values });
        }
        is_due(&[("fds".into(), rule.parse().expect("a limit"))], &samples)
    }

    #[test]
    fn growth_beyond_a_limit_is_suspect_whatever_the_limit_is_on() {
        for rule in [
            "growth_per_min < 30",
            "endpoint_per_min < 30",
            "per_rotation < 0.2",
            "growth < 40",
            "drained <= 5",
            "max <= 90",
        ] {
            assert!(due(rule, |t| 40.0 + t), "{rule}");
            assert!(!due(rule, |_| 40.0), "{rule}");
        }
    }

    #[test]
    fn one_sample_that_stands_out_and_a_floor_are_not_suspect() {
        assert!(!due("growth_per_min < 30", |t| if t < 59.0 { 40.0 } else { 400.0 }));
        assert!(!due("min >= 100", |t| 40.0 + t));
    }
}
