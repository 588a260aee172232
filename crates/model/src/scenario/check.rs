//! Contradictions in a well-formed scenario.

mod fault;
mod findings;
mod limits;
mod load;
mod metrics;
mod name;
mod schedule;
mod target;
mod traffic;

use findings::Findings;
use name::is_name;

use super::definition::Scenario;
use super::problem::Problem;

/// Returns all contradictions in `scenario`, with their places in `text`.
pub(super) fn check(scenario: &Scenario, text: &str) -> Vec<Problem> {
    let mut findings = Findings::new(text);
    general(scenario, &mut findings);
    for (i, load) in scenario.load.iter().enumerate() {
        load::check(scenario, i, load, &mut findings);
    }
    target::check(scenario, &mut findings);
    if let Some(traffic) = &scenario.traffic {
        traffic::check(traffic, &mut findings);
    }
    schedule::check(scenario, &mut findings);
    metrics::check(scenario, &mut findings);
    limits::check(scenario, &mut findings);
    for (i, fault) in scenario.fault.iter().enumerate() {
        fault::check(scenario, i, fault, &mut findings);
    }
    findings.into_problems()
}

/// Adds the problems of the name and of `[engine]`.
fn general(scenario: &Scenario, findings: &mut Findings<'_>) {
    if !is_name(&scenario.name) {
        findings.add(
            &["name"],
            format!("`{}` cannot name a folder", scenario.name),
            "use letters, digits, `-`, `_` and `.`, at most 48".to_owned(),
        );
    }
    if scenario.engine.parallel == 0 {
        findings.add(
            &["engine", "parallel"],
            "`parallel` is 0, so no container could be started",
            "4 is a good number".to_owned(),
        );
    }
}
