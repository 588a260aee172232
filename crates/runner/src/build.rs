//! The stale-build check: before anything starts, on the running target, and again at the end.

use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::event::{EventKind, TargetFacts};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_probe::build::{BuildFinding, BuildInputs, BuildReport};

use crate::abort::RunAbort;
use crate::context::RunContext;
use crate::process::LAUNCHER;
use facts::{fill_facts, reported_version};
use query::build_query;

pub(crate) mod before;
mod facts;
mod query;

/// The launcher becomes the target within milliseconds; a machine under load takes longer.
const EXEC_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two checks for that.
const EXEC_POLL: Duration = Duration::from_millis(5);

/// Records the version and build of the running target. A stale build is a warning, or ends the run if the scenario requires
/// a fresh one. `known` are the findings from before the start.
///
/// # Errors
/// [`RunAbort::Impaired`] with the broken requirements.
pub(crate) async fn describe(ctx: &mut RunContext, known: &[BuildFinding]) -> Result<(), RunAbort> {
    let Some(target) = &ctx.sources.target else {
        return Ok(());
    };
    let (mut facts, url) = (target.facts.clone(), target.metrics_url.clone());
    let report = check_running(&ctx.scenario, &mut facts, url.as_deref(), known).await;
    ctx.recorder.event(EventKind::TargetDescribed(facts.clone()))?;
    if let Some(target) = &mut ctx.sources.target {
        target.facts = facts;
    }
    let build = ctx.scenario.target.build.clone().unwrap_or_default();
    let broken = report.violations(&build.require);
    if !broken.is_empty() {
        return Err(RunAbort::impaired(ReasonCode::StaleBuild, broken.join("; ")));
    }
    let new = report.findings.iter().filter(|f| !known.contains(f));
    for finding in new.filter(|f| f.is_stale()) {
        ctx.recorder.warn(ReasonCode::StaleBuild, finding.to_string())?;
    }
    Ok(())
}

/// Checks the build of the running target, and fills in its facts.
async fn check_running(
    scenario: &Scenario,
    facts: &mut TargetFacts,
    url: Option<&str>,
    known: &[BuildFinding],
) -> BuildReport {
    if scenario.target.kind == TargetKind::Command {
        wait_for_exec(facts.pid).await;
    }
    let query = BuildInputs {
        pid: facts.pid,
        image: facts.image.clone(),
        ..build_query(scenario)
    };
    let mut report = BuildReport::check(query).await;
    // New uncommitted changes are files that the run itself writes.
    let is_change = |f: &BuildFinding| matches!(f, BuildFinding::Uncommitted { .. });
    if !known.iter().any(is_change) {
        report.findings.retain(|f| !is_change(f));
    }
    let version = reported_version(scenario, url, true, &mut report).await;
    report.compare_reported(&version);
    fill_facts(facts, &report, version);
    report
}

/// Waits until a started process is no longer the launcher of leakcheck.
async fn wait_for_exec(pid: Option<u32>) {
    let Some(process) = pid.and_then(|pid| leakcheck_probe::Process::open(pid).ok()) else {
        return;
    };
    let is_launcher = || {
        process
            .command_line()
            .is_ok_and(|words| words.get(1).is_some_and(|w| w == LAUNCHER))
    };
    let waiting = async {
        while is_launcher() {
            tokio::time::sleep(EXEC_POLL).await;
        }
    };
    // A target may have that name for its own first argument.
    let _ = tokio::time::timeout(EXEC_TIMEOUT, waiting).await;
}

/// Warns if the executable was replaced or deleted during the run.
///
/// # Errors
/// If the record cannot be written.
pub(crate) async fn check_again(ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
    let Some(target) = ctx.sources.target.as_ref().filter(|t| t.facts.image.is_none()) else {
        return Ok(());
    };
    let query = BuildInputs {
        pid: target.pid,
        ..BuildInputs::default()
    };
    if query.pid.is_none() {
        return Ok(());
    }
    let known = target.facts.build_notes.clone();
    let report = BuildReport::check(query).await;
    // A source edited during the run does not change the measured build.
    let matters = |f: &&BuildFinding| f.is_stale() && !matches!(f, BuildFinding::OlderThanSource { .. });
    let new = report.findings.iter().filter(matters).map(ToString::to_string);
    for finding in new.filter(|f| !known.contains(f)) {
        let message = format!("during the run: {finding}");
        ctx.recorder.warn(ReasonCode::StaleBuild, message)?;
    }
    Ok(())
}
