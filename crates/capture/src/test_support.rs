//! Test support: a scripted engine in memory, and the environment of followers, for tests with a paused clock.
//!
//! The engine speaks HTTP over `tokio::io::duplex`. Everything but the socket and the clock is the code of the daemon.

mod scripted_engine;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chunk::Identity;
use crate::config::Config;
use crate::discovery::Discovery;
use crate::follower::{Finished, Follower, Shared};
use crate::metrics::Metrics;
use crate::pool::{Pool, ROTATIONS_AT_ONCE};
use crate::queue::{Item, Queue};
use crate::resume::Position;
use crate::runtime_metrics::RuntimeMetrics;
use crate::sink::positions::Positions;
use crate::task::Tasks;
use crate::watchdog;
pub(crate) use scripted_engine::{EngineBehavior, ScriptedEngine};
use scripted_engine::{now, started};

/// Returns metrics without a daemon.
pub(crate) fn metrics() -> Arc<Metrics> {
    #[derive(Debug)]
    struct Nothing;
    impl Collector for Nothing {
        fn encode(&self, _: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
            Ok(())
        }
    }
    Metrics::new(Box::new(Nothing))
}

/// The environment of followers, and the lines that they deliver.
pub(crate) struct Harness {
    pub(crate) engine: ScriptedEngine,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Tasks,
    pub(crate) cancel: CancellationToken,
    delivered: Arc<Mutex<Vec<(String, String)>>>,
    forgotten: Arc<Mutex<Vec<String>>>,
    _sink: TaskTracker,
    /// Locked while the sink is stalled.
    stall: Arc<tokio::sync::Mutex<()>>,
    /// The time that the sink takes for each item, in milliseconds.
    slowness: Arc<AtomicU64>,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        started();
        let engine = ScriptedEngine::new();
        let tasks = Tasks::default();
        let shared_slot: Arc<OnceLock<Weak<Shared>>> = Arc::new(OnceLock::new());
        let runtime_metrics = RuntimeMetrics {
            runtime: Handle::current(),
            tasks: tasks.clone(),
            shared: Arc::clone(&shared_slot),
        };
        let (queue, items) = Queue::new(config.queue_lines, config.queue_bytes);
        let shared = Arc::new(Shared {
            client: crate::http::client::Client::new(Arc::new(engine.clone()), config.connect_timeout),
            metrics: Metrics::new(Box::new(runtime_metrics)),
            queue,
            pool: Pool::new(config.streams.unwrap_or(1000)),
            rotations: Arc::new(Semaphore::new(ROTATIONS_AT_ONCE)),
            engine_back: watch::Sender::new(0),
            engine_away: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            clock: now,
            config,
        });
        shared_slot.set(Arc::downgrade(&shared)).unwrap();
        let (delivered, forgotten) = (Arc::default(), Arc::default());
        let sink = TaskTracker::new();
        let stall = Arc::new(tokio::sync::Mutex::new(()));
        let slowness = Arc::new(AtomicU64::new(0));
        sink.spawn(collect(
            items,
            Arc::clone(&delivered),
            Arc::clone(&forgotten),
            Arc::clone(&stall),
            Arc::clone(&slowness),
        ));
        Self {
            stall,
            slowness,
            engine,
            shared,
            tasks,
            cancel: CancellationToken::new(),
            delivered,
            forgotten,
            _sink: sink,
        }
    }

    /// Follows container `id` from `position` on; the receiver gets the final report.
    pub(crate) fn follow(&self, id: &str, position: Position) -> mpsc::Receiver<Finished> {
        let (report, finished) = mpsc::channel(1);
        let identity = Arc::new(Identity::new(id.to_owned(), format!("name-{id}")));
        let (shared, cancel) = (Arc::clone(&self.shared), self.cancel.clone());
        let rotate_every = shared.config.rotate_every;
        self.tasks.spawn("follower", Some(Arc::clone(&identity)), move |entry| {
            Follower::new(shared, identity, position, entry, cancel, rotate_every).run(report)
        });
        finished
    }

    /// Starts discovery.
    pub(crate) fn discover(&self, resume: Positions) {
        let discovery = Discovery::new(
            Arc::clone(&self.shared),
            self.tasks.clone(),
            self.cancel.clone(),
            resume,
        );
        self.tasks.spawn("discovery", None, |entry| discovery.run(entry));
    }

    /// Starts the watchdog.
    pub(crate) fn watch(&self) {
        let (shared, tasks, cancel) = (Arc::clone(&self.shared), self.tasks.clone(), self.cancel.clone());
        self.tasks
            .spawn("watchdog", None, |entry| watchdog::watch(shared, tasks, cancel, entry));
    }

    /// Returns the number of requests with a target that contains `part`.
    pub(crate) fn request_count(&self, part: &str) -> usize {
        let targets = self.engine.requests();
        targets.iter().filter(|target| target.contains(part)).count()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.shared.ready.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Returns the texts of all delivered lines of container `id`.
    pub(crate) fn lines(&self, id: &str) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        delivered
            .iter()
            .filter(|(of, _)| of == id)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// Returns the number of delivered lines of container `id`.
    pub(crate) fn count(&self, id: &str) -> usize {
        let delivered = self.delivered.lock().unwrap();
        delivered.iter().filter(|(of, _)| of == id).count()
    }

    /// Stalls the sink until the guard is dropped.
    pub(crate) async fn stall_sink(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.stall).lock_owned().await
    }

    /// Makes the sink take this long for each item.
    pub(crate) fn slow_sink(&self, pause: Duration) {
        self.slowness
            .store(u64::try_from(pause.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn forgotten(&self) -> Vec<String> {
        self.forgotten.lock().unwrap().clone()
    }

    /// Returns the value of a series of `/metrics`.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let found = self.find(series);
        found.unwrap_or_else(|| panic!("no series {series} in:\n{}", self.shared.metrics.encode()))
    }

    /// Returns the value of a series, or `None` if it does not exist.
    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        let text = self.shared.metrics.encode();
        let line = text
            .lines()
            .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
        Some(line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    pub(crate) fn errors(&self, kind: &str) -> f64 {
        self.metric(&format!("log_capturer_stream_errors_total{{kind=\"{kind}\"}}"))
    }

    /// Waits (in paused time) until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let mut waited = Duration::ZERO;
        while !condition(self) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += Duration::from_millis(10);
            assert!(waited < Duration::from_secs(3600), "never happened: {what}");
        }
    }
}

async fn collect(
    mut items: mpsc::Receiver<Item>,
    delivered: Arc<Mutex<Vec<(String, String)>>>,
    forgotten: Arc<Mutex<Vec<String>>>,
    stall: Arc<tokio::sync::Mutex<()>>,
    slowness: Arc<AtomicU64>,
) {
    while let Some(item) = items.recv().await {
        drop(stall.lock().await);
        let pause = Duration::from_millis(slowness.load(Ordering::Relaxed));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        match item {
            Item::Lines(chunk, _permit) => {
                let lines = chunk
                    .lines()
                    .map(|line| String::from_utf8_lossy(line.text).into_owned());
                let id = &chunk.container.id;
                delivered.lock().unwrap().extend(lines.map(|text| (id.clone(), text)));
            }
            Item::Forget(id) => forgotten.lock().unwrap().push(id),
            Item::End => return,
        }
    }
}
