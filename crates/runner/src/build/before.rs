//! The look before anything is started: no engine, no container, no target may come up for a build that is stale.

use leakcheck_model::Scenario;
use leakcheck_model::event::{EventKind, TargetFacts};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::error_chain;
use leakcheck_probe::build::BuildReport;

use super::question::question;
use super::{take_facts, told};
use crate::container;
use crate::stage::{Ended, Stage};

/// What the first look came to.
pub(crate) struct FirstLook {
    report: BuildReport,
    facts: TargetFacts,
    /// What breaks the scenario's requirements, in words.
    pub(super) broken: Vec<String>,
}

impl FirstLook {
    /// Whether the run ends here.
    pub(crate) fn ends(&self) -> bool {
        !self.broken.is_empty()
    }
}

/// Looks at everything that can be known without starting anything. `None` if nothing is said of the target's build, or if
/// it is a container's, for which the engine has to be asked.
pub(crate) async fn first_look(scenario: &Scenario) -> Option<FirstLook> {
    scenario.target.build.as_ref()?;
    if scenario.target.kind == TargetKind::Container {
        return None;
    }
    let facts = TargetFacts {
        kind: scenario.target.kind.name().into(),
        ..TargetFacts::default()
    };
    Some(look(scenario, facts).await)
}

async fn look(scenario: &Scenario, mut facts: TargetFacts) -> FirstLook {
    let mut asked = question(scenario);
    asked.image.clone_from(&facts.image);
    facts.pid = asked.pid;
    let mut report = BuildReport::look(asked).await;
    let target = &scenario.target;
    let runs = !matches!(target.kind, TargetKind::Command | TargetKind::Capture);
    let told = told(scenario, target.metrics_url.as_deref(), runs, &mut report).await;
    report.take_told(&told);
    take_facts(&mut facts, &report, told);
    let wanted = scenario.target.build.clone().unwrap_or_default();
    FirstLook {
        broken: report.broken(&wanted.require),
        report,
        facts,
    }
}

/// Holds the first look against what the scenario requires, before anything starts.
///
/// # Errors
/// [`Ended::Impaired`] with what is stale.
pub(crate) async fn require(stage: &mut Stage, first: Option<FirstLook>) -> Result<(), Ended> {
    let first = match first {
        None => of_container(stage).await?,
        first => first,
    };
    let Some(first) = first else { return Ok(()) };
    if first.ends() {
        stage.journal.event(EventKind::TargetDescribed(first.facts))?;
        let reason = Reason::new(ReasonCode::StaleBuild, first.broken.join("; "));
        return Err(Ended::Impaired(reason));
    }
    for finding in &first.report.findings {
        stage.journal.warn(ReasonCode::StaleBuild, finding.to_string())?;
    }
    stage.known_of_build = first.report.findings;
    Ok(())
}

/// The first look at a container's image, which the engine tells.
async fn of_container(stage: &Stage) -> Result<Option<FirstLook>, Ended> {
    let target = &stage.scenario.target;
    let (Some(docker), Some(_), TargetKind::Container) = (&stage.docker, &target.build, target.kind) else {
        return Ok(None);
    };
    let absent = |why: String| Ended::Impaired(Reason::new(ReasonCode::TargetNotReady, why));
    let name = target.container.clone().unwrap_or_default();
    let running = container::find(docker, &name)
        .await
        .map_err(|e| absent(error_chain(&e)))?;
    let image = docker
        .image_of(&running.name)
        .await
        .map_err(|e| absent(error_chain(&e)))?;
    let facts = TargetFacts {
        kind: target.kind.name().into(),
        command: Some(running.words),
        image: Some(image),
        ..TargetFacts::default()
    };
    Ok(Some(look(&stage.scenario, facts).await))
}
