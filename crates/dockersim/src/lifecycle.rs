//! The lifecycle of a container: start, wakeups, exit, rename and removal.

mod stop;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::container::{Container, Restart, State, Status};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::process::{Next, Process};
use crate::registry::is_name;
use crate::signal::SIGKILL;

/// Docker waits 100 ms before the first restart and doubles it up to a minute (moby, `restartmanager`).
const FIRST_RESTART: Duration = Duration::from_millis(100);
const LAST_RESTART: Duration = Duration::from_secs(60);

/// Delay of the first wakeup, so that clients see the start of a short process before its end.
const HEAD_START: Duration = Duration::from_millis(5);

/// The effect of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Changed,
    Unchanged,
}

impl Engine {
    /// Announces that something happened to a container.
    pub(crate) fn announce(&self, container: &Container, action: &str, more: &[(&str, String)]) {
        let mut attributes = container.config.labels.clone();
        attributes.insert("image".into(), container.config.image.clone());
        attributes.insert("name".into(), container.state().name.clone());
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.events.announce("container", action, &container.id, attributes);
    }

    /// Announces that unused objects were removed.
    pub(crate) fn announce_prune(&self, kind: &'static str, reclaimed: u64) {
        let attributes = [("reclaimed".to_owned(), reclaimed.to_string())].into();
        self.events.announce(kind, "prune", "", attributes);
    }

    fn announce_network(&self, container: &Container, action: &str) {
        if let Some((name, driver, id)) = self.networks.named(&container.config.host.network) {
            let attributes = [("container", container.id.as_str()), ("name", name), ("type", driver)];
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            self.events.announce("network", action, id, attributes);
        }
    }

    pub(crate) fn start(&self, container: &Arc<Container>) -> Result<Effect, ApiError> {
        let generation = {
            let mut state = container.state();
            match state.status {
                Status::Running | Status::Restarting => return Ok(Effect::Unchanged),
                Status::Paused => {
                    return Err(ApiError::conflict(
                        "cannot start a paused container, try unpause instead",
                    ));
                }
                Status::Created | Status::Exited => {}
            }
            state.restarts = 0;
            state.stopped = false;
            self.begin(container, &mut state)
        };
        self.announce_start(container, generation);
        Ok(Effect::Changed)
    }

    fn begin(&self, container: &Container, state: &mut State) -> u32 {
        state.status = Status::Running;
        state.process = Some(Process::spawn(&container.config.argv(), Instant::now()));
        state.signals.clear();
        state.run += 1;
        state.generation += 1;
        state.started = Some(clock::now());
        state.exit_code = 0;
        state.endpoint = Some(self.ids.next());
        state.generation
    }

    fn announce_start(&self, container: &Arc<Container>, generation: u32) {
        self.announce_network(container, "connect");
        self.announce(container, "start", &[]);
        container.changed.notify_waiters();
        let is_idle = matches!(container.state().process, Some(Process::Idle));
        if !is_idle {
            self.schedule
                .at(Instant::now() + HEAD_START, Arc::downgrade(container), generation);
        }
    }

    /// Runs the due work of a container, or restarts it if its restart policy requires that.
    pub(crate) fn wake(&self, container: &Arc<Container>, generation: u32) {
        let mut state = container.state();
        if state.generation != generation || state.removed {
            return;
        }
        match state.status {
            Status::Running => {}
            Status::Restarting => {
                state.restarts += 1;
                let generation = self.begin(container, &mut state);
                drop(state);
                return self.announce_start(container, generation);
            }
            _ => return,
        }
        let run = state.run;
        let next = state
            .process
            .as_mut()
            .map_or(Next::Never, |p| p.advance(&container.output(), Instant::now()));
        drop(state);
        container.changed.notify_waiters();
        match next {
            Next::At(at) => self.schedule.at(at, Arc::downgrade(container), generation),
            Next::Exit(code) => self.end(container, run, code),
            Next::Never => {}
        }
    }

    /// Ends a container whose process has exited, and schedules its restart.
    fn end(&self, container: &Arc<Container>, run: u32, code: i32) {
        let (generation, again) = {
            let mut state = container.state();
            if state.run != run || !state.is_alive() {
                return;
            }
            state.process = None;
            state.exit_code = code;
            state.finished = Some(clock::now());
            let again = restart_delay(container, &state);
            state.status = if again.is_some() {
                Status::Restarting
            } else {
                Status::Exited
            };
            (state.generation, again)
        };
        self.announce(container, "die", &[("exitCode", code.to_string())]);
        self.announce_network(container, "disconnect");
        container.changed.notify_waiters();
        if let Some(after) = again {
            self.schedule
                .at(Instant::now() + after, Arc::downgrade(container), generation);
        } else if container.config.host.auto_remove {
            // Another client may have removed it already.
            let _ = self.remove(container, false);
        }
    }

    pub(crate) fn rename(&self, container: &Container, name: &str) -> Result<(), ApiError> {
        let name = name.strip_prefix('/').unwrap_or(name);
        if name.is_empty() {
            return Err(ApiError::bad("Neither old nor new names may be empty"));
        }
        let named = |error: ApiError| ApiError {
            message: format!("Error when allocating new name: {}", error.message),
            ..error
        };
        if !is_name(name) {
            return Err(named(ApiError::bad(format_args!(
                "Invalid container name (/{name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            ))));
        }
        let old = {
            let mut registry = self.registry();
            let mut state = container.state();
            if state.name == name {
                return Err(ApiError::bad(
                    "Renaming a container with the same name as its current name",
                ));
            }
            registry.claim(name, &container.id).map_err(named)?;
            registry.release(&state.name);
            std::mem::replace(&mut state.name, name.to_owned())
        };
        self.announce(container, "rename", &[("oldName", format!("/{old}"))]);
        Ok(())
    }

    /// Removes a container. A running one needs `force`.
    pub(crate) fn remove(&self, container: &Arc<Container>, force: bool) -> Result<(), ApiError> {
        let status = container.state().status;
        let alive = matches!(status, Status::Running | Status::Paused | Status::Restarting);
        if alive && !force {
            let advice = if status == Status::Paused {
                "Unpause and then stop"
            } else {
                "Stop"
            };
            return Err(ApiError::conflict(format_args!(
                "You cannot remove a {} container {}. {advice} the container before attempting removal or force remove",
                status.name(),
                container.id
            )));
        }
        if alive {
            // It may have ended by itself meanwhile.
            let _ = self.kill(container, container.short_id(), SIGKILL);
        }
        {
            let mut registry = self.registry();
            let mut state = container.state();
            if std::mem::replace(&mut state.removed, true) {
                return Ok(());
            }
            registry.remove(container, &state.name);
        }
        self.announce(container, "destroy", &[]);
        container.changed.notify_waiters();
        Ok(())
    }
}

/// Returns the delay before an ended container is restarted; `None` if it is not.
fn restart_delay(container: &Container, state: &State) -> Option<Duration> {
    let again = match container.config.host.restart {
        Restart::No => false,
        Restart::Always => true,
        Restart::OnFailure(times) => state.exit_code != 0 && (times == 0 || state.restarts < times),
    };
    let wait = FIRST_RESTART
        .saturating_mul(2_u32.saturating_pow(state.restarts))
        .min(LAST_RESTART);
    (again && !state.stopped).then_some(wait)
}
