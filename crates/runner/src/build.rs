//! The stale-build check: before anything starts for what the scenario requires, and once more on the process that runs.

use std::path::PathBuf;

use leakcheck_model::Scenario;
use leakcheck_model::event::TargetFacts;
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::build::{BuildQuestion, BuildReport, BuildState};

use crate::stage::{Ended, Stage};

/// What is known of the target's build without its process.
fn question(scenario: &Scenario) -> BuildQuestion {
    let target = &scenario.target;
    let build = target.build.clone().unwrap_or_default();
    let cwd = target.cwd.as_ref().map(PathBuf::from).unwrap_or_default();
    let named = build.binary.or_else(|| match target.kind {
        // A bare word is looked up in PATH by the system; only a path says which file is meant.
        TargetKind::Command => target.command.first().filter(|w| w.contains('/')).cloned(),
        _ => None,
    });
    BuildQuestion {
        repo: (!build.repo.is_empty()).then(|| PathBuf::from(build.repo)),
        binary: named.map(|path| cwd.join(path)),
        pid: None,
    }
}

/// Holds the build against what the scenario requires, before anything starts.
///
/// # Errors
/// [`Ended::Impaired`] with what is stale.
pub(crate) async fn require(stage: &mut Stage) -> Result<(), Ended> {
    let Some(build) = stage.scenario.target.build.clone() else {
        return Ok(());
    };
    let report = BuildReport::look(question(&stage.scenario)).await;
    let broken = report.broken(&build.require);
    if broken.is_empty() {
        for note in report.findings.iter().map(ToString::to_string) {
            stage.journal.warn(ReasonCode::StaleBuild, note)?;
        }
        return Ok(());
    }
    Err(Ended::Impaired(Reason::new(ReasonCode::StaleBuild, broken.join("; "))))
}

/// Completes the target's facts by what its running process says of its build.
pub(crate) async fn describe(scenario: &Scenario, facts: &mut TargetFacts) {
    let asked = BuildQuestion {
        pid: facts.pid,
        ..question(scenario)
    };
    let report = BuildReport::look(asked).await;
    facts.build = Some(
        match report.state() {
            BuildState::Fresh => "fresh",
            BuildState::Stale => "stale",
            BuildState::Unknown => "unknown",
        }
        .to_owned(),
    );
    facts.build_notes = report.notes();
    facts.commit = facts.commit.take().or(report.commit);
}
