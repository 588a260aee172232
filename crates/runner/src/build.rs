//! The stale-build check: before anything starts, on the target once it runs, and once more before it is stopped.

use std::path::Path;
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::event::{EventKind, TargetFacts};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::build::{BuildFinding, BuildQuestion, BuildReport, Told, told_by_image};
use leakcheck_probe::identity;

use crate::stage::{Ended, Stage};
pub(crate) use before::{FirstLook, first_look, require};
use question::question;

mod before;
mod question;

/// What starts a target becomes it within milliseconds; on a machine under load it may take longer.
const BECOMES_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Completes the target's facts by what the running target says of itself and by how its build compares. What breaks the
/// scenario's requirements makes the run invalid; what is stale is a warning of every other run.
///
/// # Errors
/// [`Ended::Impaired`] with what is stale.
pub(crate) async fn describe(stage: &mut Stage) -> Result<(), Ended> {
    let Some(target) = &stage.target else { return Ok(()) };
    let (mut facts, url) = (target.facts.clone(), target.metrics_url.clone());
    let report = look(&stage.scenario, &mut facts, url.as_deref(), &stage.known_of_build).await;
    stage.journal.event(EventKind::TargetDescribed(facts.clone()))?;
    if let Some(target) = &mut stage.target {
        target.facts = facts;
    }
    let build = stage.scenario.target.build.clone().unwrap_or_default();
    let broken = report.broken(&build.require);
    if !broken.is_empty() {
        return Err(Ended::Impaired(Reason::new(ReasonCode::StaleBuild, broken.join("; "))));
    }
    let new = report.findings.iter().filter(|f| !stage.known_of_build.contains(f));
    for finding in new.filter(|f| f.is_stale()) {
        stage.journal.warn(ReasonCode::StaleBuild, finding.to_string())?;
    }
    Ok(())
}

/// Everything about the build of a target that runs; `known` is what was found before anything was started.
async fn look(scenario: &Scenario, facts: &mut TargetFacts, url: Option<&str>, known: &[BuildFinding]) -> BuildReport {
    if scenario.target.kind == TargetKind::Command {
        becomes_itself(facts.pid).await;
    }
    let asked = BuildQuestion {
        pid: facts.pid,
        image: facts.image.clone(),
        ..question(scenario)
    };
    let mut report = BuildReport::look(asked).await;
    // What is changed in the repository since the first look is what the run itself writes there.
    let is_change = |f: &BuildFinding| matches!(f, BuildFinding::Uncommitted { .. });
    if !known.iter().any(is_change) {
        report.findings.retain(|f| !is_change(f));
    }
    let told = told(scenario, url, true, &mut report).await;
    report.take_told(&told);
    take_facts(facts, &report, told);
    report
}

/// Writes down in the target's facts what is known of its build.
fn take_facts(facts: &mut TargetFacts, report: &BuildReport, told: Told) {
    let labelled = facts.image.as_ref().map(told_by_image).unwrap_or_default();
    let known = told.or(labelled);
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

/// What the target says of itself: if it runs on its pages, else by the command that the scenario names.
async fn told(scenario: &Scenario, url: Option<&str>, runs: bool, report: &mut BuildReport) -> Told {
    let served = match url.filter(|_| runs) {
        Some(url) => identity::ask(url).await,
        None => Told::default(),
    };
    let build = scenario.target.build.clone().unwrap_or_default();
    if build.version_command.is_empty() {
        return served;
    }
    let folder = scenario.target.cwd.as_deref().map(Path::new);
    match identity::ask_command(&build.version_command, folder).await {
        Ok(printed) => served.or(printed),
        // A command that asks the running target gets its answer once there is one.
        Err(_) if !runs => served,
        Err(why) => {
            let what = format!("the target's version cannot be asked for: {why}");
            report.findings.push(BuildFinding::Unknown { what });
            served
        }
    }
}

/// Waits until a process that was started just now is no longer `leakcheck hold`, which starts it.
async fn becomes_itself(pid: Option<u32>) {
    let Some(process) = pid.and_then(|pid| leakcheck_probe::Process::open(pid).ok()) else {
        return;
    };
    let is_held = || {
        process
            .command_line()
            .is_ok_and(|words| words.get(1).is_some_and(|w| w == "hold"))
    };
    let waiting = async {
        while is_held() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // One that stays it is called so by its own wish.
    let _ = tokio::time::timeout(BECOMES_WITHIN, waiting).await;
}

/// Warns if the executable was replaced or deleted while the target was measured.
///
/// # Errors
/// If the record cannot be written.
pub(crate) async fn describe_again(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    let Some(target) = stage.target.as_ref().filter(|t| t.facts.image.is_none()) else {
        return Ok(());
    };
    let question = BuildQuestion {
        pid: target.pid,
        ..BuildQuestion::default()
    };
    if question.pid.is_none() {
        return Ok(());
    }
    let known = target.facts.build_notes.clone();
    let report = BuildReport::look(question).await;
    // That its source was edited meanwhile changes nothing about what was measured.
    let happened = |f: &&BuildFinding| f.is_stale() && !matches!(f, BuildFinding::OlderThanSource { .. });
    let new = report.findings.iter().filter(happened).map(ToString::to_string);
    for finding in new.filter(|f| !known.contains(f)) {
        let message = format!("while it was measured: {finding}");
        stage.journal.warn(ReasonCode::StaleBuild, message)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
