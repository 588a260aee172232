//! The containers of the load: started in parallel, replaced when their lifetime is over, stopped, and asked for their line counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::stamp::{self, Sent};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::docker::{Docker, DockerError};
use crate::load_plan::{RUN_LABEL, Slot, slots};
use replacements::Replacements;

mod replacements;

/// Time for a container to stop after SIGTERM, in seconds. Noise stops at once; a user's image may not.
const STOP_SECONDS: i32 = 5;

/// Pause before a failed replacement is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Lines at the end of a log among which the emitter's final count is: a few of stderr may follow it.
const COUNT_WITHIN_LINES: u32 = 20;

/// Removals in flight at most.
const PARALLEL_REMOVALS: usize = 8;

/// A load that did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The engine refused a container.
    #[error("container {name} of the load did not start: {source}")]
    Start {
        /// Name of the container.
        name: String,
        /// The failed call.
        #[source]
        source: DockerError,
    },
    /// The load was stopped meanwhile.
    #[error("interrupted while containers were starting")]
    Interrupted,
}

/// The containers of a run. A clone is another handle to the same load.
#[derive(Clone)]
pub(crate) struct Load(Arc<Inner>);

struct Inner {
    docker: Docker,
    run_id: String,
    image: String,
    parallel: usize,
    slots: Vec<Slot>,
    running: AtomicU64,
    started: AtomicU64,
    state: Mutex<State>,
    /// Tasks that create and start containers. They are never aborted: the engine would finish the call after the cleanup.
    starting: TaskTracker,
    /// No further container is started once this is cancelled.
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    launched_at: Option<Instant>,
    slots: Vec<SlotState>,
    account: LoadAccount,
}

#[derive(Clone, Default)]
struct SlotState {
    next_generation: u32,
    running: Option<u32>,
    /// Stopped containers that the target may still be reading.
    stopped: Vec<String>,
}

/// The line counts and failures of a load.
#[derive(Clone, Default)]
pub(crate) struct LoadAccount {
    /// Line counts that the emitters reported.
    pub sent: BTreeMap<String, Sent>,
    /// Emitters whose final count could not be read.
    pub unaccounted: Vec<String>,
    /// Errors while containers were stopped.
    pub stop_errors: Vec<String>,
    /// Replacements of containers with a lifetime.
    pub replacements: Replacements,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn container_name(&self, slot: &Slot, generation: u32) -> String {
        slot.container(&self.run_id, &self.image, generation).name
    }
}

impl Load {
    /// Creates the load of a scenario. Nothing is started yet.
    #[must_use]
    pub(crate) fn new(docker: Docker, scenario: &Scenario, run_id: &str, image: &str) -> Self {
        let slots = slots(scenario);
        let state = State {
            slots: vec![SlotState::default(); slots.len()],
            ..State::default()
        };
        Self(Arc::new(Inner {
            docker,
            run_id: run_id.to_owned(),
            image: image.to_owned(),
            parallel: usize::from(scenario.engine.parallel),
            slots,
            running: AtomicU64::new(0),
            started: AtomicU64::new(0),
            state: Mutex::new(state),
            starting: TaskTracker::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// The numbers of running and of planned containers.
    #[must_use]
    pub(crate) fn running(&self) -> (u64, u64) {
        (self.0.running.load(Ordering::Relaxed), self.0.slots.len() as u64)
    }

    /// The number of containers started so far, replacements included.
    #[must_use]
    pub(crate) fn started(&self) -> u64 {
        self.0.started.load(Ordering::Relaxed)
    }

    /// The time since the last container was started; `None` before that.
    #[must_use]
    pub(crate) fn running_for(&self) -> Option<Duration> {
        self.0.state().launched_at.map(|at| at.elapsed())
    }

    /// Starts every container, with a limited number of calls in flight.
    ///
    /// After an error, or if the future is dropped, no further container is started.
    ///
    /// # Errors
    /// [`LoadError`] with the name of the container.
    pub(crate) async fn launch(&self) -> Result<(), LoadError> {
        let close_on_drop = self.0.closing.clone().drop_guard();
        let gate = Arc::new(Semaphore::new(self.0.parallel));
        let (sender, mut results) = mpsc::channel(self.0.slots.len().max(1));
        for index in 0..self.0.slots.len() {
            let (inner, gate, sender) = (Arc::clone(&self.0), Arc::clone(&gate), sender.clone());
            self.0.starting.spawn(async move {
                let permit = tokio::select! {
                    biased;
                    () = inner.closing.cancelled() => return,
                    permit = gate.acquire() => permit,
                };
                let _ = sender.send(start(&inner, index).await).await;
                drop(permit);
            });
        }
        drop(sender);
        while let Some(started) = results.recv().await {
            started?;
        }
        if self.0.closing.is_cancelled() {
            return Err(LoadError::Interrupted);
        }
        close_on_drop.disarm();
        self.0.state().launched_at = Some(Instant::now());
        Ok(())
    }

    /// Starts to replace the containers of groups with a lifetime, spread evenly over it.
    pub(crate) fn start_churn(&self) {
        for (index, slot) in self.0.slots.iter().enumerate() {
            if let Some(lifetime) = slot.load.lifetime {
                let first = lifetime
                    .0
                    .mul_f64(f64::from(slot.number) / f64::from(slot.load.containers));
                let inner = Arc::clone(&self.0);
                self.0.starting.spawn(churn(inner, index, first, lifetime.0));
            }
        }
    }

    /// Lets no further container start, and waits for the calls in flight, each of which has a deadline.
    pub(crate) async fn finish_starting(&self) {
        self.0.closing.cancel();
        self.0.starting.close();
        self.0.starting.wait().await;
    }

    /// Stops every container and reads its line count. The containers stay, so that the target can read their logs to the end.
    pub(crate) async fn stop(&self) {
        let gate = Arc::new(Semaphore::new(self.0.parallel));
        let mut stopping = JoinSet::new();
        for index in 0..self.0.slots.len() {
            let (inner, gate) = (Arc::clone(&self.0), Arc::clone(&gate));
            stopping.spawn(async move {
                let Ok(_permit) = gate.acquire().await else { return };
                if let Err(error) = stop_and_account(&inner, index).await {
                    inner.state().account.stop_errors.push(error.to_string());
                }
            });
        }
        while stopping.join_next().await.is_some() {}
    }

    /// The line counts and failures so far.
    #[must_use]
    pub(crate) fn account(&self) -> LoadAccount {
        self.0.state().account.clone()
    }
}

/// Creates and starts the next container of a slot.
async fn start(inner: &Inner, index: usize) -> Result<(), LoadError> {
    let slot = &inner.slots[index];
    // A failed attempt uses up its generation: the target may have seen lines of it.
    let generation = {
        let state = &mut inner.state().slots[index];
        state.next_generation += 1;
        state.next_generation - 1
    };
    let spec = slot.container(&inner.run_id, &inner.image, generation);
    let failed = |source| LoadError::Start {
        name: spec.name.clone(),
        source,
    };
    inner.docker.create(&spec).await.map_err(failed)?;
    if inner.closing.is_cancelled() {
        return Err(LoadError::Interrupted);
    }
    if let Err(error) = inner.docker.start(&spec.name).await {
        // The cleanup would remove it too, but failing retries must not pile up containers.
        let _ = inner.docker.remove(&spec.name).await;
        return Err(failed(error));
    }
    inner.running.fetch_add(1, Ordering::Relaxed);
    inner.started.fetch_add(1, Ordering::Relaxed);
    inner.state().slots[index].running = Some(generation);
    Ok(())
}

/// Stops the running container of a slot and reads its last lines, which contain its line count.
async fn stop_and_account(inner: &Inner, index: usize) -> Result<(), DockerError> {
    let Some(generation) = inner.state().slots[index].running else {
        return Ok(());
    };
    let slot = &inner.slots[index];
    let name = inner.container_name(slot, generation);
    inner.docker.stop(&name, STOP_SECONDS).await?;
    inner.running.fetch_sub(1, Ordering::Relaxed);
    let sent = if slot.load.image.is_none() {
        let log = inner.docker.log_tail(&name, COUNT_WITHIN_LINES).await;
        let emitter = slot.emitter(generation);
        Some((log.ok().and_then(|log| final_count(&log, &emitter)), emitter))
    } else {
        None
    };
    let mut state = inner.state();
    match sent {
        Some((Some(sent), emitter)) => _ = state.account.sent.insert(emitter, sent),
        Some((None, emitter)) => state.account.unaccounted.push(emitter),
        None => {}
    }
    state.slots[index].running = None;
    state.slots[index].stopped.push(name);
    Ok(())
}

/// Replaces the container of a slot whenever its lifetime is over, until the load closes. An error is counted and the
/// replacement tried again.
async fn churn(inner: Arc<Inner>, index: usize, first: Duration, lifetime: Duration) {
    let mut wait = first;
    while pause(&inner, wait).await {
        let mut failing_since = None;
        let done = loop {
            let Err(error) = replace(&inner, index).await else {
                break true;
            };
            failing_since.get_or_insert_with(Instant::now);
            inner.state().account.replacements.failed(error.to_string());
            if !pause(&inner, RETRY_PAUSE).await {
                break false;
            }
        };
        let failing_for = failing_since.map_or(Duration::ZERO, |since| since.elapsed());
        inner.state().account.replacements.ended(done, failing_for, lifetime);
        wait = lifetime;
    }
}

/// Waits for `length`. Returns false if the load closes meanwhile.
async fn pause(inner: &Inner, length: Duration) -> bool {
    tokio::select! {
        biased;
        () = inner.closing.cancelled() => false,
        () = tokio::time::sleep(length) => true,
    }
}

async fn replace(inner: &Inner, index: usize) -> Result<(), DockerError> {
    stop_and_account(inner, index).await?;
    match start(inner, index).await {
        Ok(()) | Err(LoadError::Interrupted) => {}
        Err(LoadError::Start { source, .. }) => return Err(source),
    }
    // The container just stopped stays until the next replacement, so that the target can read its log to the end.
    let readable = {
        let stopped = &mut inner.state().slots[index].stopped;
        let kept = stopped.len().saturating_sub(1);
        stopped.drain(..kept).collect::<Vec<_>>()
    };
    for name in readable {
        if let Err(error) = inner.docker.remove(&name).await {
            inner.state().account.replacements.failed(error.to_string());
        }
    }
    Ok(())
}

/// Finds the emitter's final line count in the last lines of its log.
fn final_count(log: &[u8], emitter: &str) -> Option<Sent> {
    log.split(|b| *b == b'\n').rev().find_map(|line| {
        let at = line.windows(stamp::PREFIX.len()).position(|w| w == stamp::PREFIX)?;
        let (stamp, _) = stamp::read(&line[at..]).ok()?;
        stamp.end.filter(|_| stamp.emitter == emitter)
    })
}

/// Removes every container with the label `leakcheck.run`, of run `run_id` or of all, and returns their number.
///
/// # Errors
/// The first removal that failed; the others were tried all the same.
pub async fn remove_containers(docker: &Docker, run_id: Option<&str>) -> Result<usize, DockerError> {
    let label = run_id.map_or_else(|| RUN_LABEL.to_owned(), |id| format!("{RUN_LABEL}={id}"));
    let mut seen = BTreeSet::new();
    let mut first_error = None;
    // A second list finds what a create call finished meanwhile.
    for _ in 0..2 {
        let mut listed: Vec<String> = docker.list(&label).await?.into_iter().map(|c| c.id).collect();
        listed.retain(|id| seen.insert(id.clone()));
        let error = remove_each(docker, listed).await;
        first_error = first_error.or(error);
    }
    first_error.map_or(Ok(seen.len()), Err)
}

/// Removes containers in parallel and returns the first error.
async fn remove_each(docker: &Docker, ids: Vec<String>) -> Option<DockerError> {
    let gate = Arc::new(Semaphore::new(PARALLEL_REMOVALS));
    let mut removing = JoinSet::new();
    for id in ids {
        let (docker, gate) = (docker.clone(), Arc::clone(&gate));
        removing.spawn(async move {
            let _permit = gate.acquire().await;
            docker.remove(&id).await.err()
        });
    }
    let mut first = None;
    while let Some(result) = removing.join_next().await {
        first = first.or(result.ok().flatten());
    }
    first
}

#[cfg(test)]
mod tests;
