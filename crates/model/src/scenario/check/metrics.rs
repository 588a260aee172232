//! Checks of `[metrics]`.

use super::findings::Findings;
use crate::scenario::definition::Scenario;
use crate::scenario::metric::MetricSource;
use crate::scenario::target::TargetKind;

/// Names with a fixed meaning in limits or in `samples.csv`.
const RESERVED: [&str; 6] = ["lines", "containers", "faults", "phase", "t_s", "traffic"];

/// Adds the problems of the metrics.
pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    let kind = scenario.target.kind;
    for (name, metric) in &scenario.metrics {
        let at = ["metrics", name.as_str()];
        if RESERVED.contains(&name.as_str()) {
            findings.add(
                &at,
                format!("`{name}` is a reserved name"),
                "give the metric another name".to_owned(),
            );
        }
        match &metric.source {
            MetricSource::Log(_) if !matches!(kind, TargetKind::Capture | TargetKind::Command) => findings.add(
                &["metrics", name, "log"],
                format!(
                    "the output of a target of kind `{}` is not read, so its lines cannot be counted",
                    kind.name()
                ),
                "use a metric that the target serves, or let leakcheck start the target".to_owned(),
            ),
            MetricSource::Proc(_) | MetricSource::Cgroup(_) if kind == TargetKind::Metrics => findings.add(
                &at,
                format!("metric `{name}` is read from a process, and a target of kind `metrics` has none"),
                "read it from /metrics".to_owned(),
            ),
            MetricSource::Series(_) if kind != TargetKind::Capture && scenario.target.metrics_url.is_none() => {
                findings.add(
                    &at,
                    format!("metric `{name}` is read from /metrics, and the target has no `metrics_url`"),
                    "set [target] metrics_url".to_owned(),
                );
            }
            _ => {}
        }
    }
}
