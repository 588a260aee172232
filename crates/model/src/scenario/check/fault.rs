//! Checks of `[[fault]]`.

use super::findings::Findings;
use crate::scenario::definition::Scenario;
use crate::scenario::fault::Fault;
use crate::scenario::target::TargetKind;
use crate::suggest::did_you_mean;

/// Adds the problems of the fault at index `i`.
pub(super) fn check(scenario: &Scenario, i: usize, fault: &Fault, findings: &mut Findings<'_>) {
    let index = i.to_string();
    let at = |key| ["fault", index.as_str(), key];
    if let Some(group) = &fault.containers
        && !scenario.load.iter().any(|l| &l.name == group)
    {
        let names: Vec<&str> = scenario.load.iter().map(|l| l.name.as_str()).collect();
        findings.add(
            &at("containers"),
            format!("there is no load group `{group}`; there are {}", names.join(", ")),
            Some(did_you_mean(group, names)).filter(|h| !h.is_empty()),
        );
    }
    if let Some((key, message, suggestion)) = fault.contradiction() {
        findings.add(&at(key), message, suggestion.map(str::to_owned));
    }
    if fault.at >= scenario.schedule.measure {
        findings.add(
            &at("at"),
            format!(
                "the fault begins {} into a measurement of {}",
                fault.at, scenario.schedule.measure
            ),
            "begin earlier, or measure longer".to_owned(),
        );
    }
    if matches!(
        scenario.target.kind,
        TargetKind::Pid | TargetKind::Container | TargetKind::Metrics
    ) {
        findings.add(
            &at("kind"),
            "faults need a target that leakcheck starts",
            "use a target of kind `capture` or `command`".to_owned(),
        );
    }
}
