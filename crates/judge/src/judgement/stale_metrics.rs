//! Stale metrics: a /metrics page that stopped changing while the run went on.
//!
//! Each constant metric may be healthy by itself. But if a counter of work increased steadily and then every scraped
//! metric stays constant to the end, either the page is stale or no work is done. In both cases, a leak could not
//! have shown.

use leakcheck_model::limit::Statistic;
use leakcheck_model::{Record, Samples};

use super::context::JudgementContext;

/// Counters of work by their preset names. A counter with a floor is one as well.
const WORK_COUNTERS: [&str; 3] = ["rotations", "captured_lines", "records"];

/// Minimum length of a standstill: a share of the judged part, a number of samples, and a multiple of the longest one
/// before.
const MIN_SHARE: f64 = 0.2;
const MIN_SAMPLES: usize = 10;
const MIN_RATIO: f64 = 5.0;

/// Minimum number of increases that show how often work is counted.
const MIN_INCREASES: usize = 5;

/// Returns the time since which all scraped metrics are constant, although work was counted before and the load
/// continued.
pub(super) fn unchanged_since_s(context: &JudgementContext) -> Option<f64> {
    let JudgementContext { record, judged, .. } = context;
    let samples = &record.samples;
    let scraped: Vec<&[Option<f64>]> = record
        .metrics
        .iter()
        .filter(|(_, info)| info.source == "metrics")
        .filter_map(|(name, _)| samples.column(name))
        .collect();
    let moved = scraped
        .iter()
        .filter_map(|column| last_move(column, &judged.rows))
        .max()?;
    let tail = judged.rows.get(moved..).filter(|tail| tail.len() > MIN_SAMPLES)?;
    let from_s = samples.t_s[tail[0]];
    let still_s = judged.to_s - from_s;
    let was_steady = |name: &&String| {
        longest_standstill(samples, name, &judged.rows[..=moved])
            .is_some_and(|longest_s| still_s >= MIN_RATIO * longest_s)
    };
    let is_work = |name: &&String| record.metrics[*name].source == "metrics" && counts_work(record, name);
    let known = record.metrics.keys().filter(is_work).any(|name| was_steady(&name));
    (known && still_s >= MIN_SHARE * judged.length_s() && load_went_on(samples, tail)).then_some(from_s)
}

fn counts_work(record: &Record, name: &str) -> bool {
    let has_floor = record.limits.iter().any(|(metric, rule)| {
        metric == name
            && !rule.comparison.is_ceiling()
            && matches!(rule.statistic, Statistic::Increase | Statistic::RatePerMin)
    });
    has_floor || WORK_COUNTERS.contains(&name)
}

/// Returns the position of the last sample that differs from the one before it. A missing sample differs.
fn last_move(column: &[Option<f64>], rows: &[usize]) -> Option<usize> {
    let differs = |pair: &[usize]| column[pair[0]] != column[pair[1]];
    rows.windows(2).rposition(differs).map(|at| at + 1)
}

/// Returns the longest time between two increases of a counter; `None` if there are too few.
fn longest_standstill(samples: &Samples, name: &str, rows: &[usize]) -> Option<f64> {
    let column = samples.column(name)?;
    let rises: Vec<f64> = rows
        .windows(2)
        .filter(|pair| column[pair[1]] > column[pair[0]] && column[pair[0]].is_some())
        .map(|pair| samples.t_s[pair[1]])
        .collect();
    let longest = rises.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    (rises.len() >= MIN_INCREASES).then_some(longest)
}

/// True if there was work to do: containers, or requests that were sent.
fn load_went_on(samples: &Samples, tail: &[usize]) -> bool {
    let at = |name: &str, row: usize| samples.column(name).and_then(|column| column[row]);
    let containers = tail.iter().all(|&row| at("containers", row).is_some_and(|n| n > 0.0));
    let requests = at("traffic", tail[0]) < at("traffic", tail[tail.len() - 1]);
    containers || requests
}

#[cfg(test)]
mod tests {
    use leakcheck_model::verdict::{ReasonCode, Verdict};

    use super::*;
    use crate::judgement::judge::judge;
    use crate::judgement::tests::test_support::RunBuilder;
    use crate::test_spec::Analysis;

    fn unchanged_since_s(record: &Record) -> Option<f64> {
        super::unchanged_since_s(&JudgementContext::new(record, Analysis::Single))
    }

    /// A run with constant tasks, and lines that are counted until the page stops changing.
    fn frozen_at(seconds: f64, every_s: f64) -> RunBuilder {
        RunBuilder::run(600, 5)
            .metric("tasks", |_| Some(40.0))
            .metric("captured_lines", move |t| Some((t.min(seconds) / every_s).floor()))
            .limit("tasks", "growth_per_min < 2")
    }

    fn outcome_of(builder: RunBuilder) -> (Verdict, Option<ReasonCode>) {
        let limit = judge(&builder.record()).limits.remove(0);
        (limit.outcome, limit.reason.map(|r| r.code))
    }

    #[test]
    fn metrics_that_stop_changing_under_load_do_not_pass() {
        let stuck = (Verdict::Invalid, Some(ReasonCode::MetricStuck));
        assert_eq!(outcome_of(frozen_at(300.0, 1.0)), stuck);
        assert_eq!(unchanged_since_s(&frozen_at(300.0, 1.0).record()), Some(300.0));
        // Constant tasks are healthy while work is counted, up to a fifth before the end.
        assert_eq!(outcome_of(frozen_at(600.0, 1.0)), (Verdict::Pass, None));
        assert_eq!(outcome_of(frozen_at(481.0, 1.0)), (Verdict::Pass, None));
        assert_eq!(outcome_of(frozen_at(479.0, 1.0)), stuck);
    }

    #[test]
    fn a_count_that_moves_seldom_may_stand_still_for_long() {
        // Every 60 s: five times as long are 300 s.
        assert_eq!(outcome_of(frozen_at(360.0, 60.0)).0, Verdict::Pass);
        assert_eq!(outcome_of(frozen_at(300.0, 60.0)).0, Verdict::Invalid);
        // Four increases are too few.
        assert_eq!(outcome_of(frozen_at(240.0, 60.0)).0, Verdict::Pass);
    }

    #[test]
    fn an_idle_target_has_no_stale_metrics() {
        let idle = frozen_at(300.0, 1.0).with(|r| {
            let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
            r.samples.columns[at].fill(Some(0.0));
        });
        assert_eq!(outcome_of(idle), (Verdict::Pass, None));
        let context = frozen_at(300.0, 1.0).metric("traffic", |t| Some(10.0 * t)).with(|r| {
            r.metrics.remove("traffic");
            let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
            r.samples.columns[at].fill(Some(0.0));
        });
        assert_eq!(outcome_of(context).0, Verdict::Invalid);
    }

    #[test]
    fn another_metric_that_changes_shows_that_the_page_is_alive() {
        let alive = frozen_at(300.0, 1.0).metric("queue", |t| Some(t % 2.0));
        assert_eq!(outcome_of(alive), (Verdict::Pass, None));
        // A metric of another source does not.
        let elsewhere = frozen_at(300.0, 1.0).metric("cpu", Some).with(|r| {
            r.metrics.get_mut("cpu").expect("there").source = "proc".into();
        });
        assert_eq!(outcome_of(elsewhere).0, Verdict::Invalid);
    }

    #[test]
    fn only_counters_of_work_matter_and_a_floor_makes_one() {
        let errors = || {
            RunBuilder::run(600, 5)
                .metric("tasks", |_| Some(40.0))
                .metric("errors", |t| Some(t.min(300.0)))
                .limit("tasks", "growth_per_min < 2")
        };
        assert_eq!(outcome_of(errors()), (Verdict::Pass, None));
        assert_eq!(outcome_of(errors().limit("errors", "increase < 900")).0, Verdict::Pass);
        assert_eq!(
            outcome_of(errors().limit("errors", "increase >= 100")).0,
            Verdict::Invalid
        );
    }

    #[test]
    fn a_leak_before_the_metrics_became_stale_fails() {
        let leaked = RunBuilder::run(600, 5)
            .metric("tasks", |t| Some(40.0 + t.min(470.0)))
            .metric("captured_lines", |t| Some(t.min(470.0)))
            .limit("tasks", "max < 100");
        assert_eq!(outcome_of(leaked).0, Verdict::Fail);
    }

    #[test]
    fn ten_samples_that_stand_still_are_too_few() {
        let froze = |at: f64| {
            let builder = RunBuilder::run(40, 5)
                .metric("tasks", |_| Some(40.0))
                .metric("captured_lines", move |t| Some(t.min(at)));
            unchanged_since_s(&builder.record())
        };
        assert_eq!((froze(31.0), froze(30.0)), (None, Some(30.0)));
    }
}
