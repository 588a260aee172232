//! One client's connection and its way to the engine: bytes in both directions, with the faults that are on.
//!
//! One task, which holds no buffer while nothing moves. Clients of the Docker API do not pipeline, so what the engine
//! sends answers the request that was forwarded last.

mod client;
mod frame;
mod late;
mod log_stream;
mod pending;
mod request;
mod response;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use leakcheck_model::scenario::FaultKind;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::identity::{Identity, connect};
use crate::proxy::Sky;
use crate::weather::Weather;
use client::Client;
use late::LateEvents;
use log_stream::{Flow, LogStream};
use pending::Pending;
use request::{Asked, Requests};

/// Bytes that are moved at a time. On the stack and only while they move.
const AT_A_TIME: usize = 32 << 10;

/// How long a hot log is left alone after a piece of it. dockerd writes each line by itself: a wire that wakes for each
/// takes the processor from who writes and who reads. A socket holds some 280 lines, which dockerd writes in a
/// millisecond and more.
const REST: Duration = Duration::from_micros(50);

/// A client's connection.
struct Relay<'a> {
    sky: &'a Sky,
    weather: watch::Receiver<Weather>,
    client: Client,
    /// Connected when there is something to ask.
    upstream: Option<UnixStream>,
    requests: Requests,
    /// On their way to the engine, and to the client.
    up: Pending,
    down: Pending,
    /// What the engine is answering, if faults can befall it.
    answer: Answer,
    /// The client has said its last; only for connections that are no HTTP any more.
    client_done: bool,
    /// Nothing more will come from the engine: the end, when everything is delivered.
    closing: bool,
    /// The engine is being asked whose log it is; meanwhile the log flows on.
    asking: Option<Asking<'a>>,
}

/// Finds out who a container is.
type Asking<'a> = Pin<Box<dyn Future<Output = Arc<Identity>> + Send + 'a>>;

/// What the engine is answering.
enum Answer {
    Other,
    Log(Box<LogStream>),
    Events(Box<LateEvents>),
}

/// What happened.
enum Turn {
    FromClient,
    FromEngine,
    ToClient,
    ToEngine,
    Weather,
    Known(Arc<Identity>),
    Time,
}

/// Relays one client's connection until either side ends it, or a fault does.
pub(crate) async fn run(sky: &Sky, client: UnixStream) -> io::Result<()> {
    let mut relay = Relay {
        sky,
        weather: sky.weather.clone(),
        client: Client::new(client, sky.plan.has(FaultKind::Reset)),
        upstream: None,
        requests: Requests::default(),
        up: Pending::default(),
        down: Pending::default(),
        answer: Answer::Other,
        client_done: false,
        closing: false,
        asking: None,
    };
    loop {
        let now = Instant::now();
        let (flow, wake) = relay.flow(now);
        if relay.closing && relay.down.is_empty() {
            return Ok(());
        }
        match flow {
            Flow::Cut => return Ok(()),
            Flow::Reset => return relay.reset(),
            Flow::EndAtBoundary => relay.end_at_boundary(),
            _ => {}
        }
        if relay.has_held(flow) {
            relay.hear_engine(flow)?;
            continue;
        }
        match relay.wait(flow, wake).await? {
            Turn::FromClient => {
                if Box::pin(relay.hear_client()).await? {
                    return Ok(());
                }
            }
            Turn::FromEngine => relay.hear_engine(flow)?,
            Turn::ToClient => relay.down.flush(&relay.client.stream)?,
            Turn::ToEngine => Box::pin(relay.ask_engine()).await?,
            Turn::Weather => relay.look_up(),
            Turn::Known(who) => relay.knows(who),
            Turn::Time => relay.on_time(),
        }
    }
}

impl Relay<'_> {
    /// How the engine's bytes flow now, and when that changes by itself.
    fn flow(&mut self, now: Instant) -> (Flow, Option<Instant>) {
        match &mut self.answer {
            Answer::Other => (Flow::Open, None),
            Answer::Log(stream) => stream.flow(now),
            Answer::Events(events) => (Flow::Open, events.wake()),
        }
    }

    /// Whether bytes that a fault held back can go on now.
    fn has_held(&self, flow: Flow) -> bool {
        let held = matches!(&self.answer, Answer::Log(stream) if stream.holds());
        held && flow.moves() && self.down.is_empty() && !self.closing
    }

    /// Bytes that a fault held back: they come before what is still in the engine's socket.
    fn take_held(&mut self) -> Vec<u8> {
        match &mut self.answer {
            Answer::Log(stream) => stream.take_held(),
            _ => Vec::new(),
        }
    }

    async fn wait(&mut self, flow: Flow, wake: Option<Instant>) -> io::Result<Turn> {
        let engine_may_talk = flow.moves() && self.down.is_empty() && !self.closing;
        let client_may_talk = self.up.is_empty() && !self.client_done && !self.closing;
        let is_fault_prone = !matches!(self.answer, Answer::Other);
        let Self {
            client,
            upstream,
            up,
            down,
            weather,
            asking,
            ..
        } = self;
        let engine = upstream.as_ref();
        tokio::select! {
            ready = client.stream.readable(), if client_may_talk => ready.map(|()| Turn::FromClient),
            ready = client.stream.writable(), if !down.is_empty() && !flow.is_shut() => ready.map(|()| Turn::ToClient),
            ready = readable(engine), if engine_may_talk => ready.map(|()| Turn::FromEngine),
            ready = writable(engine), if !up.is_empty() => ready.map(|()| Turn::ToEngine),
            changed = weather.changed(), if is_fault_prone => {
                changed.map(|()| Turn::Weather).map_err(|_| io::ErrorKind::ConnectionAborted.into())
            }
            who = answered(asking.as_mut()), if asking.is_some() => Ok(Turn::Known(who)),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Ok(Turn::Time),
        }
    }

    /// Reads what the client sends and passes it on; true if the client is gone.
    async fn hear_client(&mut self) -> io::Result<bool> {
        let Some(bytes) = self.client.hear()? else {
            return Ok(false);
        };
        if bytes.is_empty() {
            if !self.requests.is_opaque() {
                return Ok(true);
            }
            self.client_done = true;
            if let Some(upstream) = &mut self.upstream {
                upstream.shutdown().await?;
            }
            return Ok(false);
        }
        let mut rest = &bytes[..];
        while !self.closing
            && let Some(asked) = self.requests.feed(&mut rest, self.up.as_mut())
        {
            // On the heap while it lasts, so that a waiting connection is small.
            Box::pin(self.on_request(asked)).await?;
        }
        self.ask_engine().await?;
        Ok(false)
    }

    /// A request's head is complete and not forwarded yet.
    async fn on_request(&mut self, asked: Asked) -> io::Result<()> {
        self.answer = match asked {
            Asked::Log { key } => Answer::Log(Box::new(LogStream::new(key, Instant::now()))),
            Asked::Events if self.sky.plan.has(FaultKind::Delay) => Answer::Events(Box::default()),
            Asked::Events | Asked::Other => Answer::Other,
        };
        self.asking = None;
        self.look_up();
        // A request waits for the name of its container if a fault is on that chooses: it may have to be refused.
        if let Some(asking) = self.asking.take() {
            let who = asking.await;
            self.knows(who);
        }
        if let Answer::Log(stream) = &mut self.answer
            && let Some(status) = stream.refused()
        {
            self.down.as_mut().extend_from_slice(&refusal(status));
            self.answer = Answer::Other;
            self.requests.drop_head();
            self.closing = true;
            return Ok(());
        }
        self.requests.forward_head(self.up.as_mut());
        Ok(())
    }

    /// Which faults are meant for this answer; begins to ask who its container is if that matters.
    fn look_up(&mut self) {
        let weather = Arc::clone(&self.weather.borrow_and_update());
        let stream = match &mut self.answer {
            Answer::Log(stream) => stream,
            Answer::Events(events) => return events.look_up(&weather),
            Answer::Other => return,
        };
        if !stream.look_up(&weather) || self.asking.is_some() {
            return;
        }
        let sky = self.sky;
        if let Some(who) = sky.identities.known(stream.key()) {
            return self.knows(who);
        }
        let key = stream.key().to_owned();
        self.asking = Some(Box::pin(async move { sky.identities.of(&key, sky.news.get()).await }));
    }

    /// The engine has said whose log it is.
    fn knows(&mut self, who: Arc<Identity>) {
        self.asking = None;
        if let Answer::Log(stream) = &mut self.answer {
            stream.is_of(who);
            stream.look_up(&self.weather.borrow_and_update());
        }
    }

    async fn ask_engine(&mut self) -> io::Result<()> {
        if self.up.is_empty() {
            return Ok(());
        }
        let upstream = match &mut self.upstream {
            Some(upstream) => upstream,
            none => none.insert(connect(&self.sky.upstream).await?),
        };
        self.up.flush(upstream)
    }

    /// Moves what the engine has sent.
    fn hear_engine(&mut self, flow: Flow) -> io::Result<()> {
        let mut buffer = [0; AT_A_TIME];
        let held = self.take_held();
        let bytes = if held.is_empty() {
            let limit = if matches!(flow, Flow::Drip(_)) { 1 } else { AT_A_TIME };
            let Some(upstream) = &self.upstream else { return Ok(()) };
            match upstream.try_read(&mut buffer[..limit]) {
                Ok(0) => {
                    self.closing = true;
                    return Ok(());
                }
                Ok(count) => &buffer[..count],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        } else {
            &held[..]
        };
        match &mut self.answer {
            Answer::Other => self.down.send(&self.client.stream, bytes),
            Answer::Events(events) => {
                events.take(bytes, Instant::now(), self.down.as_mut());
                self.down.flush(&self.client.stream)
            }
            Answer::Log(stream) => {
                let passed = stream.pass(bytes, flow, Instant::now());
                self.down.send(&self.client.stream, &bytes[..passed.whole])?;
                self.down.send(&self.client.stream, &passed.instead)?;
                self.closing |= passed.ends;
                if stream.is_hot() {
                    // The thread and not the task: the runtime would wake it for each line that comes meanwhile.
                    std::thread::sleep(REST);
                }
                if stream.is_done() {
                    self.answer = Answer::Other;
                }
                Ok(())
            }
        }
    }

    fn on_time(&mut self) {
        if let Answer::Events(events) = &mut self.answer {
            events.release(Instant::now(), self.down.as_mut());
        }
    }

    /// Ends a log that is silent just now.
    fn end_at_boundary(&mut self) {
        if let Answer::Log(stream) = &self.answer
            && stream.is_at_boundary()
            && !self.closing
        {
            self.down.as_mut().extend_from_slice(frame::LAST_CHUNK);
            self.closing = true;
        }
    }

    /// Delivers half of what is there and breaks the connection.
    fn reset(mut self) -> io::Result<()> {
        let mut bytes = self.take_held();
        if bytes.is_empty()
            && let Some(upstream) = &self.upstream
        {
            bytes.resize(AT_A_TIME, 0);
            let count = upstream.try_read(&mut bytes).unwrap_or(0);
            bytes.truncate(count);
        }
        self.down.send(&self.client.stream, &bytes[..bytes.len() / 2])?;
        self.client.reset();
        Ok(())
    }
}

async fn readable(engine: Option<&UnixStream>) -> io::Result<()> {
    match engine {
        Some(engine) => engine.readable().await,
        None => std::future::pending().await,
    }
}

async fn answered(asking: Option<&mut Asking<'_>>) -> Arc<Identity> {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

async fn writable(engine: Option<&UnixStream>) -> io::Result<()> {
    match engine {
        Some(engine) => engine.writable().await,
        // Not connected yet: `ask_engine` does it.
        None => Ok(()),
    }
}

/// An answer that the engine never gave.
fn refusal(status: u16) -> Vec<u8> {
    let body = "{\"message\":\"broken on purpose by leakcheck chaos\"}\n";
    format!(
        "HTTP/1.1 {status} Broken On Purpose\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
