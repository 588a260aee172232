//! `/containers/…`

use std::collections::BTreeMap;
use std::sync::Arc;

use regex_lite::Regex;
use serde_json::json;

use super::request::Request;
use crate::clock;
use crate::container::{Container, CreateBody, Status};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::filter::Filters;
use crate::follow::WaitFor;
use crate::http::{Head, Reply};
use crate::lifecycle::Effect;
use crate::log::Select;
use crate::process::Process;
use crate::signal::signal_number;

/// The filters of `docker ps` in Docker 20.10.
const FILTERS: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

pub(super) fn list(engine: &Engine, head: &Head) -> Result<Reply, ApiError> {
    let filters = Filters::parse(&head.query, &FILTERS)?;
    for status in filters.values("status") {
        if ![
            "created",
            "dead",
            "exited",
            "paused",
            "removing",
            "restarting",
            "running",
        ]
        .contains(&status.as_str())
        {
            return Err(ApiError::bad(format_args!("Invalid filter 'status={status}'")));
        }
    }
    let limit = usize::try_from(head.query.number("limit")?.unwrap_or(0)).unwrap_or(0);
    for code in filters.values("exited") {
        let wrong = |_| ApiError::internal(format_args!("strconv.Atoi: parsing {code:?}: invalid syntax"));
        code.parse::<i32>().map_err(wrong)?;
    }
    if let Some(wrong) = filters
        .values("is-task")
        .iter()
        .find(|value| !matches!(value.as_str(), "true" | "false" | "0" | "1"))
    {
        return Err(ApiError::bad(format_args!("Invalid filter 'is-task=[{wrong}]'")));
    }
    // Only the `status` filter implies `all` (moby, `daemon/list.go`).
    let all = head.query.flag("all") || limit > 0 || filters.has("status");
    let matcher = Matcher::new(engine, &filters)?;
    let containers = engine.registry().newest_first();
    let mut wanted: Vec<_> = containers
        .into_iter()
        .filter(|container| matcher.matches(container, all))
        .collect();
    if limit > 0 {
        wanted.truncate(limit);
    }
    Ok(Reply::json(
        200,
        &wanted
            .iter()
            .map(|container| container.summary(&engine.networks))
            .collect::<Vec<_>>(),
    ))
}

/// The filters of a list, prepared.
struct Matcher<'a> {
    filters: &'a Filters,
    names: Vec<Option<Regex>>,
    images: Vec<String>,
    after: Option<i64>,
    before: Option<i64>,
    never: bool,
}

impl<'a> Matcher<'a> {
    fn new(engine: &Engine, filters: &'a Filters) -> Result<Self, ApiError> {
        let created = |name: &str| {
            filters
                .values(name)
                .first()
                .map(|key| {
                    let created = engine.find(key).map(|c| c.created);
                    created.map_err(|_| ApiError::internal(format_args!("no such container {key}")))
                })
                .transpose()
        };
        let images = engine.images();
        Ok(Self {
            filters,
            // An invalid regular expression matches nothing.
            names: filters
                .values("name")
                .iter()
                .map(|text| Regex::new(text).ok())
                .collect(),
            images: filters
                .values("ancestor")
                .iter()
                .filter_map(|name| images.find(name))
                .map(|i| i.id.clone())
                .collect(),
            after: created("since")?,
            before: created("before")?,
            // Simulated containers have no health check, volume or port.
            never: ["volume", "publish", "expose"].iter().any(|name| filters.has(name))
                || !filters.any("health", |health| health == "none")
                || !filters.any("is-task", |task| matches!(task, "false" | "0")),
        })
    }

    fn matches(&self, container: &Container, all: bool) -> bool {
        let state = container.state();
        let filters = self.filters;
        let network = &container.config.host.network;
        !self.never
            && (all || state.runs())
            && filters.any("id", |id| container.id.starts_with(id))
            && (self.names.is_empty()
                || self
                    .names
                    .iter()
                    .flatten()
                    .any(|name| name.is_match(&format!("/{}", state.name)) || name.is_match(&state.name)))
            && filters.any("status", |status| status == state.status.name())
            && filters.any("exited", |code| {
                state.status == Status::Exited && code == state.exit_code.to_string()
            })
            && filters.any("network", |name| {
                name == network || (name == "bridge" && network == "default")
            })
            && (!filters.has("ancestor") || self.images.contains(&container.config.image_id))
            && self.after.is_none_or(|created| container.created > created)
            && self.before.is_none_or(|created| container.created < created)
            && filters.labels(&container.config.labels)
    }
}

pub(super) fn create(engine: &Engine, request: &Request<'_>) -> Result<Reply, ApiError> {
    let body: CreateBody = request.json()?;
    let container = engine.create(request.head.query.text("name"), body)?;
    let words = container.config.argv();
    let warnings = match words.first() {
        Some(program) if Process::is_idle(&words) => vec![format!(
            "the simulated engine runs no programs: `{program}` prints nothing and runs until it is stopped"
        )],
        _ => Vec::new(),
    };
    Ok(Reply::json(201, &json!({ "Id": container.id, "Warnings": warnings })))
}

pub(super) fn inspect(engine: &Engine, key: &str) -> Result<Reply, ApiError> {
    Ok(Reply::json(200, &engine.find(key)?.inspect(&engine.networks)))
}

fn effect_reply(effect: Effect) -> Reply {
    Reply::empty(if effect == Effect::Changed { 204 } else { 304 })
}

pub(super) fn start(engine: &Engine, key: &str) -> Result<Reply, ApiError> {
    Ok(effect_reply(engine.start(&engine.find(key)?)?))
}

pub(super) async fn stop(
    engine: &Engine,
    head: &Head,
    key: &str,
    disconnected: impl Future<Output = ()>,
) -> Result<Reply, ApiError> {
    let container = engine.find(key)?;
    Ok(effect_reply(
        engine.stop(&container, head.query.number("t")?, disconnected).await?,
    ))
}

pub(super) async fn restart(
    engine: &Engine,
    head: &Head,
    key: &str,
    disconnected: impl Future<Output = ()>,
) -> Result<Reply, ApiError> {
    let container = engine.find(key)?;
    engine.stop(&container, head.query.number("t")?, disconnected).await?;
    engine.start(&container)?;
    engine.announce(&container, "restart", &[]);
    Ok(Reply::empty(204))
}

pub(super) fn kill(engine: &Engine, head: &Head, key: &str) -> Result<Reply, ApiError> {
    let name = Some(head.query.text("signal"))
        .filter(|name| !name.is_empty())
        .unwrap_or("KILL");
    let signal = signal_number(name).ok_or_else(|| ApiError::bad(format_args!("Invalid signal: {name}")))?;
    engine.kill(&engine.find(key)?, key, signal)?;
    Ok(Reply::empty(204))
}

pub(super) fn pause(engine: &Engine, key: &str) -> Result<Reply, ApiError> {
    engine.pause(&*engine.find(key)?)?;
    Ok(Reply::empty(204))
}

pub(super) fn unpause(engine: &Engine, key: &str) -> Result<Reply, ApiError> {
    engine.unpause(&engine.find(key)?)?;
    Ok(Reply::empty(204))
}

pub(super) fn rename(engine: &Engine, head: &Head, key: &str) -> Result<Reply, ApiError> {
    engine.rename(&*engine.find(key)?, head.query.text("name"))?;
    Ok(Reply::empty(204))
}

pub(super) fn remove(engine: &Engine, head: &Head, key: &str) -> Result<Reply, ApiError> {
    engine.remove(&engine.find(key)?, head.query.flag("force"))?;
    Ok(Reply::empty(204))
}

/// Removes stopped containers that match the filters.
pub(super) fn prune(engine: &Engine, head: &Head) -> Result<Reply, ApiError> {
    let filters = Filters::parse(&head.query, &["label", "label!", "until"])?;
    let until = filters.until(clock::now())?;
    let containers = engine.registry().newest_first();
    let mut removed = Vec::new();
    for container in containers {
        let dead = matches!(container.state().status, Status::Created | Status::Exited);
        let old_enough = until.is_none_or(|until| container.created <= until);
        if dead && old_enough && filters.labels(&container.config.labels) && engine.remove(&container, false).is_ok() {
            removed.push(container.id.clone());
        }
    }
    engine.announce_prune("container", 0);
    let removed = if removed.is_empty() {
        json!(null)
    } else {
        json!(removed)
    };
    Ok(Reply::json(
        200,
        &json!({ "ContainersDeleted": removed, "SpaceReclaimed": 0 }),
    ))
}

/// Parses the parameters of `/logs`.
pub(super) fn logs(engine: &Engine, head: &Head, key: &str) -> Result<(Arc<Container>, Select), ApiError> {
    let query = &head.query;
    let (stdout, stderr) = (query.flag("stdout"), query.flag("stderr"));
    if !stdout && !stderr {
        return Err(ApiError::bad("Bad parameters: you must choose at least one stream"));
    }
    let container = engine.find(key)?;
    if !container.config.host.log_is_readable() {
        return Err(ApiError::new(501, "configured logging driver does not support reading"));
    }
    let select = Select {
        stdout,
        stderr,
        // For logs, 0 means no bound (moby, `daemon/logs.go`); for events it is the epoch.
        since: query.time("since")?.filter(|at| *at != 0),
        until: query.time("until")?.filter(|at| *at != 0),
        timestamps: query.flag("timestamps"),
        details: query.flag("details").then(|| container.config.details()),
        // "all" and anything that is no number select the whole log.
        tail: query.text("tail").parse().ok(),
        raw: container.config.tty,
        unchunked: head.is_http10,
    };
    Ok((container, select))
}

/// Parses the parameters of `/attach`: output from now on, with `logs` also earlier output. Input is discarded.
pub(super) fn attach(engine: &Engine, head: &Head, key: &str) -> Result<(Arc<Container>, Select), ApiError> {
    let container = engine.find(key)?;
    if container.state().status == Status::Paused {
        return Err(ApiError::conflict(format_args!(
            "container {key} is paused, unpause the container before attach"
        )));
    }
    let select = Select {
        stdout: head.query.flag("stdout"),
        stderr: head.query.flag("stderr"),
        tail: (!head.query.flag("logs")).then_some(0),
        raw: container.config.tty,
        unchunked: true,
        ..Select::default()
    };
    engine.announce(&container, "attach", &[]);
    Ok((container, select))
}

pub(super) fn wait(engine: &Engine, head: &Head, key: &str) -> Result<(Arc<Container>, WaitFor), ApiError> {
    let what = match head.query.text("condition") {
        "next-exit" => WaitFor::NextExit,
        "removed" => WaitFor::Removed,
        _ => WaitFor::NotRunning,
    };
    Ok((engine.find(key)?, what))
}

/// Returns the number of containers in each state.
pub(super) fn count(engine: &Engine) -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for container in engine.registry().newest_first() {
        *count.entry(container.state().status.name()).or_default() += 1;
    }
    count
}
