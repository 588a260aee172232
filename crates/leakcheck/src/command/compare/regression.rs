//! The ways in which one run is worse than another: verdict, growth, metrics, rotations, lines.

use leakcheck_model::result::Growth;
use leakcheck_model::{LineCounts, Verdict};

use super::row::Row;

/// Smallest difference in growth that counts, as a share of the limit. Two sound runs are never exactly alike.
const MIN_LIMIT_SHARE: f64 = 0.1;

/// Largest difference in the share of rotations: a run may cut one at either end.
const ROTATION_TOLERANCE: f64 = 0.05;

/// A way in which a run is worse than another.
pub(super) struct Finding {
    /// Code for scripts: `verdict`, `growth`, `vanished`, `rotations`, `lines`.
    pub(super) code: &'static str,
    /// The metric, if it is about one.
    pub(super) metric: Option<String>,
    /// The other run's id.
    pub(super) than: String,
    /// Message for people.
    pub(super) message: String,
}

/// Returns the ways in which `newest` is worse than `other`.
pub(super) fn findings(newest: &Row, other: &Row) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |code, metric: Option<&str>, message| {
        found.push(Finding {
            code,
            metric: metric.map(str::to_owned),
            than: other.name().to_owned(),
            message,
        });
    };
    if (newest.result.verdict, other.result.verdict) == (Verdict::Fail, Verdict::Pass) {
        add("verdict", None, "it fails, and the other passed".to_owned());
    }
    for metric in newest.growing() {
        if let Some(message) = faster(newest, other, metric) {
            add("growth", Some(metric), message);
        }
    }
    if let (Some(now), Some(then)) = (newest.rotation_share(), other.rotation_share())
        && now < then - ROTATION_TOLERANCE
    {
        let message = format!(
            "{:.0} % of the expected rotations happened, compared with {:.0} %",
            now * 100.0,
            then * 100.0
        );
        add("rotations", Some("rotations"), message);
    }
    if let (Some(now), Some(then)) = (&newest.result.lines, &other.result.lines) {
        for (what, of) in [("lost", lost as fn(&LineCounts) -> u64), ("repeated", repeated)] {
            if share(now, of) > share(then, of) {
                let message = format!("{} lines {what}, compared with {}", of(now), of(then));
                add("lines", Some("lines"), message);
            }
        }
    }
    found.extend(vanished(newest, other));
    found
}

/// Returns the metrics that `other` had and `newest` lacks, because deleting a metric would hide a leak. Metrics of the engine and
/// of another scenario may differ.
pub(super) fn vanished(newest: &Row, other: &Row) -> Vec<Finding> {
    let is_same = newest.result.scenario == other.result.scenario;
    let gone = other
        .sampled()
        .filter(|m| is_same && !newest.has(m) && !m.starts_with("engine_"));
    let finding = |metric: &str| Finding {
        code: "vanished",
        metric: Some(metric.to_owned()),
        than: other.name().to_owned(),
        message: format!("{metric} is absent, and the other run has it"),
    };
    gone.map(finding).collect()
}

fn lost(lines: &LineCounts) -> u64 {
    lines.lost
}

fn repeated(lines: &LineCounts) -> u64 {
    lines.duplicated
}

/// Returns a count per sent line, so that runs of different lengths can be compared.
#[expect(clippy::cast_precision_loss, reason = "2^53 lines are never written")]
fn share(lines: &LineCounts, of: fn(&LineCounts) -> u64) -> f64 {
    of(lines) as f64 / lines.sent.max(1) as f64
}

/// Returns a message if growth is certainly faster, by an amount that matters.
fn faster(newest: &Row, other: &Row, metric: &str) -> Option<String> {
    let (now, then) = (newest.growth(metric)?, other.growth(metric)?);
    let matters = newest.growth_limit(metric).map_or(0.0, |limit| MIN_LIMIT_SHARE * limit);
    let apart = now.low > then.high.max(0.0) && now.estimate - then.estimate > matters;
    let unit = newest.unit(metric);
    let rate = |g: Growth| {
        format!(
            "{} ({})",
            unit.format_rate(g.estimate),
            unit.format_interval(g.low, g.high)
        )
    };
    apart.then(|| format!("{metric} grows by {}, compared with {}", rate(now), rate(then)))
}

#[cfg(test)]
mod tests {
    use leakcheck_judge::{judge, summarize};
    use leakcheck_model::result::LimitResult;
    use leakcheck_model::{Record, Samples};

    use super::*;

    /// A run with this growth of descriptors and this number of a hundred rotations.
    fn run(verdict: Verdict, fds: (f64, f64, f64), rotations: f64) -> Row {
        let table = Record::from_table("run".into(), Samples::new(vec!["fds".into()]), Vec::new(), None);
        let mut result = summarize(&table, judge(&table));
        result.verdict = verdict;
        let metric = result.metrics.entry("fds".into()).or_default();
        metric.growth_per_min = Some(Growth {
            estimate: fds.0,
            low: fds.1,
            high: fds.2,
        });
        let metric = result.metrics.entry("rotations".into()).or_default();
        (metric.baseline, metric.last) = (Some(5.0), Some(5.0 + rotations));
        result.expected_rotations = Some(100.0);
        result.limits = vec![LimitResult {
            metric: "fds".into(),
            rule: "growth_per_min < 1".into(),
            bound: Some(1.0),
            measured: Some(fds.0),
            low: None,
            high: None,
            outcome: verdict,
            reason: None,
        }];
        Row::of(result)
    }

    fn codes(newest: &Row, other: &Row) -> Vec<&'static str> {
        findings(newest, other).into_iter().map(|f| f.code).collect()
    }

    const SOUND: (f64, f64, f64) = (0.0, -0.1, 0.1);

    #[test]
    fn a_run_is_not_worse_than_itself() {
        let sound = run(Verdict::Pass, SOUND, 98.0);
        assert!(codes(&sound, &sound).is_empty());
    }

    #[test]
    fn a_fail_after_a_pass_is_worse_and_a_pass_after_a_fail_is_not() {
        let (sound, leaking) = (
            run(Verdict::Pass, SOUND, 98.0),
            run(Verdict::Fail, (20.0, 18.0, 22.0), 98.0),
        );
        assert_eq!(codes(&leaking, &sound), ["verdict", "growth"]);
        assert!(codes(&sound, &leaking).is_empty());
    }

    #[test]
    fn growth_is_worse_only_where_the_intervals_do_not_overlap() {
        let sound = run(Verdict::Pass, SOUND, 98.0);
        assert_eq!(codes(&run(Verdict::Pass, (0.5, 0.2, 0.8), 98.0), &sound), ["growth"]);
        assert!(codes(&run(Verdict::Pass, (0.5, 0.05, 0.9), 98.0), &sound).is_empty());
    }

    #[test]
    fn a_certain_but_tiny_difference_does_not_count() {
        let sound = run(Verdict::Pass, (0.0, -0.01, 0.01), 98.0);
        assert!(codes(&run(Verdict::Pass, (0.05, 0.02, 0.08), 98.0), &sound).is_empty());
        // A slower decline is not growth.
        let falling = run(Verdict::Pass, (-9.0, -10.0, -8.0), 98.0);
        assert!(codes(&run(Verdict::Pass, (-1.0, -1.1, -0.9), 98.0), &falling).is_empty());
    }

    #[test]
    fn missing_rotations_are_worse() {
        let sound = run(Verdict::Pass, SOUND, 98.0);
        assert_eq!(codes(&run(Verdict::Pass, SOUND, 17.0), &sound), ["rotations"]);
        assert!(codes(&run(Verdict::Pass, SOUND, 94.0), &sound).is_empty());
    }

    #[test]
    fn a_vanished_metric_is_worse_and_a_new_one_is_not() {
        let with_tasks = |samples| {
            let mut row = run(Verdict::Pass, SOUND, 98.0);
            row.result.metrics.entry("tasks".into()).or_default().samples = samples;
            row
        };
        let without = run(Verdict::Pass, SOUND, 98.0);
        assert_eq!(codes(&with_tasks(0), &with_tasks(60)), ["vanished"]);
        assert_eq!(codes(&without, &with_tasks(60)), ["vanished"]);
        assert!(codes(&with_tasks(60), &without).is_empty());
        assert!(codes(&with_tasks(0), &with_tasks(0)).is_empty());
    }

    #[test]
    fn lost_lines_are_counted_per_sent_line() {
        let lines = |sent, lost| LineCounts {
            sent,
            lost,
            ..LineCounts::default()
        };
        let with = |lines| {
            let mut row = run(Verdict::Pass, SOUND, 98.0);
            row.result.lines = Some(lines);
            row
        };
        assert_eq!(codes(&with(lines(1000, 1)), &with(lines(1000, 0))), ["lines"]);
        assert!(codes(&with(lines(2000, 2)), &with(lines(1000, 1))).is_empty());
    }
}
