//! One simulated container: its configuration, state and log.

mod config;
mod host;
mod inspect;
mod summary;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(crate) use config::{Config, CreateBody};
pub(crate) use host::Restart;

use crate::clock::Nanos;
use crate::log::Log;
use crate::process::{Output, Process};

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) created: Nanos,
    pub(crate) config: Config,
    pub(crate) log: Log,
    state: Mutex<State>,
    /// Notified when its state or its log changes.
    pub(crate) changed: Notify,
}

/// The status of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    /// Ended; its restart policy will start it again.
    Restarting,
    Exited,
}

/// The mutable state of a container.
#[derive(Debug)]
pub(crate) struct State {
    /// Without the slash that Docker shows.
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) process: Option<Process>,
    /// Pending signals of a paused container, each number once, as in the kernel.
    pub(crate) signals: Vec<u8>,
    /// Number of its starts.
    pub(crate) run: u32,
    /// Number of its starts and unpauses. Queued wakeups of an earlier generation are ignored.
    pub(crate) generation: u32,
    /// Number of starts by its restart policy since a client started it.
    pub(crate) restarts: u32,
    pub(crate) started: Option<Nanos>,
    pub(crate) finished: Option<Nanos>,
    pub(crate) exit_code: i32,
    pub(crate) endpoint: Option<String>,
    /// True if a client stopped it: its restart policy does not apply.
    pub(crate) stopped: bool,
    pub(crate) removed: bool,
}

impl Container {
    pub(crate) fn new(id: String, name: String, created: Nanos, config: Config, log: Log) -> Self {
        let state = State {
            name,
            status: Status::Created,
            process: None,
            signals: Vec::new(),
            run: 0,
            generation: 0,
            restarts: 0,
            started: None,
            finished: None,
            exit_code: 0,
            endpoint: None,
            stopped: false,
            removed: false,
        };
        Self {
            id,
            created,
            config,
            log,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change of a state is a few assignments that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the first twelve digits of the id.
    pub(crate) fn short_id(&self) -> &str {
        &self.id[..12]
    }

    /// Returns the output of its process.
    pub(crate) fn output(&self) -> Output<'_> {
        Output {
            log: &self.log,
            tty: self.config.tty,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(log: Log) -> Self {
        Self::new("0".repeat(64), "test".into(), 0, Config::default(), log)
    }
}

impl State {
    /// Returns true if Docker reports it as running, which includes the time between two starts by its restart policy.
    pub(crate) fn runs(&self) -> bool {
        self.is_alive() || self.status == Status::Restarting
    }

    /// Returns true if it has a process.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
    }
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}
