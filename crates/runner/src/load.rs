//! The load: containers brought up side by side, replaced if they churn, stopped, and asked how much they wrote.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::stamp::{self, Sent};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::docker::{Docker, DockerError};
use crate::load_plan::{RUN_LABEL, Slot, slots};

/// Noise obeys SIGTERM at once; a user's own image gets this long, in seconds.
const STOP_SECONDS: i32 = 5;

/// A container that did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The engine refused it.
    #[error("container {name} of the load did not start: {source}")]
    Start {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: DockerError,
    },
    /// Stopped from outside.
    #[error("interrupted while containers were started")]
    Interrupted,
}

/// The containers of a run; a handle that can be cloned.
#[derive(Clone)]
pub(crate) struct Load(Arc<Inner>);

/// The replacing of containers that churn; it ends when told, and never in the middle of a replacement.
pub(crate) struct Churn {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Churn {
    /// Lets no further replacement begin, and waits for those under way.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Inner {
    docker: Docker,
    run_id: String,
    image: String,
    parallel: usize,
    slots: Vec<Slot>,
    running: AtomicU64,
    started: AtomicU64,
    /// Container and generation in each slot, and what each emitter said it wrote.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    generation: Vec<u32>,
    /// The generation before, which the target may still be reading.
    lingering: Vec<Option<String>>,
    sent: BTreeMap<String, Sent>,
    /// Emitters whose last line could not be read.
    unaccounted: Vec<String>,
    troubles: Vec<String>,
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// The load of a scenario; nothing is started yet.
    #[must_use]
    pub(crate) fn new(docker: Docker, scenario: &Scenario, run_id: &str, image: &str) -> Self {
        let slots = slots(scenario);
        let state = State {
            generation: vec![0; slots.len()],
            lingering: vec![None; slots.len()],
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
        }))
    }

    /// How many containers run now, and how many are planned.
    #[must_use]
    pub(crate) fn running(&self) -> (u64, u64) {
        (self.0.running.load(Ordering::Relaxed), self.0.slots.len() as u64)
    }

    /// How many containers were started so far, replacements included.
    #[must_use]
    pub(crate) fn started(&self) -> u64 {
        self.0.started.load(Ordering::Relaxed)
    }

    /// Starts every container, a bounded number of calls in flight. On an error nothing new is begun; what had
    /// started is removed by [`remove_all`].
    ///
    /// # Errors
    /// [`LoadError`], which names the container.
    pub(crate) async fn launch(&self) -> Result<(), LoadError> {
        let gate = Arc::new(Semaphore::new(self.0.parallel));
        let mut starting = JoinSet::new();
        for index in 0..self.0.slots.len() {
            let (inner, gate) = (Arc::clone(&self.0), Arc::clone(&gate));
            starting.spawn(async move {
                let Ok(_turn) = gate.acquire().await else {
                    return Err(LoadError::Interrupted);
                };
                start(&inner, &inner.slots[index], 0).await
            });
        }
        while let Some(started) = starting.join_next().await {
            match started {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    gate.close();
                    starting.abort_all();
                    while starting.join_next().await.is_some() {}
                    return Err(error);
                }
                Err(_) => return Err(LoadError::Interrupted),
            }
        }
        Ok(())
    }

    /// Begins to replace the containers of groups with a lifetime, spread evenly over it.
    #[must_use]
    pub(crate) fn begin_churn(&self) -> Churn {
        let mut churn = Churn {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for (index, slot) in self.0.slots.iter().enumerate() {
            let Some(lifetime) = slot.load.lifetime else { continue };
            let lifetime = lifetime.0;
            let first = lifetime.mul_f64(f64::from(slot.number) / f64::from(slot.load.containers));
            let (inner, stop, slot) = (Arc::clone(&self.0), churn.stop.clone(), slot.clone());
            churn.tasks.spawn(async move {
                let mut wait = first;
                for generation in 1.. {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.cancelled() => return,
                    }
                    // Not cut in the middle: a container half replaced would be one too few.
                    if let Err(error) = replace(&inner, &slot, index, generation).await {
                        inner.state().troubles.push(error.to_string());
                        return;
                    }
                    wait = lifetime;
                }
            });
        }
        churn
    }

    /// Stops every container and learns how many lines each wrote. The containers stay, so that a target can read
    /// them to their end.
    pub(crate) async fn stop(&self) {
        let gate = Arc::new(Semaphore::new(self.0.parallel));
        let mut stopping = JoinSet::new();
        let generations = self.0.state().generation.clone();
        for (slot, generation) in self.0.slots.iter().cloned().zip(generations) {
            let (inner, gate) = (Arc::clone(&self.0), Arc::clone(&gate));
            stopping.spawn(async move {
                let Ok(_turn) = gate.acquire().await else { return };
                if let Err(error) = retire(&inner, &slot, generation).await {
                    inner.state().troubles.push(error.to_string());
                }
            });
        }
        while stopping.join_next().await.is_some() {}
    }

    /// What each emitter said it wrote, those of which nobody knows, and what went wrong on the way.
    #[must_use]
    pub(crate) fn account(&self) -> (BTreeMap<String, Sent>, Vec<String>, Vec<String>) {
        let state = self.0.state();
        (state.sent.clone(), state.unaccounted.clone(), state.troubles.clone())
    }
}

async fn start(inner: &Inner, slot: &Slot, generation: u32) -> Result<(), LoadError> {
    let spec = slot.container(&inner.run_id, &inner.image, generation);
    let named = |source| LoadError::Start {
        name: spec.name.clone(),
        source,
    };
    inner.docker.create(&spec).await.map_err(named)?;
    inner.docker.start(&spec.name).await.map_err(named)?;
    inner.running.fetch_add(1, Ordering::Relaxed);
    inner.started.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Stops a container and reads its last line, which says how many it wrote.
async fn retire(inner: &Inner, slot: &Slot, generation: u32) -> Result<(), DockerError> {
    let name = slot.container(&inner.run_id, &inner.image, generation).name;
    inner.docker.stop(&name, STOP_SECONDS).await?;
    inner.running.fetch_sub(1, Ordering::Relaxed);
    if slot.load.image.is_none() {
        let emitter = slot.emitter(generation);
        // The last line is on stdout; a few of stderr may follow it in the log.
        let sent = inner
            .docker
            .log_tail(&name, 20)
            .await
            .ok()
            .and_then(|log| end_in(&log, &emitter));
        let mut state = inner.state();
        match sent {
            Some(sent) => _ = state.sent.insert(emitter, sent),
            None => state.unaccounted.push(emitter),
        }
    }
    Ok(())
}

async fn replace(inner: &Inner, slot: &Slot, index: usize, generation: u32) -> Result<(), DockerError> {
    retire(inner, slot, generation - 1).await?;
    inner.state().generation[index] = generation;
    match start(inner, slot, generation).await {
        Ok(()) | Err(LoadError::Interrupted) => {}
        Err(LoadError::Start { source, .. }) => return Err(source),
    }
    // The one just stopped stays a generation longer, so that the target can read it to its end.
    let old = slot.container(&inner.run_id, &inner.image, generation - 1).name;
    let older = inner.state().lingering[index].replace(old);
    match older {
        Some(older) => inner.docker.remove(&older).await,
        None => Ok(()),
    }
}

/// The emitter's own count in the last lines of its log.
fn end_in(log: &[u8], emitter: &str) -> Option<Sent> {
    log.split(|b| *b == b'\n').rev().find_map(|line| {
        let at = line.windows(stamp::MARK.len()).position(|w| w == stamp::MARK)?;
        let (stamp, _) = stamp::read(&line[at..]).ok()?;
        stamp.end.filter(|_| stamp.emitter == emitter)
    })
}

/// Removes every container with the label `leakcheck.run`, of one run or of all; others are never touched.
/// Returns how many were removed.
///
/// # Errors
/// The first container that could not be removed; the others were tried all the same.
pub async fn remove_all(docker: &Docker, run_id: Option<&str>) -> Result<usize, DockerError> {
    let label = run_id.map_or_else(|| RUN_LABEL.to_owned(), |id| format!("{RUN_LABEL}={id}"));
    let mut removed = 0;
    // A second look: a create that was in flight when the first list was made.
    for look in 0..2 {
        if look > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let found = docker.list(&label).await?;
        let gate = Arc::new(Semaphore::new(8));
        let mut removing = JoinSet::new();
        for container in found {
            let (docker, gate) = (docker.clone(), Arc::clone(&gate));
            removing.spawn(async move {
                let _turn = gate.acquire().await;
                docker.remove(&container.id).await
            });
        }
        let mut first_error = None;
        while let Some(done) = removing.join_next().await {
            match done {
                Ok(Ok(())) => removed += 1,
                Ok(Err(error)) => first_error = first_error.or(Some(error)),
                Err(_) => {}
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_found_among_lines_of_the_other_stream() {
        let mut log = Vec::new();
        stamp::Writer::new("r", "n-01", stamp::Stream::Stdout).end(&mut log, Sent { stdout: 7, stderr: 3 });
        stamp::Writer::new("r", "n-01", stamp::Stream::Stderr).line(&mut log, 3, 90, b"abc");
        assert_eq!(end_in(&log, "n-01"), Some(Sent { stdout: 7, stderr: 3 }));
        assert_eq!(end_in(&log, "n-02"), None);
        assert_eq!(end_in(b"nothing here\n", "n-01"), None);
    }
}
