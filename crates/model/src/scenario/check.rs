//! The second look at a scenario: what is well formed and yet makes no sense.

mod traffic;

use super::{
    BUILT_IN, BuildRequirement, CGROUP, Fault, Load, OF_ENGINE, PRESETS, Port, Problem, Scenario, Start, TargetKind,
};
use crate::limit::{Bound, Statistic};
use crate::stamp::MIN_LINE_BYTES;
use crate::suggest::did_you_mean;

/// Every contradiction in `scenario`, which was read from `text`.
pub(super) fn check(scenario: &Scenario, text: &str) -> Vec<Problem> {
    let mut found = Found {
        text,
        problems: Vec::new(),
    };
    name(scenario, &mut found);
    for (i, load) in scenario.load.iter().enumerate() {
        one_load(scenario, i, load, &mut found);
    }
    target(scenario, &mut found);
    if let Some(traffic) = &scenario.traffic {
        traffic::check(traffic, &mut found);
    }
    schedule(scenario, &mut found);
    metrics(scenario, &mut found);
    limits(scenario, &mut found);
    for (i, fault) in scenario.fault.iter().enumerate() {
        one_fault(scenario, i, fault, &mut found);
    }
    found.problems
}

struct Found<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn say(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.problems.push(Problem::at(self.text, path, message, help));
    }
}

/// Names become folders, container names and words of a stamp.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn name(scenario: &Scenario, found: &mut Found<'_>) {
    if !is_name(&scenario.name) {
        found.say(
            &["name"],
            format!("`{}` cannot name a folder", scenario.name),
            "use letters, digits, `-`, `_` and `.`, at most 48".to_owned(),
        );
    }
    if scenario.engine.parallel == 0 {
        found.say(
            &["engine", "parallel"],
            "`parallel` is 0, so no container could be started",
            "4 is a good number".to_owned(),
        );
    }
}

fn one_load(scenario: &Scenario, i: usize, load: &Load, found: &mut Found<'_>) {
    let index = i.to_string();
    let at = |key| ["load", index.as_str(), key];
    if !is_name(&load.name) || load.name.len() > 24 {
        found.say(
            &at("name"),
            format!("`{}` cannot name containers", load.name),
            "use letters, digits, `-`, `_` and `.`, at most 24".to_owned(),
        );
    }
    if scenario.load[..i].iter().any(|l| l.name == load.name) {
        found.say(
            &at("name"),
            format!("there are two load groups called `{}`", load.name),
            "give each group its own name".to_owned(),
        );
    }
    if load.containers == 0 {
        found.say(
            &at("containers"),
            "a load group of 0 containers",
            "leave the group out".to_owned(),
        );
    }
    if !(0.0..=1.0).contains(&load.stderr_share) {
        found.say(
            &at("stderr_share"),
            format!("`stderr_share` is a share from 0 to 1, not {}", load.stderr_share),
            None,
        );
    }
    if load.line_bytes.min > load.line_bytes.max {
        found.say(
            &at("line_bytes"),
            format!(
                "the shortest line ({}) is longer than the longest ({})",
                load.line_bytes.min, load.line_bytes.max
            ),
            "write [shortest, longest]".to_owned(),
        );
    } else if (load.line_bytes.min as usize) < MIN_LINE_BYTES {
        found.say(
            &at("line_bytes"),
            format!("a line of {} bytes has no room for its stamp", load.line_bytes.min),
            format!("{MIN_LINE_BYTES} bytes or more"),
        );
    } else if load.line_bytes.max > 1 << 20 {
        found.say(
            &at("line_bytes"),
            format!("a line of {} bytes is too long", load.line_bytes.max),
            "1048576 bytes (1 MiB) or less".to_owned(),
        );
    }
    if load.image.is_none() && !load.command.is_empty() {
        found.say(
            &at("command"),
            "`command` without an `image`: the built-in noise has none",
            "name the image that the command is in".to_owned(),
        );
    }
    if load.lifetime.is_some_and(|l| l.as_secs() < 0.05) {
        found.say(&at("lifetime"), "containers cannot live less than 50ms", None);
    }
    if load.memory.0 < 6 << 20 {
        found.say(
            &at("memory"),
            format!("a memory limit of {}: Docker refuses less than 6 MiB", load.memory),
            None,
        );
    }
}

fn target(scenario: &Scenario, found: &mut Found<'_>) {
    let target = &scenario.target;
    let needs = |kind| target.kind == kind;
    if needs(TargetKind::Command) && target.command.is_empty() {
        found.say(
            &["target"],
            "a target of kind `command` needs a `command`",
            "command = [\"./agent\", \"--flag\"]".to_owned(),
        );
    }
    if !needs(TargetKind::Command) && !target.command.is_empty() {
        found.say(
            &["target", "command"],
            format!("a target of kind `{}` has no `command`", target.kind.name()),
            "set kind = \"command\", or use `arguments` for the capture core".to_owned(),
        );
    }
    if needs(TargetKind::Pid) && target.pid.is_none() {
        found.say(
            &["target"],
            "a target of kind `pid` needs a `pid`",
            "pid = 4711".to_owned(),
        );
    }
    if needs(TargetKind::Container) && target.container.is_none() {
        found.say(
            &["target"],
            "a target of kind `container` needs a `container`",
            "container = \"NAME\"".to_owned(),
        );
    }
    if needs(TargetKind::Metrics) && target.metrics_url.is_none() {
        found.say(
            &["target"],
            "a target of kind `metrics` needs a `metrics_url`",
            "metrics_url = \"http://127.0.0.1:9090/metrics\"".to_owned(),
        );
    }
    if target.rotate_every.is_some_and(|r| r.as_secs() <= 0.0) {
        found.say(
            &["target", "rotate_every"],
            "rotating every 0s never ends",
            "leave `rotate_every` out for no rotation".to_owned(),
        );
    }
    if let Some(preset) = &target.preset
        && !PRESETS.iter().any(|(name, _)| name == preset)
    {
        let names = PRESETS.map(|(name, _)| name);
        let mut hint = did_you_mean(preset, names);
        hint.push_str(if hint.is_empty() { "" } else { " " });
        found.say(
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
            found.say(
                &["target", key],
                format!("`{url}` is not an http:// address"),
                "write http://127.0.0.1:PORT/metrics".to_owned(),
            );
        }
    }
    let ours = matches!(target.kind, TargetKind::Capture | TargetKind::Command);
    if target.ready.as_ref().is_some_and(|r| r.log.is_some()) && !ours {
        found.say(
            &["target", "ready"],
            format!(
                "the output of a target of kind `{}` is not read, so no line of it can tell that it is ready",
                target.kind.name()
            ),
            "use `url`, `port` or `after`".to_owned(),
        );
    }
    let build = target.build.as_ref();
    if build.is_some_and(|b| b.repo.is_empty() && b.require.contains(&BuildRequirement::Committed)) {
        found.say(
            &["target", "build"],
            "`committed` is required of no repository",
            "say which: repo = \".\"".to_owned(),
        );
    }
    if target.ready.as_ref().is_some_and(|r| r.port == Some(Port::Given)) && !ours {
        found.say(
            &["target", "ready"],
            "`{port}` is told to a target that leakcheck starts, and this one runs already",
            "write the port's number".to_owned(),
        );
    }
    if target.tree == Some(true) && target.kind == TargetKind::Metrics {
        found.say(
            &["target", "tree"],
            "a target of kind `metrics` has no processes here",
            "leave `tree` out".to_owned(),
        );
    }
    if target.start == Some(Start::BeforeLoad) && matches!(target.kind, TargetKind::Pid | TargetKind::Container) {
        found.say(
            &["target", "start"],
            "a target that runs already is not started",
            "leave `start` out".to_owned(),
        );
    }
}

fn schedule(scenario: &Scenario, found: &mut Found<'_>) {
    let schedule = &scenario.schedule;
    let seconds = schedule.sample_every.as_secs();
    if seconds < 0.05 {
        found.say(
            &["schedule", "sample_every"],
            format!("sampling every {} is too often", schedule.sample_every),
            "50ms or more".to_owned(),
        );
    }
    if schedule.measure.as_secs() < 5.0 * seconds {
        found.say(
            &["schedule", "measure"],
            format!(
                "measuring for {} with a sample every {} gives fewer than 5 samples",
                schedule.measure, schedule.sample_every
            ),
            "measure longer, or sample more often".to_owned(),
        );
    }
    if schedule.checkpoint_every < schedule.sample_every {
        found.say(
            &["schedule", "checkpoint_every"],
            format!(
                "a checkpoint every {} is more often than a sample every {}",
                schedule.checkpoint_every, schedule.sample_every
            ),
            None,
        );
    }
    if scenario.limits.is_empty() {
        found.say(
            &["limits"],
            "there is no [limits], so nothing could be judged",
            "for example: [limits] and fds = \"growth_per_min < 1\"".to_owned(),
        );
    }
    if let Some(period) = scenario.target.rotate_every
        && scenario
            .limits
            .values()
            .flat_map(|l| &l.0)
            .any(|l| l.statistic == Statistic::Increase)
        && period > schedule.measure
    {
        found.say(
            &["target", "rotate_every"],
            format!(
                "rotating every {period} within {} of measuring is no rotation at all",
                schedule.measure
            ),
            "rotate more often, or measure longer".to_owned(),
        );
    }
}

fn metrics(scenario: &Scenario, found: &mut Found<'_>) {
    for (name, metric) in &scenario.metrics {
        let at = ["metrics", name.as_str()];
        if name == "lines" || ["containers", "faults", "phase", "t_s", "traffic"].contains(&name.as_str()) {
            found.say(
                &at,
                format!("`{name}` is a name of leakcheck's own"),
                "call the metric otherwise".to_owned(),
            );
        }
        let sources = usize::from(metric.proc.is_some())
            + usize::from(metric.cgroup.is_some())
            + usize::from(metric.metrics.is_some())
            + usize::from(metric.log.is_some())
            + usize::from(metric.engine.is_some());
        let kind = scenario.target.kind;
        if metric.log.is_some() && !matches!(kind, TargetKind::Capture | TargetKind::Command) {
            found.say(
                &["metrics", name, "log"],
                format!(
                    "the output of a target of kind `{}` is not read, so no line of it can be counted",
                    kind.name()
                ),
                "count it in a metric that the target serves, or let leakcheck start the target".to_owned(),
            );
        }
        if sources != 1 {
            found.say(
                &at,
                format!("metric `{name}` has {sources} sources"),
                "give exactly one of `proc`, `cgroup`, `metrics`, `log`, `engine`".to_owned(),
            );
        }
        if let Some(proc) = &metric.proc
            && !BUILT_IN.iter().any(|(b, _)| b == proc)
        {
            let names = BUILT_IN.map(|(b, _)| b);
            found.say(
                &["metrics", name, "proc"],
                format!("/proc has no metric `{proc}`; there are {}", names.join(", ")),
                Some(did_you_mean(proc, names)).filter(|h| !h.is_empty()),
            );
        }
        if let Some(engine) = &metric.engine
            && !OF_ENGINE.iter().any(|(_, what)| what == engine)
        {
            let names = OF_ENGINE.map(|(_, what)| what);
            found.say(
                &["metrics", name, "engine"],
                format!(
                    "the engine's process has no count `{engine}`; there are {}",
                    names.join(", ")
                ),
                Some(did_you_mean(engine, names)).filter(|h| !h.is_empty()),
            );
        }
        if let Some(controller) = &metric.cgroup
            && !CGROUP.contains(&controller.as_str())
        {
            found.say(
                &["metrics", name, "cgroup"],
                format!(
                    "no `{controller}` is read of a control group; there are {}",
                    CGROUP.join(", ")
                ),
                Some(did_you_mean(controller, CGROUP)).filter(|h| !h.is_empty()),
            );
        }
        let has_process = scenario.target.kind != TargetKind::Metrics;
        if (metric.proc.is_some() || metric.cgroup.is_some()) && !has_process {
            found.say(
                &at,
                format!("metric `{name}` is read of a process, and a target of kind `metrics` has none here"),
                "read it from /metrics".to_owned(),
            );
        }
        if metric.metrics.is_none() && (!metric.labels.is_empty() || !metric.or.is_empty()) {
            found.say(
                &at,
                format!("metric `{name}` has `labels` or `or`, which belong to a series of /metrics"),
                "name the series: metrics = \"…\"".to_owned(),
            );
        }
        let exposed = scenario.target.metrics_url.is_some() || scenario.target.kind == TargetKind::Capture;
        if metric.metrics.is_some() && !exposed {
            found.say(
                &at,
                format!("metric `{name}` is read from /metrics, and the target has no `metrics_url`"),
                "set [target] metrics_url".to_owned(),
            );
        }
    }
}

fn limits(scenario: &Scenario, found: &mut Found<'_>) {
    let known = scenario.all_metrics();
    for (metric, rules) in &scenario.limits {
        let at = ["limits", metric.as_str()];
        if metric != "lines" && !known.contains_key(metric) {
            let hint = did_you_mean(metric, known.keys().map(String::as_str).chain(["lines"]));
            let list = known
                .keys()
                .map(String::as_str)
                .chain(["lines"])
                .collect::<Vec<_>>()
                .join(", ");
            found.say(
                &at,
                format!("there is no metric `{metric}`; there are {list}"),
                Some(hint)
                    .filter(|h| !h.is_empty())
                    .unwrap_or_else(|| "declare it in [metrics]".to_owned()),
            );
            continue;
        }
        for rule in &rules.0 {
            let counted = known.get(metric).is_some_and(|m| {
                (m.proc.is_some() || m.cgroup.is_some() || m.engine.is_some()) && m.info().unit != "B"
            });
            if (counted || metric == "lines") && rule.text.ends_with('B') {
                found.say(
                    &at,
                    format!("`{rule}`: `{metric}` is a count and has no bytes"),
                    "write a plain number".to_owned(),
                );
            }
            if rule.statistic.is_line_check() != (metric == "lines") {
                let whose = if metric == "lines" {
                    "`lines` has lost, duplicated, reordered, torn and delivered"
                } else {
                    "only `lines` has it"
                };
                found.say(
                    &at,
                    format!("`{}` is not a statistic of `{metric}`: {whose}", rule.statistic.name()),
                    None,
                );
            }
            if matches!(rule.bound, Bound::OfExpected(_))
                && !(metric == "rotations"
                    && rule.statistic == Statistic::Increase
                    && scenario.rotation_period_s().is_some()
                    || rule.statistic == Statistic::Delivered)
            {
                found.say(&at, format!("`{rule}`: how many to expect is known of `rotations` increase (with [target] rotate_every) and of `lines` delivered only"), "write a number".to_owned());
            }
        }
    }
    if scenario.limits.contains_key("lines") && !scenario.lines_checked() {
        let why = if scenario.lines_are_stamped() {
            "the target does not say where it writes what it collected"
        } else {
            "the load is not the built-in noise"
        };
        found.say(
            &["limits", "lines"],
            format!("lines cannot be checked: {why}"),
            "set [target] delivered = \"out/*\", and leave `image` out of the load".to_owned(),
        );
    }
}

fn one_fault(scenario: &Scenario, i: usize, fault: &Fault, found: &mut Found<'_>) {
    let index = i.to_string();
    let at = |key| ["fault", index.as_str(), key];
    if let Some(group) = &fault.containers
        && !scenario.load.iter().any(|l| &l.name == group)
    {
        let names: Vec<&str> = scenario.load.iter().map(|l| l.name.as_str()).collect();
        found.say(
            &at("containers"),
            format!("there is no load group `{group}`; there are {}", names.join(", ")),
            Some(did_you_mean(group, names)).filter(|h| !h.is_empty()),
        );
    }
    if let Some((key, wrong, meant)) = fault.contradiction() {
        found.say(&at(key), wrong, meant.map(str::to_owned));
    }
    if fault.at >= scenario.schedule.measure {
        found.say(
            &at("at"),
            format!(
                "the fault begins {} into a measurement of {}",
                fault.at, scenario.schedule.measure
            ),
            "let it begin earlier, or measure longer".to_owned(),
        );
    }
    if matches!(
        scenario.target.kind,
        TargetKind::Pid | TargetKind::Container | TargetKind::Metrics
    ) {
        found.say(
            &at("kind"),
            "faults sit between the engine and a target that leakcheck starts",
            "use a target of kind `capture` or `command`".to_owned(),
        );
    }
}
