//! One client's connection and its connection to the engine: bytes in both directions, under the active faults.
//!
//! A relay is one task, and it holds no buffer while nothing moves. Clients of the Docker API do not pipeline, so the
//! engine's bytes always belong to the request that was forwarded last.

mod client;
mod delayed_events;
mod flow;
mod frame;
mod log_stream;
mod write_buffer;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use leakcheck_http1::LAST_CHUNK;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::context::ProxyContext;
use crate::fault_schedule::ActiveFaults;
use crate::http::{Request, RequestScanner};
use crate::identity::{Identity, connect};
use client::Client;
use delayed_events::DelayedEvents;
use flow::Flow;
use log_stream::LogStream;
use write_buffer::WriteBuffer;

/// Longest read from the engine. Its buffer is on the stack, and only while bytes move.
const READ_SIZE: usize = 32 << 10;

/// Pause after each read of a busy log. dockerd writes every line separately, and a proxy that wakes for each takes the
/// processor from writer and reader. A socket holds some 280 lines, which take dockerd a millisecond and more.
const BUSY_PAUSE: Duration = Duration::from_micros(50);

/// The state of a relayed connection.
struct Relay<'a> {
    context: &'a ProxyContext,
    active_faults: watch::Receiver<ActiveFaults>,
    client: Client,
    /// Connected when the first request is forwarded.
    engine: Option<UnixStream>,
    requests: RequestScanner,
    to_engine: WriteBuffer,
    to_client: WriteBuffer,
    response: Response,
    /// The client has closed its writing half of a connection that is not HTTP any more.
    client_done: bool,
    /// Nothing more comes from the engine; the relay ends when everything is delivered.
    closing: bool,
    /// The inspection of the log's container, during which the log flows on.
    inspection: Option<Inspection<'a>>,
}

type Inspection<'a> = Pin<Box<dyn Future<Output = Arc<Identity>> + Send + 'a>>;

/// The engine's current response, by the faults that can affect it.
enum Response {
    Other,
    Log(Box<LogStream>),
    Events(Box<DelayedEvents>),
}

/// The reason why a waiting relay continues.
enum Wakeup {
    ClientReadable,
    ClientWritable,
    EngineReadable,
    EngineWritable,
    FaultsChanged,
    Identified(Arc<Identity>),
    Timer,
}

/// Relays a client's connection until either side or a fault ends it.
pub(crate) async fn run(context: &ProxyContext, client: UnixStream) -> io::Result<()> {
    let mut relay = Relay {
        context,
        active_faults: context.active_faults.clone(),
        client: Client::new(client, context.has_resets),
        engine: None,
        requests: RequestScanner::default(),
        to_engine: WriteBuffer::default(),
        to_client: WriteBuffer::default(),
        response: Response::Other,
        client_done: false,
        closing: false,
        inspection: None,
    };
    loop {
        let (flow, timer) = relay.flow(Instant::now());
        if relay.closing && relay.to_client.is_empty() {
            return Ok(());
        }
        match flow {
            Flow::Close => return Ok(()),
            Flow::Reset => return relay.reset(),
            Flow::EndAtBoundary => relay.end_at_boundary(),
            _ => {}
        }
        if relay.has_held() && relay.reads_engine(flow) {
            relay.read_engine(flow)?;
            continue;
        }
        match relay.wait(flow, timer).await? {
            // Boxed, so that a waiting relay is small.
            Wakeup::ClientReadable => {
                if Box::pin(relay.read_client()).await? {
                    return Ok(());
                }
            }
            Wakeup::EngineWritable => Box::pin(relay.write_engine()).await?,
            Wakeup::EngineReadable => relay.read_engine(flow)?,
            Wakeup::ClientWritable => relay.to_client.flush(&relay.client.stream)?,
            Wakeup::FaultsChanged => relay.refresh_faults(),
            Wakeup::Identified(identity) => relay.set_identity(identity),
            Wakeup::Timer => relay.release_events(),
        }
    }
}

impl Relay<'_> {
    /// Returns how the engine's bytes flow now, and when that changes by itself.
    fn flow(&mut self, now: Instant) -> (Flow, Option<Instant>) {
        match &mut self.response {
            Response::Other => (Flow::Open, None),
            Response::Log(stream) => stream.flow(now),
            Response::Events(events) => (Flow::Open, events.next_release()),
        }
    }

    fn reads_engine(&self, flow: Flow) -> bool {
        flow.reads_engine() && self.to_client.is_empty() && !self.closing
    }

    /// Reports whether a fault held bytes back, which come before those that are still in the engine's socket.
    fn has_held(&self) -> bool {
        matches!(&self.response, Response::Log(stream) if stream.has_held())
    }

    fn take_held(&mut self) -> Vec<u8> {
        match &mut self.response {
            Response::Log(stream) => stream.take_held(),
            _ => Vec::new(),
        }
    }

    async fn wait(&mut self, flow: Flow, timer: Option<Instant>) -> io::Result<Wakeup> {
        let reads_engine = self.reads_engine(flow);
        let reads_client = self.to_engine.is_empty() && !self.client_done && !self.closing;
        let writes_client = !self.to_client.is_empty() && flow != Flow::Blocked;
        let has_faults = !matches!(self.response, Response::Other);
        let client = &self.client.stream;
        let engine = self.engine.as_ref();
        tokio::select! {
            ready = client.readable(), if reads_client => ready.map(|()| Wakeup::ClientReadable),
            ready = client.writable(), if writes_client => ready.map(|()| Wakeup::ClientWritable),
            ready = readable(engine), if reads_engine => ready.map(|()| Wakeup::EngineReadable),
            ready = writable(engine), if !self.to_engine.is_empty() => ready.map(|()| Wakeup::EngineWritable),
            changed = self.active_faults.changed(), if has_faults => {
                changed.map(|()| Wakeup::FaultsChanged).map_err(|_| io::ErrorKind::ConnectionAborted.into())
            }
            identity = identified(self.inspection.as_mut()) => Ok(Wakeup::Identified(identity)),
            () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => Ok(Wakeup::Timer),
        }
    }

    /// Reads from the client and forwards to the engine; returns true if the client is gone.
    async fn read_client(&mut self) -> io::Result<bool> {
        let Some(bytes) = self.client.read()? else {
            return Ok(false);
        };
        if bytes.is_empty() {
            if !self.requests.is_opaque() {
                return Ok(true);
            }
            self.client_done = true;
            if let Some(engine) = &mut self.engine {
                engine.shutdown().await?;
            }
            return Ok(false);
        }
        let mut rest = &bytes[..];
        while !self.closing
            && let Some(request) = self.requests.scan(&mut rest, self.to_engine.bytes_mut())
        {
            // Boxed, so that a waiting relay is small.
            Box::pin(self.begin_response(request)).await;
        }
        self.write_engine().await?;
        Ok(false)
    }

    /// Forwards the head of a request, or refuses it.
    async fn begin_response(&mut self, request: Request) {
        self.response = match request {
            Request::Log { key } => Response::Log(Box::new(LogStream::new(key, Instant::now()))),
            Request::Events if self.context.has_delays => Response::Events(Box::default()),
            Request::Events | Request::Other => Response::Other,
        };
        self.inspection = None;
        self.refresh_faults();
        // If an active fault selects containers, the request waits for its container's identity: it may be refused.
        if let Some(inspection) = self.inspection.take() {
            let identity = inspection.await;
            self.set_identity(identity);
        }
        if let Response::Log(stream) = &mut self.response
            && let Some(status) = stream.refusal_status()
        {
            self.to_client.bytes_mut().extend_from_slice(&refusal(status));
            self.response = Response::Other;
            self.requests.drop_head();
            self.closing = true;
            return;
        }
        self.requests.forward_head(self.to_engine.bytes_mut());
    }

    /// Updates the faults of the current response, and begins to inspect its container if they depend on it.
    fn refresh_faults(&mut self) {
        let active_faults = Arc::clone(&self.active_faults.borrow_and_update());
        let stream = match &mut self.response {
            Response::Log(stream) => stream,
            Response::Events(events) => return events.refresh_faults(&active_faults),
            Response::Other => return,
        };
        if !stream.refresh_faults(&active_faults) || self.inspection.is_some() {
            return;
        }
        let identities = &self.context.identities;
        if let Some(identity) = identities.cached(stream.container()) {
            return self.set_identity(identity);
        }
        let container = stream.container().to_owned();
        self.inspection = Some(Box::pin(async move { identities.resolve(&container).await }));
    }

    /// Sets the identity of the log's container.
    fn set_identity(&mut self, identity: Arc<Identity>) {
        self.inspection = None;
        if let Response::Log(stream) = &mut self.response {
            stream.set_identity(identity);
            stream.refresh_faults(&self.active_faults.borrow_and_update());
        }
    }

    /// Writes what waits for the engine, and connects to it first if necessary.
    async fn write_engine(&mut self) -> io::Result<()> {
        if self.to_engine.is_empty() {
            return Ok(());
        }
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(connect(&self.context.upstream).await?),
        };
        self.to_engine.flush(engine)
    }

    /// Reads from the engine, or takes held bytes, and forwards to the client.
    fn read_engine(&mut self, flow: Flow) -> io::Result<()> {
        let mut buffer = [0; READ_SIZE];
        let held = self.take_held();
        let bytes = if held.is_empty() {
            let limit = if matches!(flow, Flow::Drip(_)) { 1 } else { READ_SIZE };
            let Some(engine) = &self.engine else { return Ok(()) };
            match engine.try_read(&mut buffer[..limit]) {
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
        match &mut self.response {
            Response::Other => self.to_client.write(&self.client.stream, bytes),
            Response::Events(events) => {
                events.receive(bytes, Instant::now(), self.to_client.bytes_mut());
                self.to_client.flush(&self.client.stream)
            }
            Response::Log(stream) => {
                let forward = stream.forward(bytes, flow, Instant::now());
                self.to_client.write(&self.client.stream, &bytes[..forward.unchanged])?;
                self.to_client.write(&self.client.stream, &forward.appended)?;
                self.closing |= forward.closes;
                if stream.is_busy() {
                    // The thread sleeps, not the task: the runtime would wake the task for each line that arrives.
                    std::thread::sleep(BUSY_PAUSE);
                }
                if stream.is_done() {
                    self.response = Response::Other;
                }
                Ok(())
            }
        }
    }

    /// Sends the events that are due.
    fn release_events(&mut self) {
        if let Response::Events(events) = &mut self.response {
            events.release(Instant::now(), self.to_client.bytes_mut());
        }
    }

    /// Ends a log that is silent now.
    fn end_at_boundary(&mut self) {
        if let Response::Log(stream) = &self.response
            && stream.is_at_boundary()
            && !self.closing
        {
            self.to_client.bytes_mut().extend_from_slice(LAST_CHUNK);
            self.closing = true;
        }
    }

    /// Delivers half of the available bytes and resets the connection.
    fn reset(mut self) -> io::Result<()> {
        let mut bytes = self.take_held();
        if bytes.is_empty()
            && let Some(engine) = &self.engine
        {
            bytes.resize(READ_SIZE, 0);
            let count = engine.try_read(&mut bytes).unwrap_or(0);
            bytes.truncate(count);
        }
        self.to_client.write(&self.client.stream, &bytes[..bytes.len() / 2])?;
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

async fn writable(engine: Option<&UnixStream>) -> io::Result<()> {
    match engine {
        Some(engine) => engine.writable().await,
        // `write_engine` connects.
        None => Ok(()),
    }
}

async fn identified(inspection: Option<&mut Inspection<'_>>) -> Arc<Identity> {
    match inspection {
        Some(inspection) => inspection.await,
        None => std::future::pending().await,
    }
}

/// Returns a response that the engine never gave.
fn refusal(status: u16) -> Vec<u8> {
    let body = "{\"message\":\"fault injected by leakcheck chaos\"}\n";
    format!(
        "HTTP/1.1 {status} Injected Fault\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
