//! Routes requests to their handlers.

mod containers;
mod endpoint;
mod images;
mod request;
mod system;

use std::sync::Arc;

use request::{MAX_BODY, Request};

use crate::engine::Engine;
use crate::error::ApiError;
use crate::follow;
use crate::http::{Connection, ConnectionError, Content, Head, Reply};

/// Answers one request.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    connection: &mut Connection,
    head: &Head,
) -> Result<(), ConnectionError> {
    if head.expects_continue {
        connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut body = Vec::new();
    let length = connection.read_body(head.framing, &mut body, MAX_BODY).await?;
    let request = Request {
        head,
        body: &body,
        length,
    };
    let segments: Vec<&str> = head.path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let Err(error) = check(head, &segments) {
        return Ok(connection.write(&Reply::error(head, error).bytes(head)).await?);
    }
    let reply = match (head.method.as_str(), &segments[..]) {
        // Streams write their own response heads.
        ("GET", ["containers", key, "logs"]) => match containers::logs(engine, head, key) {
            Ok((container, select)) => {
                let following = head.query.flag("follow");
                return follow::send_logs(connection, head, container, select, following).await;
            }
            Err(error) => Reply::error(head, error),
        },
        ("POST", ["containers", key, "attach"]) => match containers::attach(engine, head, key) {
            Ok((container, select)) => return follow::send_attached(connection, head, container, select).await,
            Err(error) => Reply::error(head, error),
        },
        ("GET", ["events"]) => match system::events(engine, head) {
            Ok((subscription, filters, until)) => {
                return follow::send_events(connection, head, subscription, filters, until).await;
            }
            Err(error) => Reply::error(head, error),
        },
        ("POST", ["containers", key, "wait"]) => match containers::wait(engine, head, key) {
            Ok((container, what)) => return follow::send_exit(connection, head, container, what).await,
            Err(error) => Reply::error(head, error),
        },
        ("POST", ["containers", key, "stop"]) => {
            let stopped = containers::stop(engine, head, key, connection.closed()).await;
            stopped.unwrap_or_else(|error| Reply::error(head, error))
        }
        ("POST", ["containers", key, "restart"]) => {
            let restarted = containers::restart(engine, head, key, connection.closed()).await;
            restarted.unwrap_or_else(|error| Reply::error(head, error))
        }
        (method, segments) => {
            route(engine, &request, method, segments).unwrap_or_else(|error| Reply::error(head, error))
        }
    };
    Ok(connection.write(&reply.bytes(head)).await?)
}

fn route(engine: &Arc<Engine>, request: &Request<'_>, method: &str, segments: &[&str]) -> Result<Reply, ApiError> {
    let head = request.head;
    match (method, segments) {
        ("GET" | "HEAD", ["_ping"]) => Ok(ping()),
        ("GET", ["version"]) => Ok(system::version()),
        ("GET", ["info"]) => Ok(system::info(engine)),
        ("GET", ["system", "df"]) => Ok(system::disk_usage(engine)),
        ("GET", ["containers", "json"]) => containers::list(engine, head),
        ("POST", ["containers", "create"]) => containers::create(engine, request),
        ("POST", ["containers", "prune"]) => containers::prune(engine, head),
        ("GET", ["containers", key, "json"]) => containers::inspect(engine, key),
        ("POST", ["containers", key, "start"]) => containers::start(engine, key),
        ("POST", ["containers", key, "kill"]) => containers::kill(engine, head, key),
        ("POST", ["containers", key, "pause"]) => containers::pause(engine, key),
        ("POST", ["containers", key, "unpause"]) => containers::unpause(engine, key),
        ("POST", ["containers", key, "rename"]) => containers::rename(engine, head, key),
        ("DELETE", ["containers", key]) => containers::remove(engine, head, key),
        ("GET", ["images", "json"]) => images::list(engine, head),
        ("POST", ["images", "create"]) => images::create(engine, request),
        ("POST", ["images", "prune"]) => images::prune(engine, head),
        ("GET", ["images", name @ .., "json"]) => images::inspect(engine, &name.join("/")),
        ("POST", ["images", name @ .., "tag"]) => images::tag(engine, head, &name.join("/")),
        ("DELETE", ["images", name @ ..]) => images::remove(engine, head, &name.join("/")),
        ("GET", ["networks"]) => Ok(Reply::json(200, &engine.networks.list())),
        ("GET", ["networks", name]) => system::network(engine, name),
        ("POST", ["networks", "prune"]) => Ok(Reply::json(200, &serde_json::json!({ "NetworksDeleted": null }))),
        ("GET", ["volumes"]) => Ok(Reply::json(
            200,
            &serde_json::json!({ "Volumes": [], "Warnings": null }),
        )),
        ("GET", ["volumes", name]) => Err(ApiError::not_found(format_args!("get {name}: no such volume"))),
        ("GET", ["plugins"]) => Ok(Reply::json(200, &serde_json::json!([]))),
        ("GET", ["plugins", name, "json"]) => Err(ApiError::not_found(format_args!("plugin \"{name}\" not found"))),
        ("GET", ["swarm" | "nodes" | "services" | "tasks" | "secrets" | "configs", ..]) => Err(no_swarm()),
        ("POST", ["volumes", "prune"]) => Ok(Reply::json(
            200,
            &serde_json::json!({ "VolumesDeleted": [], "SpaceReclaimed": 0 }),
        )),
        (method, segments) => Err(missing(method, segments)),
    }
}

fn ping() -> Reply {
    let headers = "Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\n";
    Reply {
        status: 200,
        content: Content::Text("OK".into()),
        headers,
    }
}

/// Returns the error of an engine that is in no swarm.
fn no_swarm() -> ApiError {
    ApiError::new(
        503,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
         swarm and try again.",
    )
}

/// The newest and the oldest supported version of the API.
const NEWEST: &[u32] = &[1, 41];
const OLDEST: &[u32] = &[1, 12];

/// Rejects unknown endpoints, and versions of the API that Docker 20.10 rejects (moby,
/// `api/server/middleware/version.go`).
fn check(head: &Head, segments: &[&str]) -> Result<(), ApiError> {
    if endpoint::known(&head.method, segments).is_none() {
        return Err(ApiError::not_found("page not found"));
    }
    let (Some(version), Some(numbers)) = (&head.version, head.version_numbers()) else {
        return Ok(());
    };
    if &numbers[..] < OLDEST {
        return Err(ApiError::bad(format_args!(
            "client version {version} is too old. Minimum supported API version is 1.12, please upgrade your client to a \
             newer version"
        )));
    }
    if &numbers[..] > NEWEST {
        return Err(ApiError::bad(format_args!(
            "client version {version} is too new. Maximum supported API version is 1.41"
        )));
    }
    Ok(())
}

/// Returns the error for an endpoint of Docker that is not simulated.
fn missing(method: &str, segments: &[&str]) -> ApiError {
    let path = endpoint::known(method, segments).unwrap_or_else(|| segments.join("/"));
    ApiError::new(
        501,
        format_args!("not implemented by the simulated engine: {method} /{path}"),
    )
}
