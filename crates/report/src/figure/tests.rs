//! Tests of figures.

use super::*;
use crate::tests::sample_run::{FIVE_MINUTES, SampleRun, leaking};

fn of(example: &SampleRun, metric: &str) -> Figure {
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
    assert_eq!(limit.rule, "growth_per_min < 1", "failed limits come first");
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
fn a_counter_is_drawn_as_its_increase_and_a_restart_does_not_lower_it() {
    let example = SampleRun::new([1.0, 1.0, 1.0, 6.0, 0.0])
        .metric("rotations", "", |t| Some(if t < 3.0 { 100.0 + t } else { t - 3.0 }));
    let values: Vec<f64> = of(&example, "rotations").points.iter().map(|p| p.value).collect();
    assert_eq!(values, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0, 3.0, 4.0]);
}

#[test]
fn series_of_removed_containers_are_no_restart() {
    let example = SampleRun::new([0.0, 0.0, 0.0, 3.0, 3.0]).metric("rotations", "", |t| {
        Some(if t < 3.0 { 100.0 + t } else { 120.0 - 10.0 * t })
    });
    let values: Vec<f64> = of(&example, "rotations").points.iter().map(|p| p.value).collect();
    assert_eq!(values, [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
}

#[test]
fn a_counter_and_its_floor_are_counted_from_where_the_judge_counts() {
    let example = SampleRun::new([1.0, 1.0, 8.0, 60.0, 5.0])
        .metric("rotations", "", |t| Some(40.0 + 2.0 * t))
        .limit("rotations", "increase >= 90", 118.0, Verdict::Pass)
        .limit("rotations", "increase < 500", 118.0, Verdict::Pass);
    let figure = of(&example, "rotations");
    let begins = figure
        .phases
        .iter()
        .find(|p| p.phase.is_judged())
        .expect("judged")
        .from_s;
    let at = |t: f64| figure.points.iter().find(|p| p.t_s == t).expect("a point").value;
    assert_eq!(at(begins), 0.0);
    let line = |rule: &str| figure.limits.iter().find(|l| l.rule == rule).expect(rule).line;
    let end = begins + 59.0;
    assert_eq!(line("increase >= 90"), Some([(begins, 0.0), (end, 90.0)]));
    assert_eq!(line("increase < 500"), Some([(begins, 500.0), (end, 500.0)]));
}

#[test]
fn a_first_sample_soon_after_the_beginning_is_drawn_from_zero() {
    assert_eq!(span(0.5, 300.0), (0.0, 300.0));
    assert_eq!(span(600.0, 900.0), (600.0, 900.0));
    assert_eq!(span(-8.0, 300.0), (-8.0, 300.0));
}

#[test]
fn the_fitted_line_lies_in_the_middle_of_the_values() {
    let example = SampleRun::new(FIVE_MINUTES)
        .metric("tasks", "", |t| Some(100.0 + t / 30.0))
        .growth("tasks", 2.0, 1.5, 2.5);
    let growth = of(&example, "tasks").growth.expect("growth");
    assert!((growth.from - 100.0).abs() < 1e-9);
    assert!((growth.end(2.0) - (100.0 + 299.0 / 30.0)).abs() < 1e-9);
}

#[test]
fn growth_that_stopped_or_began_late_has_a_line_where_it_grew() {
    // Half a unit a second in two thirds of the judged part, which has 300 values, and nothing in the rest.
    for (stops, grows_s) in [(true, (0.0, 200.0)), (false, (100.0, 299.0))] {
        let grown = move |t: f64| if stops { t.min(200.0) } else { t.max(100.0) } / 2.0;
        let example = SampleRun::new(FIVE_MINUTES)
            .metric("tasks", "", move |t| Some(100.0 + grown(t)))
            .growth("tasks", 30.0, 29.0, 31.0);
        let figure = of(&example, "tasks");
        let (growth, begin_s) = (figure.growth.expect("growth"), figure.baseline.expect("begun").0);
        let (from_s, to_s) = (growth.from_s - begin_s, growth.to_s - begin_s);
        // One step of the metric takes two seconds.
        assert!(
            (from_s - grows_s.0).abs() <= 2.0 && (to_s - grows_s.1).abs() <= 2.0,
            "{growth:?}"
        );
        assert!((growth.from - 100.0 - grown(from_s)).abs() <= 1.0, "{growth:?}");
    }
}

#[test]
fn decimation_keeps_peaks_and_gaps() {
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
fn a_late_row_is_no_gap_and_a_long_pause_is_one() {
    let (points, gaps) = decimate(&[0.0, 1.0, 2.0, 4.5, 5.5, 30.0], &[Some(1.0); 6], 100);
    assert_eq!(
        gaps,
        [Gap {
            from_s: 5.5,
            to_s: 30.0
        }]
    );
    assert!(points[5].breaks && !points[3].breaks);
    let (_, empty) = decimate(&[0.0, 1.0, 2.0], &[None, None, None], 100);
    assert_eq!(empty, [Gap { from_s: 0.0, to_s: 2.0 }]);
}

#[test]
fn faults_are_numbered_in_the_order_of_time_and_last_until_they_end() {
    let mut example = leaking().fault("reset", 10.0, 5.0);
    let unended = &mut example.record.facts.faults[0];
    (unended.to_s, unended.hits) = (None, None);
    let bands = fault_bands(&example.record, 134.0);
    let shown: Vec<_> = bands
        .iter()
        .map(|b| (b.label.as_str(), b.description.as_str(), b.to_s))
        .collect();
    let expected = [("F1", "reset (hits: 55)", 25.0), ("F2", "stall on idle", 134.0)];
    assert_eq!(shown, expected);
}
