//! Hints about a scenario that is valid but cannot give a useful verdict.

use leakcheck_model::{HumanDuration, Scenario};

use super::plan::{duration, forecast};

/// The hint for `drained` limits that will be `invalid`.
pub(crate) fn drained_unknown(scenario: &Scenario) -> Option<String> {
    let metrics = scenario.drained_unknown();
    let advice = if scenario.load.is_empty() {
        "the run has no load that could be removed; delete the limit, or give the target work with [[load]] or [traffic]"
    } else {
        "the target starts after the load, so its level without load is unknown; set [target] start = \"before-load\""
    };
    (!metrics.is_empty()).then(|| format!("`drained` of {} will be invalid: {advice}", metrics.join(" and ")))
}

/// The hints for limits that are too tight for the schedule. `setting` is what lengthens the measurement.
pub(crate) fn tight_limits(scenario: &Scenario, setting: &str) -> Vec<String> {
    let schedule = &scenario.schedule;
    let within = HumanDuration(schedule.measure.0 + schedule.extend.0);
    let with = if schedule.extend == HumanDuration::ZERO {
        ""
    } else {
        " with its extension"
    };
    forecast::impossible_limits(scenario)
        .into_iter()
        .map(|(rule, length_s)| {
            let longer = length_s.map_or(String::new(), |s| {
                format!(", or set {setting} to {}", duration::round_up(s))
            });
            format!(
                "`{rule}` cannot pass within {within}{with}, even if the metric never changes: raise the limit{longer}"
            )
        })
        .collect()
}
