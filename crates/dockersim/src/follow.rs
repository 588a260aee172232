//! Long-lived responses: followed logs and events, attached output, and `/wait`.
//!
//! Each is one task. It sleeps until there is data, and ends when the client disconnects.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::{self, Nanos};
use crate::container::{Container, Status};
use crate::event::{Event, Subscription};
use crate::filter::Filters;
use crate::http::{Connection, ConnectionError, Head, JSON, Reply};
use crate::log::{Progress, Reader, Select};

/// Bytes of a log that are copied at a time, so that a container's lock is held for microseconds.
const READ_BYTES: usize = 32 << 10;

/// Longest sleep: timers have a limit, and `until` may be any time.
const MAX_SLEEP: Duration = Duration::from_secs(400 * 86_400);

/// Writes a container's log; with `follow`, also later lines until the container ends.
pub(crate) async fn send_logs(
    connection: &mut Connection,
    head: &Head,
    container: Arc<Container>,
    select: Select,
    follow: bool,
) -> Result<(), ConnectionError> {
    // Docker follows a container only if it runs now.
    let run = {
        let state = container.state();
        (follow && state.is_alive()).then_some(state.run)
    };
    connection.write(&Reply::streaming(head, "")).await?;
    let mut reader = Reader::new(Arc::clone(&container), &select);
    let mut caught_up = false;
    loop {
        let changed = container.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        // Checked before the log is read, so that the last line of an ending container is not missed.
        let ended = run.is_none_or(|run| {
            let state = container.state();
            state.run != run || !state.is_alive()
        });
        let mut out = Vec::new();
        let progress = reader.read(&select, &mut out, READ_BYTES);
        if !out.is_empty() {
            connection.write(&out).await?;
        }
        drop(out);
        let has_caught_up = caught_up;
        caught_up |= progress != Progress::More;
        match progress {
            Progress::More => continue,
            // Docker checks `until` only against new lines: neither the time nor an old line ends a followed log.
            Progress::Ended if !ended && !has_caught_up => reader.skip_to_end(),
            Progress::Ended => break,
            Progress::CaughtUp if ended => break,
            Progress::CaughtUp => {}
        }
        tokio::select! {
            () = changed => {}
            () = connection.closed() => return Ok(()),
        }
    }
    Ok(connection.write_last_chunk().await?)
}

/// Interval at which an attached, silent client is checked for being connected.
const PEER_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Streams a container's output on the raw connection until it ends. A stopped container is awaited.
pub(crate) async fn send_attached(
    connection: &mut Connection,
    head: &Head,
    container: Arc<Container>,
    select: Select,
) -> Result<(), ConnectionError> {
    let run = {
        let state = container.state();
        if state.is_alive() { state.run } else { state.run + 1 }
    };
    let mut reader = Reader::new(Arc::clone(&container), &select);
    connection.write(Reply::attached(head)).await?;
    let mut half_closed = false;
    loop {
        let changed = container.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let ended = {
            let state = container.state();
            state.run > run || (state.run == run && !state.is_alive()) || state.removed
        };
        let mut out = Vec::new();
        let progress = reader.read(&select, &mut out, READ_BYTES);
        connection.write(&out).await?;
        drop(out);
        match progress {
            Progress::More => continue,
            _ if ended => return Err(ConnectionError::Detached),
            _ => {}
        }
        tokio::select! {
            () = changed => {}
            () = connection.closed(), if !half_closed => half_closed = true,
            () = tokio::time::sleep(PEER_CHECK_INTERVAL), if half_closed => {
                if connection.is_abandoned().await {
                    return Err(ConnectionError::Detached);
                }
            }
        }
    }
}

/// Sleeps until a wall-clock time; without one, forever.
async fn sleep_until(until: Option<Nanos>) {
    match until {
        None => std::future::pending().await,
        Some(until) => {
            let left = u64::try_from(until.saturating_sub(clock::now())).map_or(Duration::ZERO, Duration::from_nanos);
            tokio::time::sleep(left.min(MAX_SLEEP)).await;
        }
    }
}

/// Writes the events that match the filters, past ones first.
pub(crate) async fn send_events(
    connection: &mut Connection,
    head: &Head,
    subscription: Subscription,
    filters: Filters,
    until: Option<Nanos>,
) -> Result<(), ConnectionError> {
    let Subscription { past, mut live } = subscription;
    connection.write(&Reply::streaming(head, JSON)).await?;
    for event in past {
        if until.is_some_and(|until| event.time_nano > until) {
            break;
        }
        send_event(connection, &event, &filters).await?;
    }
    loop {
        tokio::select! {
            event = live.recv() => match event {
                Ok(event) => send_event(connection, &event, &filters).await?,
                // As in Docker, a client that reads too slowly loses events.
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "a client reads events too slowly"),
                Err(RecvError::Closed) => break,
            },
            () = connection.closed() => return Ok(()),
            () = sleep_until(until) => break,
        }
    }
    Ok(connection.write_last_chunk().await?)
}

async fn send_event(connection: &mut Connection, event: &Event, filters: &Filters) -> io::Result<()> {
    if !matches(event, filters) {
        return Ok(());
    }
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    connection.write_chunk(&line).await
}

/// Returns true if an event passes the filters (moby, `daemon/events/filter.go`).
fn matches(event: &Event, filters: &Filters) -> bool {
    let attributes = &event.actor.attributes;
    let name = attributes.get("name").map_or("", String::as_str);
    let is = |kind: &str| event.kind == kind;
    // A prefix of the id or name, for events of any kind (moby, `fuzzyMatchName`).
    let names = |wanted: &str| event.actor.id.starts_with(wanted) || name.starts_with(wanted);
    filters.any("type", |kind| is(kind))
        && filters.any("event", |action| event.action == action)
        && filters.any("scope", |scope| scope == "local")
        && filters.any("container", names)
        && filters.any("network", names)
        && filters.any("volume", names)
        && filters.any("image", |wanted| {
            let image = if is("image") {
                name
            } else {
                attributes.get("image").map_or("", String::as_str)
            };
            image == wanted || image.split(':').next() == Some(wanted) || event.actor.id == wanted
        })
        && !filters.has("daemon")
        && filters.labels(attributes)
}

/// The condition that a client of `/wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    NotRunning,
    NextExit,
    Removed,
}

/// Writes the head at once, as Docker does, and the exit code when it is known.
pub(crate) async fn send_exit(
    connection: &mut Connection,
    head: &Head,
    container: Arc<Container>,
    condition: WaitFor,
) -> Result<(), ConnectionError> {
    let first = {
        let state = container.state();
        (state.run, state.is_alive(), state.finished)
    };
    connection.write(&Reply::streaming(head, JSON)).await?;
    let waited = container.until(|state| match condition {
        WaitFor::NotRunning => !state.is_alive() && state.status != Status::Restarting,
        WaitFor::Removed => state.removed,
        // The exit of the current start, or of the next one.
        WaitFor::NextExit => state.finished != first.2 && (state.run > first.0 || first.1) || state.removed,
    });
    tokio::select! {
        () = waited => {}
        () = connection.closed() => return Ok(()),
    }
    let code = container.state().exit_code;
    let mut body = serde_json::to_vec(&json!({ "Error": null, "StatusCode": code })).unwrap_or_default();
    body.push(b'\n');
    connection.write_chunk(&body).await?;
    Ok(connection.write_last_chunk().await?)
}
