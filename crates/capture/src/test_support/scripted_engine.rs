//! A scripted engine over in-memory connections.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::frame::Stream;
use crate::http::connector::Connection;
use crate::http::connector::{Connecting, Connector};
use crate::timestamp::Timestamp;

/// 2026-11-22T20:25:47Z, the start of the scripted engine's clock.
const EPOCH_NANOS: i64 = 1_795_379_147_000_000_000;

/// A scripted container.
#[derive(Clone, Debug)]
pub(crate) struct ScriptedContainer {
    pub(crate) name: String,
    pub(crate) running: bool,
    pub(crate) started_at: u64,
    pub(crate) log: Vec<(Stream, i64, String)>,
    /// The number of repetitions, and the number of lines in the last one. Streams that were open then sent them again.
    repeated: (u64, usize),
}

/// The behavior of the scripted engine towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineBehavior {
    Normal,
    /// No process listens.
    NotListening,
    /// It accepts connections and answers none, like a stopped process.
    Hanging,
    /// Every log ends at once.
    LogsEndAtOnce,
    /// Every log ends at once and looks empty.
    LogsEmpty,
    /// Every log breaks off within its last frame.
    LogsTruncated,
    /// A followed log ends with its container, without the last lines.
    LogsEndEarly,
    /// Logs cannot be read.
    LogsUnreadable,
    /// Logs are refused as those of containers that are being removed.
    LogsRefused,
    /// Lists of containers fail.
    ListsFail,
}

#[derive(Debug)]
struct State {
    behavior: EngineBehavior,
    containers: BTreeMap<String, ScriptedContainer>,
    events: Vec<String>,
    connections: usize,
    most_connections: usize,
    logs_opened: u64,
    /// Log streams with a lower number stay open and send nothing any more.
    frozen_below: u64,
    events_cut: u64,
    /// Containers whose log requests are accepted and never answered.
    mute: BTreeSet<String>,
    requests: Vec<String>,
}

/// An engine in memory.
#[derive(Clone)]
pub(crate) struct ScriptedEngine {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    serving: TaskTracker,
}

/// A guard that counts an open connection.
struct ConnectionGuard(Arc<Mutex<State>>);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        // A failed test poisons the lock.
        if let Ok(mut state) = self.0.lock() {
            state.connections -= 1;
        }
    }
}

impl ScriptedEngine {
    pub(crate) fn new() -> Self {
        let state = State {
            behavior: EngineBehavior::Normal,
            containers: BTreeMap::new(),
            events: Vec::new(),
            connections: 0,
            most_connections: 0,
            logs_opened: 0,
            frozen_below: 0,
            events_cut: 0,
            mute: BTreeSet::new(),
            requests: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(0),
            serving: TaskTracker::new(),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state.lock().unwrap());
        self.changed.send_modify(|times| *times += 1);
        done
    }

    pub(crate) fn set(&self, behavior: EngineBehavior) {
        self.with(|state| state.behavior = behavior);
    }

    /// Starts a container, for the first time or again, and sends an event.
    pub(crate) fn start(&self, id: &str) {
        self.with(|state| {
            let container = state
                .containers
                .entry(id.to_owned())
                .or_insert_with(|| ScriptedContainer {
                    name: format!("name-{id}"),
                    running: false,
                    started_at: 0,
                    log: Vec::new(),
                    repeated: (0, 0),
                });
            container.running = true;
            container.started_at += 1;
            let name = container.name.clone();
            state.event("start", id, &name);
        });
    }

    pub(crate) fn stop(&self, id: &str) {
        self.with(|state| {
            let container = state.containers.get_mut(id).unwrap();
            container.running = false;
            let name = container.name.clone();
            state.event("die", id, &name);
        });
    }

    pub(crate) fn remove(&self, id: &str) {
        self.with(|state| {
            let container = state.containers.remove(id).unwrap();
            state.event("destroy", id, &container.name);
        });
    }

    pub(crate) fn rename(&self, id: &str, name: &str) {
        self.with(|state| {
            name.clone_into(&mut state.containers.get_mut(id).unwrap().name);
            state.event("rename", id, name);
        });
    }

    /// Writes a line of a container with the current (paused) time.
    pub(crate) fn write(&self, id: &str, stream: Stream, text: &str) {
        let time = now().as_nanos();
        self.with(|state| {
            let log = &mut state.containers.get_mut(id).unwrap().log;
            // As in the real engine, no two lines of an output share a timestamp.
            let time = log.last().map_or(time, |last| time.max(last.1 + 1));
            log.push((stream, time, text.to_owned()));
        });
    }

    /// Drops the oldest `count` lines of a log.
    pub(crate) fn drop_lines(&self, id: &str, count: usize) {
        self.with(|state| drop(state.containers.get_mut(id).unwrap().log.drain(..count)));
    }

    /// Sends the last `count` lines again on every open stream of the container.
    pub(crate) fn repeat(&self, id: &str, count: usize) {
        self.with(|state| {
            let repeated = &mut state.containers.get_mut(id).unwrap().repeated;
            *repeated = (repeated.0 + 1, count);
        });
    }

    /// Ends all event streams. Events until the next subscription are lost.
    pub(crate) fn cut_events(&self) {
        self.with(|state| state.events_cut += 1);
    }

    /// Silences all open log streams for ever, without ending them.
    pub(crate) fn freeze_open_logs(&self) {
        self.with(|state| state.frozen_below = state.logs_opened);
    }

    /// Stops answering requests for the container's log; open streams continue.
    pub(crate) fn mute(&self, id: &str) {
        self.with(|state| state.mute.insert(id.to_owned()));
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub(crate) fn most_connections(&self) -> usize {
        self.state.lock().unwrap().most_connections
    }

    /// Returns the targets of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    async fn serve(self, mut connection: DuplexStream) -> io::Result<()> {
        let _open = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.most_connections = state.most_connections.max(state.connections);
            ConnectionGuard(Arc::clone(&self.state))
        };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if connection.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let target = String::from_utf8_lossy(&request)
            .split(' ')
            .nth(1)
            .unwrap_or("")
            .to_owned();
        let behavior = self.with(|state| {
            state.requests.push(target.clone());
            state.behavior
        });
        if behavior == EngineBehavior::Hanging {
            // Ends when the client closes the connection.
            return connection.read_u8().await.map(|_| ());
        }
        let path = target.split('?').next().unwrap_or("").to_owned();
        match path.split('/').skip(1).collect::<Vec<_>>()[..] {
            ["events"] => self.serve_events(connection).await,
            ["containers", "json"] if behavior == EngineBehavior::ListsFail => {
                answer(
                    &mut connection,
                    "500 Internal Server Error",
                    r#"{"message":"lists fail"}"#,
                )
                .await
            }
            ["containers", "json"] => {
                let list = self.with(|state| state.list());
                answer(&mut connection, "200 OK", &list).await
            }
            ["containers", id, "json"] => {
                let found = self.with(|state| state.containers.get(id).map(ScriptedContainer::inspected));
                match found {
                    Some(body) => answer(&mut connection, "200 OK", &body).await,
                    None => answer(&mut connection, "404 Not Found", r#"{"message":"No such container"}"#).await,
                }
            }
            ["containers", _, "logs"] if behavior == EngineBehavior::LogsUnreadable => {
                let body = r#"{"message":"configured logging driver does not support reading"}"#;
                answer(&mut connection, "501 Not Implemented", body).await
            }
            ["containers", _, "logs"] if behavior == EngineBehavior::LogsRefused => {
                let body = r#"{"message":"can not get logs from container which is dead or marked for removal"}"#;
                answer(&mut connection, "409 Conflict", body).await
            }
            ["containers", id, "logs"] if self.with(|state| state.mute.contains(id)) => {
                connection.read_u8().await.map(|_| ())
            }
            ["containers", id, "logs"] => self.serve_log(connection, id, &target, behavior).await,
            _ => answer(&mut connection, "404 Not Found", r#"{"message":"page not found"}"#).await,
        }
    }

    async fn serve_events(&self, mut connection: DuplexStream) -> io::Result<()> {
        let mut changed = self.changed.subscribe();
        let (mut at, cut) = self.with(|state| (state.events.len(), state.events_cut));
        connection.write_all(HEAD).await?;
        loop {
            let (new, ended) = {
                let state = self.state.lock().unwrap();
                (
                    state.events[at..].to_vec(),
                    state.behavior == EngineBehavior::NotListening || state.events_cut != cut,
                )
            };
            if ended {
                return Ok(());
            }
            at += new.len();
            for event in new {
                chunk(&mut connection, format!("{event}\n").as_bytes()).await?;
            }
            if !wait(&mut connection, &mut changed).await {
                return Ok(());
            }
        }
    }

    async fn serve_log(
        &self,
        mut connection: DuplexStream,
        id: &str,
        target: &str,
        behavior: EngineBehavior,
    ) -> io::Result<()> {
        let parameter = |name: &str| {
            let (_, query) = target.split_once('?')?;
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let since: i64 = parameter("since").map_or(i64::MIN, |since| {
            let (seconds, nanos) = since.split_once('.').unwrap();
            seconds.parse::<i64>().unwrap() * 1_000_000_000 + nanos.parse::<i64>().unwrap()
        });
        let tail = parameter("tail").map_or(usize::MAX, |tail| tail.parse().unwrap());
        let mut changed = self.changed.subscribe();
        let live = self.with(|state| state.containers.get(id).is_some_and(|container| container.running));
        let (number, mut last, mut repeated) = self.with(|state| {
            state.logs_opened += 1;
            let log = &state.containers[id].log;
            // Lines are found by their timestamps, because the log may lose its oldest.
            let before = log
                .len()
                .checked_sub(tail.saturating_add(1))
                .map_or(i64::MIN, |index| log[index].1);
            let repeated = state.containers[id].repeated.0;
            (state.logs_opened - 1, before.max(since.saturating_sub(1)), repeated)
        });
        connection.write_all(HEAD).await?;
        if behavior == EngineBehavior::LogsEmpty {
            return connection.write_all(b"0\r\n\r\n").await;
        }
        loop {
            let (new, running, frozen, away) = {
                let state = self.state.lock().unwrap();
                let container = state.containers.get(id);
                let log = container.map_or(&[][..], |container| &container.log);
                let (times, count) = container.map_or((0, 0), |container| container.repeated);
                if times > repeated {
                    // Go back before the repeated lines.
                    let sent = log.iter().take_while(|line| line.1 <= last).count();
                    let back = sent.checked_sub(count + 1).map_or(i64::MIN, |index| log[index].1);
                    (repeated, last) = (times, back);
                }
                let new: Vec<_> = log.iter().filter(|line| line.1 > last).cloned().collect();
                let running = container.is_some_and(|container| container.running);
                (
                    new,
                    running,
                    number < state.frozen_below,
                    state.behavior == EngineBehavior::NotListening,
                )
            };
            if away {
                return Ok(());
            }
            if behavior == EngineBehavior::LogsEndEarly && live && !running {
                return connection.write_all(b"0\r\n\r\n").await;
            }
            if !frozen {
                for (stream, time, text) in new {
                    last = time;
                    let frame = frame(stream, time, &text);
                    let cut = if behavior == EngineBehavior::LogsTruncated {
                        frame.len() - 3
                    } else {
                        frame.len()
                    };
                    chunk(&mut connection, &frame[..cut]).await?;
                    if behavior == EngineBehavior::LogsTruncated {
                        return connection.write_all(b"0\r\n\r\n").await;
                    }
                }
                if !running || behavior == EngineBehavior::LogsEndAtOnce {
                    return connection.write_all(b"0\r\n\r\n").await;
                }
            }
            if !wait(&mut connection, &mut changed).await {
                return Ok(());
            }
        }
    }
}

impl State {
    fn event(&mut self, action: &str, id: &str, name: &str) {
        let time = EPOCH_NANOS + i64::try_from(self.events.len()).unwrap();
        let event = serde_json::json!({
            "Action": action, "Actor": { "ID": id, "Attributes": { "name": name } }, "timeNano": time,
        });
        self.events.push(event.to_string());
    }

    fn list(&self) -> String {
        let listed = self.containers.iter().map(|(id, container)| {
            let state = if container.running { "running" } else { "exited" };
            serde_json::json!({ "Id": id, "Names": [format!("/{}", container.name)], "Labels": {}, "State": state })
        });
        serde_json::Value::Array(listed.collect()).to_string()
    }
}

impl ScriptedContainer {
    fn inspected(&self) -> String {
        let state = serde_json::json!({ "Running": self.running, "StartedAt": self.started_at.to_string() });
        serde_json::json!({ "State": state, "Config": { "Tty": false } }).to_string()
    }
}

impl Connector for ScriptedEngine {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            if self.state.lock().unwrap().behavior == EngineBehavior::NotListening {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (client, server) = tokio::io::duplex(64 * 1024);
            let this = self.clone();
            self.serving.spawn(async move {
                // Ends when the client closes the connection.
                let _ = this.serve(server).await;
            });
            Ok(Box::new(client) as Connection)
        })
    }

    fn endpoint(&self) -> String {
        "memory".to_owned()
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn answer(connection: &mut DuplexStream, status: &str, body: &str) -> io::Result<()> {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    connection.write_all(text.as_bytes()).await
}

async fn chunk(connection: &mut DuplexStream, bytes: &[u8]) -> io::Result<()> {
    connection
        .write_all(format!("{:x}\r\n", bytes.len()).as_bytes())
        .await?;
    connection.write_all(bytes).await?;
    connection.write_all(b"\r\n").await
}

fn frame(stream: Stream, time: i64, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Timestamp::from_nanos(time).write_rfc3339(&mut body);
    body.extend_from_slice(format!(" {text}\n").as_bytes());
    let mut frame = vec![1 + u8::try_from(stream.index()).unwrap(), 0, 0, 0];
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&body);
    frame
}

/// Waits for a change. Returns `false` if the client has closed the connection.
async fn wait(connection: &mut DuplexStream, changed: &mut watch::Receiver<u64>) -> bool {
    tokio::select! {
        changed = changed.changed() => changed.is_ok(),
        _ = connection.read_u8() => false,
    }
}

/// Returns the start of this test's runtime.
pub(super) fn started() -> tokio::time::Instant {
    thread_local! {
        static STARTED: OnceLock<tokio::time::Instant> = const { OnceLock::new() };
    }
    STARTED.with(|started| *started.get_or_init(tokio::time::Instant::now))
}

/// Returns the time of the scripted engine, which is the paused one.
pub(super) fn now() -> Timestamp {
    Timestamp::from_nanos(EPOCH_NANOS + i64::try_from(started().elapsed().as_nanos()).unwrap())
}
