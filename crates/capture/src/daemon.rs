//! Start and shutdown of the daemon: sink, queue, discovery, followers, status server.

use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::discovery::Discovery;
use crate::follower::Shared;
use crate::http::client::Client;
use crate::http::connector::{Connector, Endpoint, EndpointError};
use crate::metrics::Metrics;
use crate::pool::{Pool, ROTATIONS_AT_ONCE, slots_that_fit};
use crate::queue::Queue;
use crate::runtime_metrics::RuntimeMetrics;
use crate::sink::{self, SinkError};
use crate::status::Status;
use crate::task::Tasks;
use crate::timestamp::Timestamp;
use crate::watchdog;

/// The daemon could not start, or did not end in time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The form of the engine's address is not supported.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The sink could not start.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The address of the status server is in use or not local.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Some tasks did not end within the deadline; they end with the process.
    #[error("shutdown took longer than {0:?}: {1}")]
    Hung(Duration, String),
}

/// The pause of the runtime's worker before it waits for more work.
///
/// The engine writes each line by itself, and a wake-up per line costs both sides more than the line. A Unix socket holds
/// about 270 lines of 100 bytes (the kernel counts 768 bytes for each against 208 KiB). An engine that writes 150,000 lines a
/// second needs 1.8 ms for these, so a tenth of that never makes it wait.
const PARK_PAUSE: Duration = Duration::from_micros(200);

/// Builds the recommended runtime: one worker for all tasks. The engine is slower than the daemon, and moving a line from one
/// worker to another costs more than everything else that is done with it.
///
/// # Errors
/// The error of the system if it cannot be built.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_park(|| std::thread::sleep(PARK_PAUSE))
        .enable_all()
        .build()
}

/// Follows containers until `shutdown` is cancelled, then ends within the configured deadline.
///
/// It waits for an engine that does not answer. [`runtime`] builds the recommended runtime.
///
/// # Errors
/// [`Error`] if it cannot start, or if something hangs at the end.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let endpoint = Endpoint::find(config.docker_host.as_deref())?;
    run_with(config, Arc::new(endpoint), shutdown).await
}

async fn run_with(config: Config, connector: Arc<dyn Connector>, shutdown: CancellationToken) -> Result<(), Error> {
    let listener = listen(&config).await?;
    let tasks = Tasks::default();
    let shared_slot = Arc::new(OnceLock::new());
    let runtime_metrics = RuntimeMetrics {
        runtime: Handle::current(),
        tasks: tasks.clone(),
        shared: Arc::clone(&shared_slot),
    };
    let metrics = Metrics::new(Box::new(runtime_metrics));
    let (queue, items) = Queue::new(config.queue_lines, config.queue_bytes);
    let abandon = CancellationToken::new();
    let sink = sink::start(config.sink.clone(), items, Arc::clone(&metrics), abandon.clone())?;
    let capacity = config.streams.unwrap_or_else(slots_that_fit);
    let deadline = config.shutdown_timeout;
    let shared = Arc::new(Shared {
        client: Client::new(connector, config.connect_timeout),
        config,
        metrics,
        queue,
        pool: Pool::new(capacity),
        rotations: Arc::new(Semaphore::new(ROTATIONS_AT_ONCE)),
        engine_back: watch::Sender::new(0),
        engine_away: AtomicBool::new(false),
        ready: AtomicBool::new(false),
        clock: Timestamp::now,
    });
    // It was not set before.
    let _ = shared_slot.set(Arc::downgrade(&shared));
    let discovery = Discovery::new(Arc::clone(&shared), tasks.clone(), shutdown.clone(), sink.resume);
    tasks.spawn("discovery", None, |entry| discovery.run(entry));
    let (watched, watched_tasks, unwatch) = (Arc::clone(&shared), tasks.clone(), shutdown.clone());
    tasks.spawn("watchdog", None, |entry| {
        watchdog::watch(watched, watched_tasks, unwatch, entry)
    });
    let status = Status {
        listener,
        shared: Arc::clone(&shared),
        tasks: tasks.clone(),
        cancel: shutdown.clone(),
    };
    tasks.spawn("status", None, |entry| status.run(entry));

    shutdown.cancelled().await;
    let end = Instant::now() + deadline;
    let ended = timeout_at(end, async {
        tasks.ended().await;
        shared.queue.end().await;
        // An error means that the sink's thread has ended as well.
        let _ = sink.done.await;
    });
    if ended.await.is_ok() {
        return Ok(());
    }
    abandon.cancel();
    let alive: Vec<_> = tasks.alive().iter().map(|entry| entry.describe()).collect();
    let left = if alive.is_empty() {
        "the sink still has lines to deliver".to_owned()
    } else {
        format!("{alive:?}")
    };
    Err(Error::Hung(deadline, left))
}

async fn listen(config: &Config) -> Result<TcpListener, Error> {
    let failed = |source| Error::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    // Needed with port 0. A closed standard error is not a reason to end.
    let _ = writeln!(std::io::stderr(), "listening on http://{address}");
    Ok(listener)
}
