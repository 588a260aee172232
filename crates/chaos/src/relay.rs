//! One client's connection and its connection to the engine: bytes in both directions, under the active faults.
//!
//! A relay is one task, and it holds no buffer while nothing moves. Clients of the Docker API do not pipeline, so the
//! engine's bytes always belong to the request that was forwarded last.

mod client;
mod delayed_events;
mod flow;
mod frame;
mod log_stream;
mod response;
mod write_buffer;

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::context::ProxyContext;
use crate::fault_schedule::ActiveFaults;
use crate::http::{Request, RequestScanner};
use crate::identity::{Identity, connect};
use client::Client;
use flow::Flow;
use response::Response;
use write_buffer::WriteBuffer;

/// Longest read from the engine. Its buffer is on the stack, and only while bytes move.
const READ_SIZE: usize = 32 << 10;

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
        let (flow, timer) = relay.response.flow(Instant::now());
        if relay.closing && relay.to_client.is_empty() {
            return Ok(());
        }
        match flow {
            Flow::Close => return Ok(()),
            Flow::Reset => return relay.reset(),
            Flow::EndAtBoundary if !relay.closing => {
                relay.closing = relay.response.end_at_boundary(relay.to_client.bytes_mut());
            }
            _ => {}
        }
        if relay.response.has_held() && relay.reads_engine(flow) {
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
            Wakeup::Timer => relay.response.release_events(relay.to_client.bytes_mut()),
        }
    }
}

impl Relay<'_> {
    fn reads_engine(&self, flow: Flow) -> bool {
        flow.reads_engine() && self.to_client.is_empty() && !self.closing
    }

    async fn wait(&mut self, flow: Flow, timer: Option<Instant>) -> io::Result<Wakeup> {
        let reads_engine = self.reads_engine(flow);
        let reads_client = self.to_engine.is_empty() && !self.client_done && !self.closing;
        let writes_client = !self.to_client.is_empty() && flow != Flow::Blocked;
        let has_faults = self.response.is_affected_by_faults();
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
        self.response = Response::new(request, self.context.has_delays);
        self.inspection = None;
        self.refresh_faults();
        // If an active fault selects containers, the request waits for its container's identity: it may be refused.
        if let Some(inspection) = self.inspection.take() {
            let identity = inspection.await;
            self.set_identity(identity);
        }
        if let Some(status) = self.response.refusal_status() {
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
        let Some(container) = self.response.refresh_faults(&active_faults) else {
            return;
        };
        if self.inspection.is_some() {
            return;
        }
        let identities = &self.context.identities;
        if let Some(identity) = identities.cached(container) {
            return self.set_identity(identity);
        }
        let container = container.to_owned();
        self.inspection = Some(Box::pin(async move { identities.resolve(&container).await }));
    }

    /// Sets the identity of the log's container.
    fn set_identity(&mut self, identity: Arc<Identity>) {
        self.inspection = None;
        self.response
            .set_identity(identity, &self.active_faults.borrow_and_update());
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
        let held = self.response.take_held();
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
        self.closing |= self
            .response
            .forward(bytes, flow, &self.client.stream, &mut self.to_client)?;
        Ok(())
    }

    /// Delivers half of the available bytes and resets the connection.
    fn reset(mut self) -> io::Result<()> {
        let mut bytes = self.response.take_held();
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
