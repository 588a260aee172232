//! How a container is held up or brought to its end from outside: signals, stop, pause.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Done;
use crate::container::{Container, State, Status};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::signal::{SIGKILL, SIGTERM, signal_number};

/// Docker's own default before a stopped container is killed.
const STOP_AFTER: Duration = Duration::from_secs(10);

impl Engine {
    /// Sends a signal.
    pub(crate) fn kill(&self, container: &Arc<Container>, key: &str, signal: u8) -> Result<(), Failure> {
        let (run, ended) = {
            let mut state = container.state();
            if !state.is_alive() {
                return Err(Failure::conflict(format_args!(
                    "Cannot kill container: {key}: Container {} is not running",
                    container.id
                )));
            }
            if signal == SIGKILL {
                state.stopped = true;
            }
            (state.run, self.deliver(container, &mut state, signal))
        };
        self.announce(container, "kill", &[("signal", signal.to_string())]);
        if let Some(code) = ended {
            self.end(container, run, code);
        }
        Ok(())
    }

    /// A paused process gets no signal but the last.
    fn deliver(&self, container: &Container, state: &mut State, signal: u8) -> Option<i32> {
        if state.status == Status::Paused && signal != SIGKILL {
            return None;
        }
        state
            .process
            .as_mut()
            .and_then(|process| process.signal(signal, &container.output()))
    }

    /// Asks a container to end, and after `patience` makes it.
    pub(crate) async fn stop(&self, container: &Arc<Container>, patience: Option<i64>) -> Result<Done, Failure> {
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
            None => STOP_AFTER,
            Some(seconds) => u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs),
        };
        // It may end by itself at any of these points, which is as good.
        if self.kill(container, container.short_id(), signal).is_ok()
            && tokio::time::timeout(patience, container.ended(run)).await.is_err()
        {
            let _ = self.kill(container, container.short_id(), SIGKILL);
        }
        self.announce(container, "stop", &[]);
        Ok(Done::Changed)
    }

    pub(crate) fn pause(&self, container: &Container) -> Result<(), Failure> {
        let mut state = container.state();
        match state.status {
            Status::Running => state.status = Status::Paused,
            Status::Paused => {
                return Err(Failure::conflict(format_args!(
                    "Container {} is already paused",
                    container.id
                )));
            }
            _ => {
                return Err(Failure::conflict(format_args!(
                    "Container {} is not running",
                    container.id
                )));
            }
        }
        drop(state);
        self.announce(container, "pause", &[]);
        Ok(())
    }

    pub(crate) fn unpause(&self, container: &Arc<Container>) -> Result<(), Failure> {
        let mut state = container.state();
        if state.status != Status::Paused {
            return Err(Failure::internal(format_args!(
                "Container {} is not paused",
                container.id
            )));
        }
        state.status = Status::Running;
        state.turn += 1;
        let turn = state.turn;
        drop(state);
        self.schedule.at(Instant::now(), Arc::downgrade(container), turn);
        self.announce(container, "unpause", &[]);
        Ok(())
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
