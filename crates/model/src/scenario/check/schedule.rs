//! Checks of `[schedule]`, and of the presence of limits.

use super::findings::Findings;
use crate::limit::Statistic;
use crate::scenario::definition::Scenario;

/// Adds the problems of the schedule.
pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    let schedule = &scenario.schedule;
    let seconds = schedule.sample_every.as_secs();
    if seconds < 0.05 {
        findings.add(
            &["schedule", "sample_every"],
            format!("sampling every {} is too often", schedule.sample_every),
            "50ms or more".to_owned(),
        );
    }
    if schedule.measure.as_secs() < 5.0 * seconds {
        findings.add(
            &["schedule", "measure"],
            format!(
                "measuring for {} with a sample every {} gives fewer than 5 samples",
                schedule.measure, schedule.sample_every
            ),
            "measure longer, or sample more often".to_owned(),
        );
    }
    if schedule.checkpoint_every < schedule.sample_every {
        findings.add(
            &["schedule", "checkpoint_every"],
            format!(
                "a checkpoint every {} is more often than a sample every {}",
                schedule.checkpoint_every, schedule.sample_every
            ),
            None,
        );
    }
    if scenario.limits.is_empty() {
        findings.add(
            &["limits"],
            "there is no [limits], so nothing could be judged",
            "for example: [limits] and fds = \"growth_per_min < 1\"".to_owned(),
        );
    }
    if let Some(period) = scenario.target.rotate_every
        && scenario
            .limits
            .values()
            .flat_map(|l| &l.0)
            .any(|l| l.statistic == Statistic::Increase)
        && period > schedule.measure
    {
        findings.add(
            &["target", "rotate_every"],
            format!(
                "rotating every {period} within {} of measuring gives no rotation",
                schedule.measure
            ),
            "rotate more often, or measure longer".to_owned(),
        );
    }
}
