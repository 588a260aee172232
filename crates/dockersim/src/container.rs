//! One simulated container: what it was created as, what it is now, what it has written.

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
    /// Its state or its log has changed.
    pub(crate) changed: Notify,
}

/// The status of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    /// It ended and its restart policy will start it again.
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
    /// Signals that it gets when it is not paused any more, each number once, as the kernel keeps them.
    pub(crate) signals: Vec<u8>,
    /// Number of its starts, by which turns of an earlier start are recognized.
    pub(crate) run: u32,
    /// Counts starts and unpauses: a turn in the queue that was meant for an earlier one is dropped.
    pub(crate) turn: u32,
    /// Starts by its restart policy since it was last started by hand.
    pub(crate) restarts: u32,
    pub(crate) started: Option<Nanos>,
    pub(crate) finished: Option<Nanos>,
    pub(crate) exit_code: i32,
    pub(crate) endpoint: Option<String>,
    /// It was stopped by hand: its restart policy does not apply.
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
            turn: 0,
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

    /// The first twelve digits of the id, as people use it.
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
