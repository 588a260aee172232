//! Signals, stop and pause of a container.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Effect;
use crate::container::{Container, State, Status};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::signal::{SIGKILL, SIGTERM, signal_number};

/// Docker's default time between the stop signal and SIGKILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

impl Engine {
    /// Sends a signal.
    pub(crate) fn kill(&self, container: &Arc<Container>, key: &str, signal: u8) -> Result<(), ApiError> {
        let stop_signal = container.config.stop_signal.as_deref().and_then(signal_number);
        // A container with its own stop signal counts as stopped only by that signal and SIGKILL (moby, `daemon/kill.go`).
        let is_last = signal == SIGKILL || stop_signal.is_none_or(|own| own == signal);
        let (run, resumed, ended) = {
            let mut state = container.state();
            if !state.runs() {
                return Err(ApiError::conflict(format_args!(
                    "Cannot kill container: {key}: Container {} is not running",
                    container.id
                )));
            }
            state.stopped |= is_last;
            if state.status == Status::Restarting {
                // There is no process to signal, and the restart is cancelled.
                if is_last {
                    state.status = Status::Exited;
                    drop(state);
                    container.changed.notify_waiters();
                }
                return Ok(());
            }
            let resumed = (is_last && state.status == Status::Paused).then(|| state.resume());
            state.signals.push(signal);
            (state.run, resumed, state.deliver(container))
        };
        self.announce(container, "kill", &[("signal", signal.to_string())]);
        if let Some(generation) = resumed {
            self.schedule.at(Instant::now(), Arc::downgrade(container), generation);
            self.announce(container, "unpause", &[]);
        }
        if let Some(code) = ended {
            self.end(container, run, code);
        }
        Ok(())
    }

    /// Sends the stop signal, and SIGKILL after `timeout_s` seconds. A negative timeout waits until the
    /// client has `disconnected`.
    ///
    /// # Errors
    /// If the client has disconnected.
    pub(crate) async fn stop(
        &self,
        container: &Arc<Container>,
        timeout_s: Option<i64>,
        disconnected: impl Future<Output = ()>,
    ) -> Result<Effect, ApiError> {
        let run = {
            let mut state = container.state();
            state.stopped = true;
            match state.status {
                Status::Running | Status::Paused => state.run,
                Status::Restarting => {
                    state.status = Status::Exited;
                    drop(state);
                    container.changed.notify_waiters();
                    return Ok(Effect::Changed);
                }
                Status::Created | Status::Exited => return Ok(Effect::Unchanged),
            }
        };
        let signal = container
            .config
            .stop_signal
            .as_deref()
            .and_then(signal_number)
            .unwrap_or(SIGTERM);
        let timeout = match timeout_s.or(container.config.stop_timeout) {
            None => Some(STOP_TIMEOUT),
            Some(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
        };
        let too_late = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => disconnected.await,
            }
        };
        // The container may end by itself at any of these points; that is no error.
        if self.kill(container, container.short_id(), signal).is_ok() {
            tokio::select! {
                () = container.ended(run) => {}
                () = too_late => {
                    if timeout.is_none() {
                        return Err(ApiError::internal("the client disconnected"));
                    }
                    let _ = self.kill(container, container.short_id(), SIGKILL);
                }
            }
        }
        self.announce(container, "stop", &[]);
        Ok(Effect::Changed)
    }

    pub(crate) fn pause(&self, container: &Container) -> Result<(), ApiError> {
        let mut state = container.state();
        match state.status {
            Status::Running => state.status = Status::Paused,
            Status::Paused => {
                return Err(ApiError::conflict(format_args!(
                    "Container {} is already paused",
                    container.id
                )));
            }
            Status::Restarting => {
                return Err(ApiError::conflict(format_args!(
                    "Container {} is restarting, wait until the container is running",
                    container.id
                )));
            }
            _ => {
                return Err(ApiError::conflict(format_args!(
                    "Container {} is not running",
                    container.id
                )));
            }
        }
        drop(state);
        self.announce(container, "pause", &[]);
        Ok(())
    }

    pub(crate) fn unpause(&self, container: &Arc<Container>) -> Result<(), ApiError> {
        let mut state = container.state();
        if state.status != Status::Paused {
            return Err(ApiError::internal(format_args!(
                "Container {} is not paused",
                container.id
            )));
        }
        let generation = state.resume();
        let (run, ended) = (state.run, state.deliver(container));
        drop(state);
        self.schedule.at(Instant::now(), Arc::downgrade(container), generation);
        self.announce(container, "unpause", &[]);
        if let Some(code) = ended {
            self.end(container, run, code);
        }
        Ok(())
    }
}

impl State {
    /// Resumes the container and returns its new generation, which invalidates earlier wakeups.
    fn resume(&mut self) -> u32 {
        self.status = Status::Running;
        self.generation += 1;
        self.generation
    }

    /// Delivers pending signals, SIGKILL first, and returns the exit code if one ends the process. A paused container keeps
    /// them until it resumes.
    fn deliver(&mut self, container: &Container) -> Option<i32> {
        if self.status == Status::Paused {
            self.signals.sort_unstable();
            self.signals.dedup();
            return None;
        }
        let mut signals = std::mem::take(&mut self.signals);
        signals.sort_unstable_by_key(|signal| *signal != SIGKILL);
        let process = self.process.as_mut()?;
        signals
            .into_iter()
            .find_map(|signal| process.signal(signal, &container.output()))
    }
}

impl Container {
    /// Waits until start number `run` of the container has ended.
    pub(crate) async fn ended(&self, run: u32) {
        self.until(|state| state.run != run || !state.is_alive()).await;
    }

    /// Waits until the state satisfies `condition`.
    pub(crate) async fn until(&self, mut condition: impl FnMut(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(&self.state()) {
                return;
            }
            changed.await;
        }
    }
}
