//! A scripted engine in memory, and a follower's surroundings: the life-cycle's tests run on these, with a paused clock.
//!
//! It speaks HTTP over `tokio::io::duplex`, so everything from the request line to the seam is the real thing; only the
//! socket and the time are not.

mod scripted;

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
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pool::{Pool, ROTATIONS_AT_ONCE};
use crate::queue::{Item, Queue};
use crate::seam::Position;
use crate::sink::Positions;
use crate::task::Tasks;
use crate::watchdog;
pub(crate) use scripted::{Mood, Scripted};
use scripted::{now, started};

/// Counters without a daemon.
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

/// Everything around followers, and what they deliver.
pub(crate) struct Rig {
    pub(crate) engine: Scripted,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Tasks,
    pub(crate) cancel: CancellationToken,
    delivered: Arc<Mutex<Vec<(String, String)>>>,
    forgotten: Arc<Mutex<Vec<String>>>,
    _sink: TaskTracker,
    /// Held while the sink takes nothing.
    stall: Arc<tokio::sync::Mutex<()>>,
    /// How long the sink takes for whatever it is given, in milliseconds.
    slowness: Arc<AtomicU64>,
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        started();
        let engine = Scripted::new();
        let tasks = Tasks::default();
        let looked_up: Arc<OnceLock<Weak<Shared>>> = Arc::new(OnceLock::new());
        let live = Live {
            runtime: Handle::current(),
            tasks: tasks.clone(),
            shared: Arc::clone(&looked_up),
        };
        let (queue, items) = Queue::new(config.queue_lines, config.queue_bytes);
        let shared = Arc::new(Shared {
            client: crate::wire::request::Client::new(Arc::new(engine.clone()), config.connect_timeout),
            metrics: Metrics::new(Box::new(live)),
            queue,
            pool: Pool::new(config.streams.unwrap_or(1000)),
            rotations: Arc::new(Semaphore::new(ROTATIONS_AT_ONCE)),
            engine_back: watch::Sender::new(0),
            engine_away: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            clock: now,
            config,
        });
        looked_up.set(Arc::downgrade(&shared)).unwrap();
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

    /// Follows container `id` from `position` on; its last word comes on the receiver.
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

    /// Discovers and follows containers by itself.
    pub(crate) fn discover(&self, resume: Positions) {
        let discovery = Discovery::new(
            Arc::clone(&self.shared),
            self.tasks.clone(),
            self.cancel.clone(),
            resume,
        );
        self.tasks.spawn("discovery", None, |entry| discovery.run(entry));
    }

    /// Watches the followers, as the daemon does.
    pub(crate) fn watch(&self) {
        let (shared, tasks, cancel) = (Arc::clone(&self.shared), self.tasks.clone(), self.cancel.clone());
        self.tasks
            .spawn("watchdog", None, |entry| watchdog::watch(shared, tasks, cancel, entry));
    }

    /// How many requests so far had a target that contains `part`.
    pub(crate) fn asked(&self, part: &str) -> usize {
        let asked = self.engine.asked();
        asked.iter().filter(|target| target.contains(part)).count()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.shared.ready.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The text of all lines delivered of container `id`.
    pub(crate) fn lines(&self, id: &str) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        delivered
            .iter()
            .filter(|(of, _)| of == id)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// How many lines of container `id` were delivered.
    pub(crate) fn count(&self, id: &str) -> usize {
        let delivered = self.delivered.lock().unwrap();
        delivered.iter().filter(|(of, _)| of == id).count()
    }

    /// The sink takes nothing until this is dropped.
    pub(crate) async fn stall_sink(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.stall).lock_owned().await
    }

    /// From now on the sink takes this long for each chunk.
    pub(crate) fn slow_sink(&self, pause: Duration) {
        self.slowness
            .store(u64::try_from(pause.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn forgotten(&self) -> Vec<String> {
        self.forgotten.lock().unwrap().clone()
    }

    /// The value of a series, as `/metrics` would say it.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let found = self.find(series);
        found.unwrap_or_else(|| panic!("no series {series} in:\n{}", self.shared.metrics.encode()))
    }

    /// The same; `None` if there is no such series.
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
            Item::Lines(chunk, _room) => {
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
