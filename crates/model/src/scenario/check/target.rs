//! Checks of `[target]`.

use super::findings::Findings;
use crate::scenario::definition::Scenario;
use crate::scenario::preset::PRESETS;
use crate::scenario::target::{BuildRequirement, Port, StartOrder, TargetKind};
use crate::suggest::did_you_mean;

/// Adds the problems of the target.
pub(super) fn check(scenario: &Scenario, findings: &mut Findings<'_>) {
    let target = &scenario.target;
    let is = |kind| target.kind == kind;
    if is(TargetKind::Command) && target.command.is_empty() {
        findings.add(
            &["target"],
            "a target of kind `command` needs a `command`",
            "command = [\"./agent\", \"--flag\"]".to_owned(),
        );
    }
    if !is(TargetKind::Command) && !target.command.is_empty() {
        findings.add(
            &["target", "command"],
            format!("a target of kind `{}` has no `command`", target.kind.name()),
            "set kind = \"command\", or use `arguments` for the capture daemon".to_owned(),
        );
    }
    if is(TargetKind::Pid) && target.pid.is_none() {
        findings.add(
            &["target"],
            "a target of kind `pid` needs a `pid`",
            "pid = 4711".to_owned(),
        );
    }
    if is(TargetKind::Container) && target.container.is_none() {
        findings.add(
            &["target"],
            "a target of kind `container` needs a `container`",
            "container = \"NAME\"".to_owned(),
        );
    }
    if is(TargetKind::Metrics) && target.metrics_url.is_none() {
        findings.add(
            &["target"],
            "a target of kind `metrics` needs a `metrics_url`",
            "metrics_url = \"http://127.0.0.1:9090/metrics\"".to_owned(),
        );
    }
    if target.rotate_every.is_some_and(|r| r.as_secs() <= 0.0) {
        findings.add(
            &["target", "rotate_every"],
            "`rotate_every` is 0s",
            "leave `rotate_every` out for no rotation".to_owned(),
        );
    }
    if let Some(preset) = &target.preset
        && !PRESETS.iter().any(|(name, _)| name == preset)
    {
        let names = PRESETS.map(|(name, _)| name);
        let mut hint = did_you_mean(preset, names);
        hint.push_str(if hint.is_empty() { "" } else { " " });
        findings.add(
            &["target", "preset"],
            format!("there is no preset `{preset}`"),
            format!("{hint}there are {}", names.join(", ")),
        );
    }
    for (key, url) in [
        ("metrics_url", &target.metrics_url),
        ("ready", &target.ready.as_ref().and_then(|r| r.url.clone())),
    ] {
        if let Some(url) = url
            && !url.starts_with("http://")
        {
            findings.add(
                &["target", key],
                format!("`{url}` is not an http:// address"),
                "write http://127.0.0.1:PORT/metrics".to_owned(),
            );
        }
    }
    let is_started = matches!(target.kind, TargetKind::Capture | TargetKind::Command);
    if target.ready.as_ref().is_some_and(|r| r.log.is_some()) && !is_started {
        findings.add(
            &["target", "ready"],
            format!(
                "the output of a target of kind `{}` is not read, so readiness cannot be detected in it",
                target.kind.name()
            ),
            "use `url`, `port` or `after`".to_owned(),
        );
    }
    let build = target.build.as_ref();
    if build.is_some_and(|b| b.repo.is_empty() && b.require.contains(&BuildRequirement::Committed)) {
        findings.add(
            &["target", "build"],
            "`committed` is required, but there is no `repo`",
            "name the repository: repo = \".\"".to_owned(),
        );
    }
    if target.ready.as_ref().is_some_and(|r| r.port == Some(Port::Assigned)) && !is_started {
        findings.add(
            &["target", "ready"],
            "`{port}` is assigned to targets that leakcheck starts, and this one is already running",
            "write the port's number".to_owned(),
        );
    }
    if target.tree == Some(true) && target.kind == TargetKind::Metrics {
        findings.add(
            &["target", "tree"],
            "a target of kind `metrics` has no process",
            "leave `tree` out".to_owned(),
        );
    }
    if target.start == Some(StartOrder::BeforeLoad) && matches!(target.kind, TargetKind::Pid | TargetKind::Container) {
        findings.add(
            &["target", "start"],
            "a running target is not started",
            "leave `start` out".to_owned(),
        );
    }
}
