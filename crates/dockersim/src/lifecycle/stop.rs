//! Signals, stop and pause of a container.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Done;
use crate::container::{Container, State, Status};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::signal::{SIGKILL, SIGTERM, signal_number};

/// Docker's own default before a stopped container is killed.
const STOP_AFTER: Duration = Duration::from_secs(10);

impl Engine {
    /// Sends a signal.
    pub(crate) fn kill(&self, container: &Arc<Container>, key: &str, signal: u8) -> Result<(), ApiError> {
        let stop_signal = container.config.stop_signal.as_deref().and_then(signal_number);
        // With a signal of its own only that one, and SIGKILL, count as a wish that it end (moby, `daemon/kill.go`).
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
                // There is no process, and there will be none.
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
        if let Some(turn) = resumed {
            self.schedule.at(Instant::now(), Arc::downgrade(container), turn);
            self.announce(container, "unpause", &[]);
        }
        if let Some(code) = ended {
            self.end(container, run, code);
        }
        Ok(())
    }

    /// Asks a container to end, and after `patience` seconds makes it; below 0 it is waited for until the client has `gone`.
    ///
    /// # Errors
    /// If the client has disconnected.
    pub(crate) async fn stop(
        &self,
        container: &Arc<Container>,
        patience: Option<i64>,
        gone: impl Future<Output = ()>,
    ) -> Result<Done, ApiError> {
        let run = {
            let mut state = container.state();
            state.stopped = true;
            match state.status {
                Status::Running | Status::Paused => state.run,
                Status::Restarting => {
                    state.status = Status::Exited;
                    drop(state);
                    container.changed.notify_waiters();
                    return Ok(Done::Changed);
                }
                Status::Created | Status::Exited => return Ok(Done::AlreadySo),
            }
        };
        let signal = container
            .config
            .stop_signal
            .as_deref()
            .and_then(signal_number)
            .unwrap_or(SIGTERM);
        let patience = match patience.or(container.config.stop_timeout) {
            None => Some(STOP_AFTER),
            Some(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
        };
        let too_late = async {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => gone.await,
            }
        };
        // It may end by itself at any of these points, which is as good.
        if self.kill(container, container.short_id(), signal).is_ok() {
            tokio::select! {
                () = container.ended(run) => {}
                () = too_late => {
                    if patience.is_none() {
                        return Err(ApiError::internal("the client has gone"));
                    }
                    let _ = self.kill(container, container.short_id(), SIGKILL);
                }
            }
        }
        self.announce(container, "stop", &[]);
        Ok(Done::Changed)
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
        let turn = state.resume();
        let (run, ended) = (state.run, state.deliver(container));
        drop(state);
        self.schedule.at(Instant::now(), Arc::downgrade(container), turn);
        self.announce(container, "unpause", &[]);
        if let Some(code) = ended {
            self.end(container, run, code);
        }
        Ok(())
    }
}

impl State {
    /// Goes on; what was queued before is dropped, and the number of the new turn is returned.
    fn resume(&mut self) -> u32 {
        self.status = Status::Running;
        self.turn += 1;
        self.turn
    }

    /// Hands the process the signals that it was sent, unless it is paused: then they wait until it goes on. Returns the
    /// exit code if one of them ends it; nothing can come before SIGKILL.
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
    /// Returns when that start of the container has ended.
    pub(crate) async fn ended(&self, run: u32) {
        self.until(|state| state.run != run || !state.is_alive()).await;
    }

    /// Returns when its state satisfies the condition.
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
