//! Rotations in the judged part: counted, planned and expected.

use leakcheck_model::Record;

use super::judged_part::{JudgedPart, values};
use crate::blocks::whole_rotations;

/// Returns the running increase of a counter. A missing value repeats the increase so far.
///
/// A fall to less than half is a restart from zero, after which the whole value counts. A smaller fall is one series that left
/// a sum, and counts nothing.
pub(super) fn running_increase(values: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let mut last: Option<f64> = None;
    let mut total = 0.0;
    values
        .map(|value| {
            if let Some(value) = value {
                total += match last {
                    None => 0.0,
                    Some(last) if value >= last => value - last,
                    Some(last) if value < last / 2.0 => value,
                    Some(_) => 0.0,
                };
                last = Some(value);
            }
            total
        })
        .collect()
}

/// Returns the increase of a counter over the judged part.
pub(super) fn increase(record: &Record, metric: &str) -> Option<f64> {
    let values = values(record, metric);
    running_increase(values.into_iter().map(Some)).last().copied()
}

/// Returns the rotations so far at each sample of `metric`; `None` if rotations were not counted.
pub(super) fn at_samples_of(record: &Record, judged: &JudgedPart, metric: &str) -> Option<Vec<f64>> {
    let (column, rotations) = (record.samples.column(metric)?, record.samples.column("rotations")?);
    let counted = running_increase(judged.rows.iter().map(|&i| rotations[i]));
    let pairs = judged.rows.iter().zip(counted).filter(|&(&i, _)| column[i].is_some());
    rotations
        .iter()
        .any(Option::is_some)
        .then(|| pairs.map(|(_, r)| r).collect())
}

/// Returns the whole rotations of one container in `seconds`.
pub(super) fn whole(period_s: f64, seconds: f64) -> f64 {
    whole_rotations(seconds, period_s) as f64
}

/// Returns the number of rotating containers and the seconds between the rotations of one of them, as planned.
pub(super) fn planned(record: &Record) -> Option<(f64, f64)> {
    let plan = record.plan.as_ref()?;
    let containers = plan.containers as f64;
    // The period may come from the command line, for a stored run as well.
    plan.rotations_per_s
        .filter(|_| containers > 0.0)
        .and(record.rotation_period_s)
        .map(|period_s| (containers, period_s))
}

/// Returns the rotations expected by the schedule in the judged part: the whole ones of each container.
pub(super) fn expected(record: &Record, judged: &JudgedPart) -> Option<f64> {
    let (containers, period_s) = planned(record)?;
    Some(containers * whole(period_s, judged.length_s()))
}

/// Returns the number of containers in the judged part, if it did not change.
pub(super) fn steady_containers(record: &Record, judged: &JudgedPart) -> Option<f64> {
    let column = record.samples.column("containers")?;
    let mut counts = judged.rows.iter().filter_map(|&i| column[i]);
    let first = counts.next().filter(|n| *n >= 1.0)?;
    counts.all(|n| (n - first).abs() < 0.5).then_some(first)
}

/// Returns the rotations counted per container in the judged part.
///
/// `None` if rotations were not counted or if containers came and went: one that ends before its first rotation is
/// healthy.
pub(super) fn per_container(record: &Record, judged: &JudgedPart) -> Option<f64> {
    Some(increase(record, "rotations")? / steady_containers(record, judged)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_counts_from_zero_and_a_series_that_went_away_counts_nothing() {
        let total = |values: &[f64]| running_increase(values.iter().copied().map(Some)).last().copied();
        assert_eq!(total(&[10.0, 20.0, 30.0]), Some(20.0));
        assert_eq!(total(&[10.0, 20.0, 3.0, 5.0]), Some(15.0));
        assert_eq!(total(&[500.0, 490.0, 495.0]), Some(5.0));
        // Half is not less than half.
        assert_eq!(total(&[10.0, 5.0]), Some(0.0));
        assert_eq!(total(&[10.0, 4.9]), Some(4.9));
    }

    #[test]
    fn a_missing_value_repeats_the_increase_and_is_not_zero() {
        assert_eq!(
            running_increase([Some(5.0), None, Some(9.0)].into_iter()),
            [0.0, 0.0, 4.0]
        );
    }
}
