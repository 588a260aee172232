//! The task that takes the turns of all containers. Turns that take one thread too long are shared by all threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::schedule::Due;

/// Shortest time between two turns: lines that are due within it are written together.
const TURN: Duration = Duration::from_millis(5);

impl Engine {
    /// Takes the turns of all containers until the engine ends.
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
                self.take_turns_on(threads, due).await;
            } else {
                due.iter().for_each(|due| self.take_turn_of(due));
            }
            is_late = began.elapsed() > TURN;
            tokio::time::sleep_until((began + TURN).into()).await;
        }
    }

    /// Takes turns on all threads of the runtime.
    async fn take_turns_on(self: &Arc<Self>, threads: usize, due: Vec<Due>) {
        let (due, next) = (Arc::new(due), Arc::new(AtomicUsize::new(0)));
        let mut takers = JoinSet::new();
        for _ in 0..threads {
            let (engine, due, next) = (Arc::clone(self), Arc::clone(&due), Arc::clone(&next));
            takers.spawn(async move {
                while let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                    engine.take_turn_of(due);
                    // Connections are served in between.
                    tokio::task::yield_now().await;
                }
            });
        }
        while takers.join_next().await.is_some() {}
    }

    fn take_turn_of(&self, due: &Due) {
        if let Some(container) = due.container.upgrade() {
            self.take_turn(&container, due.turn);
        }
    }
}
