//! The task that wakes all containers. If one thread is too slow, the wakeups are spread over all threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::schedule::Wakeup;

/// Shortest time between two wakeups; lines that are due within it are written together.
const MIN_INTERVAL: Duration = Duration::from_millis(5);

impl Engine {
    /// Wakes containers when they are due, until `shutdown`.
    pub(crate) async fn run_schedule(self: Arc<Self>, shutdown: CancellationToken) {
        let threads = Handle::current().metrics().num_workers();
        let mut is_late = false;
        loop {
            let changed = self.schedule.changed.notified();
            match self.schedule.next() {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = changed => continue,
                    () = shutdown.cancelled() => return,
                },
                None => tokio::select! {
                    () = changed => continue,
                    () = shutdown.cancelled() => return,
                },
            }
            let began = Instant::now();
            let due = self.schedule.take_due(began);
            if is_late {
                self.wake_in_parallel(threads, due).await;
            } else {
                due.iter().for_each(|due| self.wake_container(due));
            }
            is_late = began.elapsed() > MIN_INTERVAL;
            tokio::time::sleep_until((began + MIN_INTERVAL).into()).await;
        }
    }

    /// Runs wakeups on all threads of the runtime.
    async fn wake_in_parallel(self: &Arc<Self>, threads: usize, due: Vec<Wakeup>) {
        let (due, next) = (Arc::new(due), Arc::new(AtomicUsize::new(0)));
        let mut workers = JoinSet::new();
        for _ in 0..threads {
            let (engine, due, next) = (Arc::clone(self), Arc::clone(&due), Arc::clone(&next));
            workers.spawn(async move {
                while let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                    engine.wake_container(due);
                    // Lets the runtime serve connections.
                    tokio::task::yield_now().await;
                }
            });
        }
        while workers.join_next().await.is_some() {}
    }

    fn wake_container(&self, due: &Wakeup) {
        if let Some(container) = due.container.upgrade() {
            self.wake(&container, due.generation);
        }
    }
}
