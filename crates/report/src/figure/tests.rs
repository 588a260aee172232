//! Tests of figure: what goes in and what must come out.

use super::*;
use crate::example::{Example, FIVE_MINUTES, leaking};

fn of(example: &Example, metric: &str) -> Figure {
    let all = figures(&example.result, &example.record, 2000);
    all.into_iter().find(|f| f.metric == metric).expect(metric)
}

#[test]
fn metrics_with_limits_come_first_in_the_order_of_their_limits() {
    let example = leaking().metric("cpu", "", |t| Some(t + 100.0));
    let names: Vec<_> = figures(&example.result, &example.record, 100)
        .into_iter()
        .map(|f| f.metric)
        .collect();
    assert_eq!(names, ["fds", "rss", "streams", "cpu"]);
}

#[test]
fn an_allowed_growth_is_a_line_from_the_baseline() {
    let figure = of(&leaking(), "fds");
    let limit = &figure.limits[0];
    assert_eq!(limit.rule, "growth_per_min < 1", "what failed comes first");
    // Baseline 67 at 10 s; 119 s later one a minute is 119/60 more.
    assert_eq!(limit.line, Some([(10.0, 67.0), (129.0, 67.0 + 119.0 / 60.0)]));
}

#[test]
fn drained_is_a_level_above_the_one_without_load_and_lies_in_the_drain() {
    let figure = of(&leaking(), "fds");
    let drained = figure
        .limits
        .iter()
        .find(|l| l.rule.starts_with("drained"))
        .expect("there");
    assert_eq!(drained.line, Some([(129.0, 14.0), (134.0, 14.0)]));
}

#[test]
fn a_counter_is_drawn_as_its_increase_and_a_restart_takes_nothing_away() {
    let example = Example::new([1.0, 1.0, 1.0, 6.0, 0.0])
        .metric("rotations", "", |t| Some(if t < 3.0 { 100.0 + t } else { t - 3.0 }));
    let values: Vec<f64> = of(&example, "rotations").points.iter().map(|p| p.value).collect();
    assert_eq!(values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0, 7.0]);
}

#[test]
fn series_that_leave_with_their_containers_are_no_restart() {
    let example = Example::new([0.0, 0.0, 0.0, 3.0, 3.0]).metric("rotations", "", |t| {
        Some(if t < 3.0 { 100.0 + t } else { 120.0 - 10.0 * t })
    });
    let values: Vec<f64> = of(&example, "rotations").points.iter().map(|p| p.value).collect();
    assert_eq!(values, [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
}

#[test]
fn a_first_sample_soon_after_the_beginning_is_drawn_from_zero() {
    assert_eq!(span(0.5, 300.0), (0.0, 300.0));
    assert_eq!(span(600.0, 900.0), (600.0, 900.0));
    assert_eq!(span(-8.0, 300.0), (-8.0, 300.0));
}

#[test]
fn the_fitted_line_has_half_the_values_above_it() {
    let example = Example::new(FIVE_MINUTES)
        .metric("tasks", "", |t| Some(100.0 + t / 30.0))
        .growth("tasks", 2.0, 1.5, 2.5);
    let growth = of(&example, "tasks").growth.expect("growth");
    assert!((growth.from - 100.0).abs() < 1e-9);
    assert!((growth.end(2.0) - (100.0 + 299.0 / 30.0)).abs() < 1e-9);
}

#[test]
fn peaks_and_gaps_survive_thinning_out() {
    let t_s: Vec<f64> = (0..100_000).map(f64::from).collect();
    let mut values: Vec<Option<f64>> = vec![Some(10.0); t_s.len()];
    values[43_210] = Some(99.0);
    values[43_211] = Some(1.0);
    values[70_000..71_000].fill(None);
    let (points, gaps) = decimate(&t_s, &values, 2000);
    assert!(points.len() <= 2004, "{}", points.len());
    assert!(points.iter().any(|p| p.value == 99.0) && points.iter().any(|p| p.value == 1.0));
    assert_eq!(
        gaps,
        [Gap {
            from_s: 69_999.0,
            to_s: 71_000.0
        }]
    );
    let broken: Vec<_> = points.iter().filter(|p| p.breaks).map(|p| p.t_s).collect();
    assert_eq!(broken, [71_000.0]);
    assert!(points.windows(2).all(|w| w[0].t_s < w[1].t_s));
}

#[test]
fn a_late_row_is_no_gap_and_a_long_silence_is_one() {
    let (points, gaps) = decimate(&[0.0, 1.0, 2.0, 4.5, 5.5, 30.0], &[Some(1.0); 6], 100);
    assert_eq!(
        gaps,
        [Gap {
            from_s: 5.5,
            to_s: 30.0
        }]
    );
    assert!(points[5].breaks && !points[3].breaks);
    let (_, blind) = decimate(&[0.0, 1.0, 2.0], &[None, None, None], 100);
    assert_eq!(blind, [Gap { from_s: 0.0, to_s: 2.0 }]);
}

#[test]
fn faults_are_numbered_in_the_order_of_time_and_last_until_they_end() {
    let mut example = leaking().fault("reset", 10.0, 5.0);
    example.record.facts.faults[0].to_s = None;
    let bands = fault_bands(&example.record, 134.0);
    let shown: Vec<_> = bands
        .iter()
        .map(|b| (b.label.as_str(), b.what.as_str(), b.to_s))
        .collect();
    assert_eq!(shown, [("F1", "reset", 25.0), ("F2", "stall on idle", 134.0)]);
}
