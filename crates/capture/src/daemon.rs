//! The daemon put together: sink, queue, discovery, followers, status; and taken apart again within its deadline.

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
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pool::{Pool, ROTATIONS_AT_ONCE, slots_that_fit};
use crate::queue::Queue;
use crate::sink::{self, SinkError};
use crate::status::Status;
use crate::task::Tasks;
use crate::timestamp::Timestamp;
use crate::watchdog;
use crate::wire::dial::{Dial, Endpoint, EndpointError};
use crate::wire::request::Client;

/// Why the daemon could not begin, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine's address is of no known form.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The sink could not begin.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The address for `/metrics` is taken or not ours.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something did not end within its deadline; it ends with the process.
    #[error("shut-down took longer than {0:?}: {1}")]
    Hung(Duration, String),
}

/// How long the runtime's worker lets things come together after it has done all there was, before it waits for more.
///
/// The engine writes each line by itself. A reader that waits for the next one is woken by each, which costs both sides more
/// than the line; one that comes a little later takes many at once. A Unix socket holds about 270 lines of 100 bytes (the
/// kernel counts 768 bytes for each against 208 KiB), and an engine that writes 150 000 a second needs 1.8 ms for these: a
/// tenth of that is safe from ever making it wait.
const MODERATION: Duration = Duration::from_micros(200);

/// The runtime on which the daemon runs best: one worker for all tasks. The engine is slower than we are, and each line that
/// changes from one worker to another costs more than all else that is done with it.
///
/// # Errors
/// Whatever the system says if it cannot be built.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_park(|| std::thread::sleep(MODERATION))
        .enable_all()
        .build()
}

/// Follows containers until `shutdown` is cancelled, then ends within the configured deadline.
///
/// An engine that does not answer is no error: it is waited for. Runs best on [`runtime`].
///
/// # Errors
/// [`Error`] if it cannot begin, or if something hangs at the end.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let endpoint = Endpoint::find(config.docker_host.as_deref())?;
    run_with(config, Arc::new(endpoint), shutdown).await
}

/// [`run`], over any kind of wire.
pub(crate) async fn run_with(config: Config, dial: Arc<dyn Dial>, shutdown: CancellationToken) -> Result<(), Error> {
    let listener = listen(&config).await?;
    let tasks = Tasks::default();
    let looked_up = Arc::new(OnceLock::new());
    let live = Live {
        runtime: Handle::current(),
        tasks: tasks.clone(),
        shared: Arc::clone(&looked_up),
    };
    let metrics = Metrics::new(Box::new(live));
    let (queue, items) = Queue::new(config.queue_lines, config.queue_bytes);
    let abandon = CancellationToken::new();
    let sink = sink::start(config.sink.clone(), items, Arc::clone(&metrics), abandon.clone())?;
    let capacity = config.streams.unwrap_or_else(slots_that_fit);
    let deadline = config.shutdown_timeout;
    let shared = Arc::new(Shared {
        client: Client::new(dial, config.connect_timeout),
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
    // Fails only if it was set before.
    let _ = looked_up.set(Arc::downgrade(&shared));
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
        // The sink's thread has ended if it dropped its end of this.
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
    // For whoever asked for port 0. Standard error may be closed; that is no reason to end.
    let _ = writeln!(std::io::stderr(), "listening on http://{address}");
    Ok(listener)
}
