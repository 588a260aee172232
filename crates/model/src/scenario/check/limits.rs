//! Checks of `[limits]`.

use super::findings::Findings;
use crate::limit::{Bound, Statistic};
use crate::scenario::definition::Scenario;
use crate::scenario::metric::MetricSource;
use crate::suggest::did_you_mean;
use crate::units::Unit;

/// Adds the problems of the limits.
pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    let known = scenario.all_metrics();
    for (metric, rules) in &scenario.limits {
        let at = ["limits", metric.as_str()];
        if metric != "lines" && !known.contains_key(metric) {
            let hint = did_you_mean(metric, known.keys().map(String::as_str).chain(["lines"]));
            let list = known
                .keys()
                .map(String::as_str)
                .chain(["lines"])
                .collect::<Vec<_>>()
                .join(", ");
            findings.add(
                &at,
                format!("there is no metric `{metric}`; there are {list}"),
                Some(hint)
                    .filter(|h| !h.is_empty())
                    .unwrap_or_else(|| "declare it in [metrics]".to_owned()),
            );
            continue;
        }
        for rule in &rules.0 {
            let is_count = known.get(metric).is_some_and(|m| {
                !matches!(m.source, MetricSource::Series(_) | MetricSource::Log(_)) && m.info().unit == Unit::Count
            });
            if (is_count || metric == "lines") && rule.unit == Unit::Bytes {
                findings.add(
                    &at,
                    format!("`{rule}`: `{metric}` is a count and has no bytes"),
                    "write a plain number".to_owned(),
                );
            }
            if rule.statistic.is_line_check() != (metric == "lines") {
                let reason = if metric == "lines" {
                    "`lines` has lost, duplicated, reordered, torn and delivered"
                } else {
                    "it belongs to `lines`"
                };
                findings.add(
                    &at,
                    format!("`{}` is not a statistic of `{metric}`: {reason}", rule.statistic.name()),
                    None,
                );
            }
            if matches!(rule.bound, Bound::OfExpected(_))
                && !(metric == "rotations"
                    && rule.statistic == Statistic::Increase
                    && scenario.rotation_period_s().is_some()
                    || rule.statistic == Statistic::Delivered)
            {
                findings.add(
                    &at,
                    format!("`{rule}`: the expected value is known only for `rotations` increase (with [target] rotate_every) and `lines` delivered"),
                    "write a number".to_owned(),
                );
            }
        }
    }
    if scenario.limits.contains_key("lines") && !scenario.lines_checked() {
        let why = if scenario.lines_are_stamped() {
            "the target has no `delivered` files"
        } else {
            "the load is not the built-in noise"
        };
        findings.add(
            &["limits", "lines"],
            format!("lines cannot be checked: {why}"),
            "set [target] delivered = \"out/*\", and leave `image` out of the load".to_owned(),
        );
    }
}
