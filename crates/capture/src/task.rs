//! The tasks of the daemon: each is owned, named, and listed with its state while it runs.
//!
//! The list shows which task is stuck, in which state, and since when.

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

/// The time after queueing lines in which a follower is assumed to have more to read.
const BUSY_MILLIS: u64 = 1000;

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub(crate) enum TaskState {
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

const TASK_STATES: [TaskState; 11] = [
    TaskState::Starting,
    TaskState::Waiting,
    TaskState::WaitingForSlot,
    TaskState::Inspecting,
    TaskState::Connecting,
    TaskState::Reading,
    TaskState::Rotating,
    TaskState::Queueing,
    TaskState::BackingOff,
    TaskState::Paused,
    TaskState::Ending,
];

/// The entry of a task in the list.
#[derive(Debug)]
pub(crate) struct Entry {
    number: u64,
    name: &'static str,
    container: Option<Arc<Identity>>,
    started: Instant,
    state: AtomicU8,
    /// The time of the last change of state, in milliseconds after `started`.
    since: AtomicU64,
    /// The time at which its stream was opened, in milliseconds after `started`, plus one; 0 without a stream.
    stream_opened: AtomicU64,
    /// The time of the last rotation or the start, in milliseconds after `started`.
    rotated: AtomicU64,
    /// The time at which it last queued lines, in milliseconds after `started`; 0 if it never did.
    queued: AtomicU64,
    /// The timestamp of the newest line that it read, in nanoseconds.
    newest: AtomicI64,
}

impl Entry {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sets the state of the task.
    pub(crate) fn set(&self, state: TaskState) {
        if self.state.swap(state as u8, Ordering::Relaxed) != state as u8 {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    pub(crate) fn state(&self) -> TaskState {
        TASK_STATES[usize::from(self.state.load(Ordering::Relaxed))]
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

    /// Records that lines were read, up to timestamp `newest`, and are about to be queued.
    pub(crate) fn lines_read(&self, newest: Timestamp) {
        self.newest.store(newest.as_nanos(), Ordering::Relaxed);
        self.queued.store(self.now().max(1), Ordering::Relaxed);
    }

    /// Returns the age in seconds of the oldest undelivered line of the container. Lines in the engine's log are not known;
    /// while the follower is busy, the age of the last line that it read is used instead. 0 if everything is delivered.
    pub(crate) fn lag_seconds(&self, now: Timestamp) -> f64 {
        let seconds = |time: Timestamp| Duration::from_nanos(time.behind(now).unsigned_abs()).as_secs_f64();
        if let Some(oldest) = self
            .container
            .as_ref()
            .and_then(|container| container.oldest_undelivered())
        {
            return seconds(oldest);
        }
        let queued = self.queued.load(Ordering::Relaxed);
        if queued == 0 || self.now().saturating_sub(queued) >= BUSY_MILLIS {
            return 0.0;
        }
        seconds(Timestamp::from_nanos(self.newest.load(Ordering::Relaxed)))
    }

    /// Returns the time for which it has been waiting for a slot, if it does.
    pub(crate) fn waiting_for_slot(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.now().saturating_sub(self.since.load(Ordering::Relaxed)));
        (self.state() == TaskState::WaitingForSlot).then_some(since)
    }

    /// Returns the age of its stream, if it has one.
    pub(crate) fn stream_age(&self) -> Option<Duration> {
        let opened = self.stream_opened.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.now().saturating_sub(opened)))
    }

    /// Returns the time since its last rotation or its start.
    pub(crate) fn since_rotation(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.rotated.load(Ordering::Relaxed)))
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn container(&self) -> Option<&Arc<Identity>> {
        self.container.as_ref()
    }

    /// Returns the entry in the form of `/debug/tasks`.
    pub(crate) fn describe(&self) -> TaskDescription {
        let now = self.now();
        let since = self.since.load(Ordering::Relaxed);
        TaskDescription {
            name: self.name,
            container_id: self.container.as_ref().map(|identity| identity.id.clone()),
            container_name: self.container.as_ref().map(|identity| identity.name.clone()),
            state: self.state(),
            state_seconds: Duration::from_millis(now.saturating_sub(since)).as_secs_f64(),
            age_seconds: Duration::from_millis(now).as_secs_f64(),
            stream_age_seconds: self.stream_age().map(|age| age.as_secs_f64()),
        }
    }
}

/// An element of `/debug/tasks`.
#[derive(Debug, Serialize)]
pub(crate) struct TaskDescription {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_name: Option<String>,
    state: TaskState,
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

/// The owner of all tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    list: Arc<Mutex<List>>,
}

/// A guard that removes a task from the list when it ends.
struct ListGuard {
    number: u64,
    list: Arc<Mutex<List>>,
}

impl Drop for ListGuard {
    fn drop(&mut self) {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .alive
            .remove(&self.number);
    }
}

impl Tasks {
    /// Starts a task with its own entry.
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

    /// Returns a task that is listed while it runs, for another owner to spawn.
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
        let (entry, guard) = self.enlist(name, container);
        let running = task(entry);
        async move {
            let _guard = guard;
            running.await
        }
    }

    fn enlist(&self, name: &'static str, container: Option<Arc<Identity>>) -> (Arc<Entry>, ListGuard) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let number = list.next;
        list.next += 1;
        let entry = Arc::new(Entry {
            number,
            name,
            container,
            started: Instant::now(),
            state: AtomicU8::new(TaskState::Starting as u8),
            since: AtomicU64::new(0),
            stream_opened: AtomicU64::new(0),
            rotated: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            newest: AtomicI64::new(i64::MIN),
        });
        list.alive.insert(number, Arc::clone(&entry));
        (
            entry,
            ListGuard {
                number,
                list: Arc::clone(&self.list),
            },
        )
    }

    /// Returns the running tasks, oldest first.
    pub(crate) fn alive(&self) -> Vec<Arc<Entry>> {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .alive
            .values()
            .cloned()
            .collect()
    }

    /// Resolves when every task has ended. No task may be started afterwards.
    pub(crate) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
