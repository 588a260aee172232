//! What can be done to a container: start, stop, kill, pause, rename, remove; and how it ends by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::container::{Container, Restart, State, Status};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::process::{Next, Process, SIGKILL};
use crate::registry::is_name;

/// Docker's own default before a stopped container is killed.
const STOP_AFTER: Duration = Duration::from_secs(10);

/// Docker waits 100 ms before the first restart and doubles it up to a minute (moby, `restartmanager`).
const FIRST_RESTART: Duration = Duration::from_millis(100);
const LAST_RESTART: Duration = Duration::from_secs(60);

/// A process that ends at once does so a little later, so that its start is seen before its end.
const HEAD_START: Duration = Duration::from_millis(5);

/// Whether there was anything to do (304 if not).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Changed,
    AlreadySo,
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

    fn announce_network(&self, container: &Container, action: &str) {
        if let Some((name, driver, id)) = self.networks.named(&container.config.host.network) {
            let attributes = [("container", container.id.as_str()), ("name", name), ("type", driver)];
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            self.events.announce("network", action, id, attributes);
        }
    }

    pub(crate) fn start(&self, container: &Arc<Container>) -> Result<Done, Failure> {
        let turn = {
            let mut state = container.state();
            match state.status {
                Status::Running | Status::Restarting => return Ok(Done::AlreadySo),
                Status::Paused => {
                    return Err(Failure::conflict(
                        "cannot start a paused container, try unpause instead",
                    ));
                }
                Status::Created | Status::Exited => {}
            }
            state.restarts = 0;
            state.stopped = false;
            self.begin(container, &mut state)
        };
        self.announce_start(container, turn);
        Ok(Done::Changed)
    }

    fn begin(&self, container: &Container, state: &mut State) -> u32 {
        state.status = Status::Running;
        state.process = Some(Process::spawn(&container.config.words(), Instant::now()));
        state.run += 1;
        state.turn += 1;
        state.started = Some(clock::now());
        state.exit_code = 0;
        state.endpoint = Some(self.ids.next());
        state.turn
    }

    fn announce_start(&self, container: &Arc<Container>, turn: u32) {
        self.announce_network(container, "connect");
        self.announce(container, "start", &[]);
        container.changed.notify_waiters();
        let is_idle = matches!(container.state().process, Some(Process::Idle));
        if !is_idle {
            self.schedule
                .at(Instant::now() + HEAD_START, Arc::downgrade(container), turn);
        }
    }

    /// Lets a running container do what is due, and start again one whose restart policy says so.
    pub(crate) fn take_turn(&self, container: &Arc<Container>, turn: u32) {
        let mut state = container.state();
        if state.turn != turn || state.removed {
            return;
        }
        match state.status {
            Status::Running => {}
            Status::Restarting => {
                state.restarts += 1;
                let turn = self.begin(container, &mut state);
                drop(state);
                return self.announce_start(container, turn);
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
            Next::At(at) => self.schedule.at(at, Arc::downgrade(container), turn),
            Next::Exit(code) => self.end(container, run, code),
            Next::Never => {}
        }
    }

    /// A process has ended.
    fn end(&self, container: &Arc<Container>, run: u32, code: i32) {
        let (turn, again) = {
            let mut state = container.state();
            if state.run != run || !state.is_alive() {
                return;
            }
            state.process = None;
            state.exit_code = code;
            state.finished = Some(clock::now());
            let again = restarts_again(container, &state);
            state.status = if again.is_some() {
                Status::Restarting
            } else {
                Status::Exited
            };
            (state.turn, again)
        };
        self.announce(container, "die", &[("exitCode", code.to_string())]);
        self.announce_network(container, "disconnect");
        container.changed.notify_waiters();
        if let Some(after) = again {
            self.schedule
                .at(Instant::now() + after, Arc::downgrade(container), turn);
        } else if container.config.host.auto_remove {
            // Nothing to tell: somebody else may have removed it already.
            let _ = self.remove(container, false);
        }
    }

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
            .unwrap_or(15);
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

    pub(crate) fn rename(&self, container: &Container, name: &str) -> Result<(), Failure> {
        let name = name.strip_prefix('/').unwrap_or(name);
        if name.is_empty() {
            return Err(Failure::bad("Neither old nor new names may be empty"));
        }
        let named = |failure: Failure| Failure {
            message: format!("Error when allocating new name: {}", failure.message),
            ..failure
        };
        if !is_name(name) {
            return Err(named(Failure::bad(format_args!(
                "Invalid container name (/{name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            ))));
        }
        let old = {
            let mut registry = self.registry();
            let mut state = container.state();
            if state.name == name {
                return Err(Failure::bad(
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

    /// Removes a container, a running one only by force.
    pub(crate) fn remove(&self, container: &Arc<Container>, force: bool) -> Result<(), Failure> {
        let alive = container.state().is_alive();
        if alive && !force {
            return Err(Failure::conflict(format_args!(
                "You cannot remove a running container {}. Stop the container before attempting removal or force remove",
                container.id
            )));
        }
        if alive {
            // It may just have ended by itself.
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

/// After how long an ended container is started again, if at all.
fn restarts_again(container: &Container, state: &State) -> Option<Duration> {
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

/// `SIGTERM`, `TERM` or `15`.
pub(crate) fn signal_number(name: &str) -> Option<u8> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    if let Ok(number) = name.parse::<u8>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let at = NAMES.iter().position(|known| *known == short)?;
    u8::try_from(at + 1).ok()
}
