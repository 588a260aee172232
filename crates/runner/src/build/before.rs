//! The look before anything is started: no engine, no container, no target may come up for a build that is stale.

use std::path::Path;

use leakcheck_model::Scenario;
use leakcheck_model::event::{Happening, TargetFacts};
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_model::with_causes;
use leakcheck_probe::build::{BuildFinding, BuildReport, Told};
use leakcheck_probe::identity;

use super::question::question;
use super::take_facts;
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
    let told = told(scenario, &mut report).await;
    report.take_told(&told);
    take_facts(&mut facts, &report, told);
    let wanted = scenario.target.build.clone().unwrap_or_default();
    FirstLook {
        broken: report.broken(&wanted.require),
        report,
        facts,
    }
}

/// What the target says of itself before it is measured: one that runs already on its pages, every other by the command that the
/// scenario names.
async fn told(scenario: &Scenario, report: &mut BuildReport) -> Told {
    let target = &scenario.target;
    let runs_already = !matches!(target.kind, TargetKind::Command | TargetKind::Capture);
    let served = match target.metrics_url.as_deref().filter(|_| runs_already) {
        Some(url) => identity::ask(url).await,
        None => Told::default(),
    };
    let build = target.build.clone().unwrap_or_default();
    if build.version_command.is_empty() {
        return served;
    }
    let folder = target.cwd.as_deref().map(Path::new);
    match identity::ask_command(&build.version_command, folder).await {
        Ok(printed) => served.or(printed),
        // A command that asks the running target gets its answer once there is one.
        Err(_) if !runs_already => served,
        Err(why) => {
            let what = format!("the target's version cannot be asked for: {why}");
            report.findings.push(BuildFinding::Unknown { what });
            served
        }
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
        stage.journal.event(Happening::TargetDescribed(first.facts))?;
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
        .map_err(|e| absent(with_causes(&e)))?;
    let image = docker
        .image_of(&running.name)
        .await
        .map_err(|e| absent(with_causes(&e)))?;
    let facts = TargetFacts {
        kind: target.kind.name().into(),
        command: Some(running.words),
        image: Some(image),
        ..TargetFacts::default()
    };
    Ok(Some(look(&stage.scenario, facts).await))
}
