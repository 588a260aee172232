//! The line of a limit on the chart of its metric.

use leakcheck_model::limit::{Bound, Limit, Statistic};
use leakcheck_model::result::LimitResult;
use leakcheck_model::{RunResult, Unit, Verdict};

/// One limit on a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitLine {
    /// The rule as written, with the number behind a share: `increase >= 90% of expected (495)`.
    pub rule: String,
    /// Its outcome.
    pub outcome: Verdict,
    /// Its line, from one `(seconds, value)` to another; `None` for a limit that is not a line on this chart.
    pub line: Option<[(f64, f64); 2]>,
    /// True for an upper limit.
    pub ceiling: bool,
}

/// Returns the limits of a metric, failed ones first.
pub(super) fn lines(
    result: &RunResult,
    metric: &str,
    baseline: Option<(f64, f64)>,
    judged: &[(f64, f64)],
    before_load: &[f64],
    span_s: (f64, f64),
    unit: Unit,
) -> Vec<LimitLine> {
    let mut lines: Vec<LimitLine> = result
        .limits
        .iter()
        .filter(|l| l.metric == metric)
        .map(|limit| {
            let rule: Option<Limit> = limit.rule.parse().ok();
            let placed = |rule: &Limit| {
                let (from_t, from) = baseline?;
                let end_t = judged.last()?.0;
                let bound = bound(limit, rule)?;
                line(rule, bound, (from_t, from), end_t, before_load, span_s.1)
            };
            LimitLine {
                rule: label(limit, rule.as_ref(), unit),
                outcome: limit.outcome,
                line: rule.as_ref().and_then(placed),
                ceiling: rule.is_none_or(|r| r.comparison.is_ceiling()),
            }
        })
        .collect();
    lines.sort_by_key(|l| match l.outcome {
        Verdict::Fail => 0,
        Verdict::Invalid => 1,
        Verdict::Inconclusive => 2,
        Verdict::Pass => 3,
    });
    lines
}

fn label(limit: &LimitResult, rule: Option<&Limit>, unit: Unit) -> String {
    match (rule.map(|r| r.bound), limit.bound) {
        (Some(Bound::OfExpected(_)), Some(bound)) => format!("{} ({})", limit.rule, unit.format(bound)),
        _ => limit.rule.clone(),
    }
}

fn bound(limit: &LimitResult, rule: &Limit) -> Option<f64> {
    limit.bound.or(match rule.bound {
        Bound::Number(number) => Some(number),
        Bound::OfExpected(_) => None,
    })
}

fn line(
    rule: &Limit,
    bound: f64,
    (from_t, from): (f64, f64),
    end_t: f64,
    before_load: &[f64],
    last_t: f64,
) -> Option<[(f64, f64); 2]> {
    let flat = |value: f64| Some([(from_t, value), (end_t, value)]);
    let ceiling = rule.comparison.is_ceiling();
    match rule.statistic {
        Statistic::GrowthPerMin | Statistic::EndpointPerMin | Statistic::RatePerMin => {
            Some([(from_t, from), (end_t, from + bound * (end_t - from_t) / 60.0)])
        }
        // An increase reaches a lower limit gradually; an upper limit holds at any time.
        Statistic::Increase if !ceiling => Some([(from_t, from), (end_t, from + bound)]),
        Statistic::Growth | Statistic::Increase => flat(from + bound),
        Statistic::Min | Statistic::Max | Statistic::Mean | Statistic::Last => flat(bound),
        Statistic::Drained => {
            let mut values = before_load.to_vec();
            let middle = values.len().checked_sub(1)? / 2;
            let level = *values.select_nth_unstable_by(middle, f64::total_cmp).1 + bound;
            (last_t > end_t).then_some([(end_t, level), (last_t, level)])
        }
        Statistic::PerRotation
        | Statistic::Lost
        | Statistic::Duplicated
        | Statistic::Reordered
        | Statistic::Torn
        | Statistic::Delivered => None,
    }
}
