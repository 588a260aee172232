//! The check before anything is started: no engine, load or target comes up for a stale build.

use leakcheck_model::Scenario;
use leakcheck_model::error_chain;
use leakcheck_model::event::{EventKind, TargetFacts};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_probe::build::{BuildFinding, BuildReport};

use super::facts::{fill_facts, reported_version};
use super::query::build_query;
use crate::abort::RunAbort;
use crate::container;
use crate::context::RunContext;

/// The result of the check before the start.
pub(crate) struct BuildCheck {
    report: BuildReport,
    facts: TargetFacts,
    /// Descriptions of the requirements that are broken.
    broken: Vec<String>,
}

impl BuildCheck {
    /// Returns true if the run must not start.
    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }
}

/// Checks everything that can be known without an engine. `None` if the scenario says nothing of the build, or if the target is
/// a container.
pub(crate) async fn check_before_start(scenario: &Scenario) -> Option<BuildCheck> {
    scenario.target.build.as_ref()?;
    if scenario.target.kind == TargetKind::Container {
        return None;
    }
    let facts = TargetFacts {
        kind: scenario.target.kind.name().into(),
        ..TargetFacts::default()
    };
    Some(check(scenario, facts).await)
}

async fn check(scenario: &Scenario, mut facts: TargetFacts) -> BuildCheck {
    let mut query = build_query(scenario);
    query.image.clone_from(&facts.image);
    facts.pid = query.pid;
    let mut report = BuildReport::check(query).await;
    let target = &scenario.target;
    let is_running = !matches!(target.kind, TargetKind::Command | TargetKind::Capture);
    let version = reported_version(scenario, target.metrics_url.as_deref(), is_running, &mut report).await;
    report.compare_reported(&version);
    fill_facts(&mut facts, &report, version);
    let required = scenario.target.build.clone().unwrap_or_default().require;
    BuildCheck {
        broken: report.violations(&required),
        report,
        facts,
    }
}

/// Ends the run if the build breaks a requirement of the scenario. Otherwise records the findings as warnings and returns them.
///
/// # Errors
/// [`RunAbort::Impaired`] with the broken requirements.
pub(crate) async fn require(ctx: &mut RunContext, check: Option<BuildCheck>) -> Result<Vec<BuildFinding>, RunAbort> {
    let check = match check {
        None => check_container(ctx).await?,
        check => check,
    };
    let Some(check) = check else { return Ok(Vec::new()) };
    if check.is_broken() {
        ctx.recorder.event(EventKind::TargetDescribed(check.facts))?;
        return Err(RunAbort::impaired(ReasonCode::StaleBuild, check.broken.join("; ")));
    }
    for finding in &check.report.findings {
        ctx.recorder.warn(ReasonCode::StaleBuild, finding.to_string())?;
    }
    Ok(check.report.findings)
}

/// Checks the image of a container, which the engine describes.
async fn check_container(ctx: &RunContext) -> Result<Option<BuildCheck>, RunAbort> {
    let target = &ctx.scenario.target;
    let (Some(docker), Some(_), TargetKind::Container) = (&ctx.docker, &target.build, target.kind) else {
        return Ok(None);
    };
    let absent = |message: String| RunAbort::impaired(ReasonCode::TargetNotReady, message);
    let name = target.container.clone().unwrap_or_default();
    let running = container::find(docker, &name)
        .await
        .map_err(|error| absent(error_chain(&error)))?;
    let image = docker
        .image_facts(&running.name)
        .await
        .map_err(|error| absent(error_chain(&error)))?;
    let facts = TargetFacts {
        kind: target.kind.name().into(),
        command: Some(running.description),
        image: Some(image),
        ..TargetFacts::default()
    };
    Ok(Some(check(&ctx.scenario, facts).await))
}

#[cfg(test)]
mod tests;
