//! The proxy: accepts connections, relays each in its own task, and stops listening while the engine is "gone".

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use leakcheck_model::scenario::FaultKind;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::ProxyContext;
use crate::event::ProxyEvent;
use crate::fault_schedule::{ActiveFault, ActiveFaults, run_schedule};
use crate::relay;
use crate::script::FaultScript;
use crate::socket_guard::{BindError, SocketGuard};

/// Pause after a failure to accept or to listen, for example without free descriptors.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A proxy that already listens; clients can connect before [`Proxy::run`] is called.
pub struct Proxy {
    listener: UnixListener,
    guard: SocketGuard,
    upstream: PathBuf,
    script: FaultScript,
    start: watch::Sender<Option<Instant>>,
}

/// A handle that starts the fault clock of a proxy.
#[derive(Clone, Debug)]
pub struct StartHandle(watch::Sender<Option<Instant>>);

impl StartHandle {
    /// Starts the clock from which the times of the faults count. Only the first call has an effect.
    pub fn start(&self) {
        self.0.send_if_modified(|started| {
            let is_first = started.is_none();
            started.get_or_insert_with(Instant::now);
            is_first
        });
    }
}

impl Proxy {
    /// Listens on `listen` for connections to the engine at `upstream`. A stale socket is replaced.
    ///
    /// # Errors
    /// If the socket cannot be created, is in use by another process, or is the engine's own.
    pub fn bind(listen: &Path, upstream: &Path, script: FaultScript) -> Result<Self, BindError> {
        let mut guard = SocketGuard::new(listen, upstream);
        Ok(Self {
            listener: guard.bind()?,
            guard,
            upstream: upstream.to_owned(),
            script,
            start: watch::channel(None).0,
        })
    }

    /// Returns a handle that starts the fault clock, also while the proxy runs.
    #[must_use]
    pub fn start_handle(&self) -> StartHandle {
        StartHandle(self.start.clone())
    }

    /// Serves until `shutdown`, then closes every connection and removes the socket. Events are lost while the channel
    /// `events` is full; a script causes two for each fault.
    pub async fn run(self, events: Option<mpsc::Sender<ProxyEvent>>, shutdown: CancellationToken) {
        let Self {
            listener,
            mut guard,
            upstream,
            script,
            start,
        } = self;
        let (sender, active_faults) = watch::channel(ActiveFaults::default());
        let context = ProxyContext::new(&upstream, &script, active_faults, events.clone());
        let schedule = run_schedule(&script, start.subscribe(), &sender, events.as_ref());
        tokio::join!(
            shutdown.run_until_cancelled(schedule),
            serve(listener, &mut guard, Arc::new(context), &shutdown)
        );
    }
}

/// Accepts connections until `shutdown`, except while the engine is gone; then waits for all of them to end.
async fn serve(
    listener: UnixListener,
    guard: &mut SocketGuard,
    context: Arc<ProxyContext>,
    shutdown: &CancellationToken,
) {
    let tasks = TaskTracker::new();
    let mut listener = Some(listener);
    while !shutdown.is_cancelled() {
        let Some(open) = listener.take() else {
            wait_until_engine(&context, EngineState::Present, shutdown).await;
            match guard.bind() {
                Ok(again) => listener = Some(again),
                Err(error) => {
                    tracing::warn!(%error, "failed to listen again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
            continue;
        };
        // All connections end when the engine is gone.
        let engine_gone = shutdown.child_token();
        tokio::select! {
            () = accept_all(&open, &context, &tasks, &engine_gone) => {}
            () = wait_until_engine(&context, EngineState::Gone, shutdown) => {}
        }
        engine_gone.cancel();
    }
    tasks.close();
    tasks.wait().await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EngineState {
    Present,
    Gone,
}

/// Waits until the active faults put the engine into this state, or until shutdown.
async fn wait_until_engine(context: &ProxyContext, state: EngineState, shutdown: &CancellationToken) {
    let mut faults = context.active_faults.clone();
    let reached = async {
        let is_gone = |faults: &ActiveFaults| engine_gone_fault(faults).is_some();
        faults
            .wait_for(|faults| is_gone(faults) == (state == EngineState::Gone))
            .await
            .is_ok()
    };
    shutdown.run_until_cancelled(reached).await;
}

/// Returns the active fault of kind `engine-gone`.
fn engine_gone_fault(faults: &ActiveFaults) -> Option<&ActiveFault> {
    faults.iter().find(|active| active.fault.kind == FaultKind::EngineGone)
}

async fn accept_all(
    listener: &UnixListener,
    context: &Arc<ProxyContext>,
    tasks: &TaskTracker,
    engine_gone: &CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tasks.spawn(relay_until(engine_gone.clone(), Arc::clone(context), client));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// Relays a connection until it ends or the engine is gone.
async fn relay_until(engine_gone: CancellationToken, context: Arc<ProxyContext>, client: UnixStream) {
    match engine_gone.run_until_cancelled(relay::run(&context, client)).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection failed"),
        None => {
            if let Some(fault) = engine_gone_fault(&context.active_faults.borrow()) {
                fault.hit();
            }
        }
    }
}
