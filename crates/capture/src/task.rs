//! Every task of the daemon: owned, named, and listed while it lives.
//!
//! The list answers the question that the record's weeks could not: what is stuck, where, and since when.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::chunk::Identity;
use crate::timestamp::Timestamp;

/// A follower that queued lines this recently may well have more to take.
const BUSY_MILLIS: u64 = 1000;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub(crate) enum Doing {
    Starting,
    Waiting,
    WaitingForSlot,
    Inspecting,
    Connecting,
    Reading,
    Rotating,
    Queueing,
    BackingOff,
    Paused,
    Ending,
}

const DOINGS: [Doing; 11] = [
    Doing::Starting,
    Doing::Waiting,
    Doing::WaitingForSlot,
    Doing::Inspecting,
    Doing::Connecting,
    Doing::Reading,
    Doing::Rotating,
    Doing::Queueing,
    Doing::BackingOff,
    Doing::Paused,
    Doing::Ending,
];

/// A task's entry in the list.
#[derive(Debug)]
pub(crate) struct Entry {
    number: u64,
    name: &'static str,
    container: Option<Arc<Identity>>,
    began: Instant,
    doing: AtomicU8,
    /// Milliseconds after `began` at which it began to do that.
    since: AtomicU64,
    /// Milliseconds after `began`, plus one, at which its stream was opened; 0 while it has none.
    stream_opened: AtomicU64,
    /// Milliseconds after `began` at which it last rotated, or began.
    rotated: AtomicU64,
    /// Milliseconds after `began` at which it last queued lines; 0 if it never did.
    queued: AtomicU64,
    /// The timestamp of the newest line that it took from a stream, in nanoseconds.
    newest: AtomicI64,
}

impl Entry {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Says what the task does from now on.
    pub(crate) fn set(&self, doing: Doing) {
        if self.doing.swap(doing as u8, Ordering::Relaxed) != doing as u8 {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    pub(crate) fn doing(&self) -> Doing {
        DOINGS[usize::from(self.doing.load(Ordering::Relaxed))]
    }

    pub(crate) fn stream_opened(&self) {
        self.stream_opened.store(self.now() + 1, Ordering::Relaxed);
    }

    pub(crate) fn stream_closed(&self) {
        self.stream_opened.store(0, Ordering::Relaxed);
    }

    pub(crate) fn rotated(&self) {
        self.rotated.store(self.now(), Ordering::Relaxed);
    }

    /// It took lines from a stream, the newest of which the engine stamped `newest`, and is about to queue them.
    pub(crate) fn took(&self, newest: Timestamp) {
        self.newest.store(newest.as_nanos(), Ordering::Relaxed);
        self.queued.store(self.now().max(1), Ordering::Relaxed);
    }

    /// The age of the oldest line that the container wrote and that is not delivered, in seconds. Of lines that are still
    /// in the engine's log only their being younger than the last one taken is known; 0 if there is nothing that it has
    /// not taken, as far as it can know.
    pub(crate) fn lag_seconds(&self, now: Timestamp) -> f64 {
        let seconds = |time: Timestamp| Duration::from_nanos(time.behind(now).unsigned_abs()).as_secs_f64();
        if let Some(oldest) = self.container.as_ref().and_then(|of| of.oldest_undelivered()) {
            return seconds(oldest);
        }
        let queued = self.queued.load(Ordering::Relaxed);
        if queued == 0 || self.now().saturating_sub(queued) >= BUSY_MILLIS {
            return 0.0;
        }
        seconds(Timestamp::from_nanos(self.newest.load(Ordering::Relaxed)))
    }

    /// How long it has been waiting for a slot, if it is.
    pub(crate) fn waiting_for_slot(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.now().saturating_sub(self.since.load(Ordering::Relaxed)));
        (self.doing() == Doing::WaitingForSlot).then_some(since)
    }

    /// How long its stream has been open, if it has one.
    pub(crate) fn stream_age(&self) -> Option<Duration> {
        let opened = self.stream_opened.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.now().saturating_sub(opened)))
    }

    /// How long ago it last rotated or began.
    pub(crate) fn since_rotation(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.rotated.load(Ordering::Relaxed)))
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn container(&self) -> Option<&Arc<Identity>> {
        self.container.as_ref()
    }

    /// As `/debug/tasks` shows it.
    pub(crate) fn describe(&self) -> Described {
        let now = self.now();
        let since = self.since.load(Ordering::Relaxed);
        Described {
            name: self.name,
            container_id: self.container.as_ref().map(|identity| identity.id.clone()),
            container_name: self.container.as_ref().map(|identity| identity.name.clone()),
            state: self.doing(),
            state_seconds: Duration::from_millis(now.saturating_sub(since)).as_secs_f64(),
            age_seconds: Duration::from_millis(now).as_secs_f64(),
            stream_age_seconds: self.stream_age().map(|age| age.as_secs_f64()),
        }
    }
}

/// One line of `/debug/tasks`.
#[derive(Debug, Serialize)]
pub(crate) struct Described {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_name: Option<String>,
    state: Doing,
    state_seconds: f64,
    age_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_age_seconds: Option<f64>,
}

#[derive(Debug, Default)]
struct List {
    next: u64,
    alive: BTreeMap<u64, Arc<Entry>>,
}

/// Owner of all tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    list: Arc<Mutex<List>>,
}

/// Takes a task off the list, however it ends.
struct OffTheList {
    number: u64,
    list: Arc<Mutex<List>>,
}

impl Drop for OffTheList {
    fn drop(&mut self) {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .alive
            .remove(&self.number);
    }
}

impl Tasks {
    /// Starts a task that is given its own entry.
    pub(crate) fn spawn<F>(
        &self,
        name: &'static str,
        container: Option<Arc<Identity>>,
        task: impl FnOnce(Arc<Entry>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(self.listed(name, container, task));
    }

    /// A task that is on the list while it lives, for an owner of its own to spawn.
    pub(crate) fn listed<F, T>(
        &self,
        name: &'static str,
        container: Option<Arc<Identity>>,
        task: T,
    ) -> impl Future<Output = F::Output> + Send + 'static + use<F, T>
    where
        F: Future + Send + 'static,
        T: FnOnce(Arc<Entry>) -> F,
    {
        let (entry, off) = self.enlist(name, container);
        let running = task(entry);
        async move {
            let _off = off;
            running.await
        }
    }

    fn enlist(&self, name: &'static str, container: Option<Arc<Identity>>) -> (Arc<Entry>, OffTheList) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let number = list.next;
        list.next += 1;
        let entry = Arc::new(Entry {
            number,
            name,
            container,
            began: Instant::now(),
            doing: AtomicU8::new(Doing::Starting as u8),
            since: AtomicU64::new(0),
            stream_opened: AtomicU64::new(0),
            rotated: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            newest: AtomicI64::new(i64::MIN),
        });
        list.alive.insert(number, Arc::clone(&entry));
        (
            entry,
            OffTheList {
                number,
                list: Arc::clone(&self.list),
            },
        )
    }

    /// The tasks alive now, oldest first.
    pub(crate) fn alive(&self) -> Vec<Arc<Entry>> {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .alive
            .values()
            .cloned()
            .collect()
    }

    /// Resolves when every task has ended; none may be started any more.
    pub(crate) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
