//! The schedule of interim analyses.
//!
//! The analyses are fixed before the run, because each of them spends a share of the error.

/// Seconds between interim analyses. Once a minute finds an explosive leak within two minutes of its onset. The
/// analyses of one run are so similar that more of them hardly add error (measured in `judge_quality`).
const EVERY_S: f64 = 60.0;

/// Earliest interim analysis, seconds. Before it, one or two internal cycles of the target look like growth.
const FIRST_ANALYSIS_S: f64 = 120.0;

/// Rotations before the first interim analysis.
const FIRST_ANALYSIS_ROTATIONS: f64 = 4.0;

/// Maximum number of interim analyses.
const MAX_ANALYSES: usize = 10_000;

/// Returns the times of the interim analyses of a run of `planned_s`, with a rotation every `period_s` if there is
/// one.
///
/// Times are seconds since the target was ready. A run that is too short for an interim analysis has none.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::interim_analysis::interim_times_s;
///
/// assert_eq!(interim_times_s(300.0, Some(30.0)), [120.0, 180.0, 240.0]);
/// assert!(interim_times_s(120.0, None).is_empty());
/// ```
#[must_use]
pub fn interim_times_s(planned_s: f64, period_s: Option<f64>) -> Vec<f64> {
    let first_s = FIRST_ANALYSIS_S.max(period_s.map_or(0.0, |period_s| FIRST_ANALYSIS_ROTATIONS * period_s));
    (1..MAX_ANALYSES)
        .map(|i| EVERY_S * i as f64)
        .skip_while(|time_s| *time_s < first_s)
        .take_while(|time_s| *time_s < planned_s)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_have_three_interim_analyses() {
        assert_eq!(interim_times_s(300.0, Some(30.0)), [120.0, 180.0, 240.0]);
        assert_eq!(interim_times_s(300.0, None), [120.0, 180.0, 240.0]);
    }

    #[test]
    fn four_rotations_come_first() {
        assert_eq!(interim_times_s(600.0, Some(60.0))[0], 240.0);
        assert_eq!(interim_times_s(600.0, Some(61.0))[0], 300.0);
    }

    #[test]
    fn a_short_run_is_judged_at_its_end_only() {
        assert!(interim_times_s(120.0, None).is_empty());
        assert!(interim_times_s(f64::NAN, None).is_empty());
        assert_eq!(interim_times_s(120.1, None), [120.0]);
    }

    #[test]
    fn a_long_run_is_analysed_each_minute() {
        let times = interim_times_s(1800.0, None);
        assert_eq!((times.len(), times[27]), (28, 1740.0));
        assert_eq!(interim_times_s(f64::INFINITY, None).len(), 9998);
    }
}
