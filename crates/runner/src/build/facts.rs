//! The version that a target reports of itself, and its facts for the report.

use std::path::Path;

use leakcheck_model::Scenario;
use leakcheck_model::event::TargetFacts;
use leakcheck_probe::build::{BuildFinding, BuildReport, ReportedVersion, version_of_image};
use leakcheck_probe::version_probe;

/// Fills in what is known of the target's build.
pub(super) fn fill_facts(facts: &mut TargetFacts, report: &BuildReport, version: ReportedVersion) {
    let of_image = facts.image.as_ref().map(version_of_image).unwrap_or_default();
    let known = version.or(of_image);
    facts.version = known.version;
    facts.commit = known.commit;
    facts.source_commit.clone_from(&report.commit);
    facts.build = Some(report.state().name().to_owned());
    facts.build_notes = report.notes();
    if let Some(executable) = report.executable.clone() {
        facts.executable = Some(executable.path.display().to_string());
        facts.built_at = executable.built_at;
        facts.build_id = executable.build_id;
    }
}

/// Reads the version from the running target's HTTP pages, else from the scenario's version command.
pub(super) async fn reported_version(
    scenario: &Scenario,
    url: Option<&str>,
    is_running: bool,
    report: &mut BuildReport,
) -> ReportedVersion {
    let served = match url.filter(|_| is_running) {
        Some(url) => version_probe::fetch(url).await,
        None => ReportedVersion::default(),
    };
    let build = scenario.target.build.clone().unwrap_or_default();
    if build.version_command.is_empty() {
        return served;
    }
    let folder = scenario.target.cwd.as_deref().map(Path::new);
    match version_probe::run_command(&build.version_command, folder).await {
        Ok(printed) => served.or(printed),
        // The command may need the running target.
        Err(_) if !is_running => served,
        Err(why) => {
            let message = format!("the version command failed: {why}");
            report.findings.push(BuildFinding::Unknown { message });
            served
        }
    }
}
