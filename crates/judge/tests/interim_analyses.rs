//! Explosive leaks of the FASE case study are found within two minutes of their onset.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture has failed")]

use leakcheck_judge::{Analysis, Outcome, Series, TestSpec, assess, interim_analysis};
use std::path::Path;

const LIMIT_PER_MIN: f64 = 2.0;

fn trace(file: &str) -> Series {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/traces")
        .join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    let (t, v) = reader.deserialize().map(Result::<(f64, f64), _>::unwrap).unzip();
    Series::new(t, v).unwrap()
}

/// Returns the time of the first interim analysis that fails, seconds.
fn found_s(series: &Series, period_s: Option<f64>, metrics: usize) -> Option<f64> {
    let planned_s = series.span_s();
    interim_analysis::interim_times_s(planned_s, period_s)
        .into_iter()
        .find(|time_s| {
            let spec = TestSpec {
                rotation_period_s: period_s,
                analysis: Analysis::Interim,
                metrics,
                ..TestSpec::at_most(LIMIT_PER_MIN, planned_s)
            };
            assess(&series.until(*time_s), &spec).outcome == Outcome::Fail
        })
}

#[test]
fn explosive_leaks_of_the_case_study_are_found_within_two_minutes() {
    for (file, period_s, onset_s) in [
        ("like_6C_late_explosion.csv", Some(300.0), 18.0 * 60.0),
        ("like_6B_contaminated_base.csv", None, 17.0 * 60.0),
        ("like_6E_1s.csv", None, 2.0 * 60.0),
    ] {
        for metrics in [1, 3] {
            let found_s = found_s(&trace(file), period_s, metrics);
            let after_s = found_s.expect(file) - onset_s;
            assert!(
                (0.0..=120.0).contains(&after_s),
                "{file}, {metrics} metrics: found after {after_s} s"
            );
        }
    }
}

#[test]
fn four_rotations_come_before_any_fail() {
    // With 6B's rotation every 5 minutes the fourth is complete at 20 min, three minutes after the onset.
    let trace = trace("like_6B_contaminated_base.csv");
    assert_eq!(found_s(&trace, Some(300.0), 1), Some(1200.0));
}
