//! Counts of the engine's own process, so that a leak of the engine is not blamed on the target.
//!
//! Descriptors, threads and memory come from /proc at every tick, like the target's. Goroutines, and descriptors where the
//! process is not visible, cost a call of /info, for which dockerd starts two programs. So that call is made at checkpoints,
//! and its answer is repeated until the next, unless a limit needs it at every tick.

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{EngineMetric, MetricSource};
use leakcheck_probe::{ProcSample, Process, listener_of};

use crate::docker::Docker;
use crate::engine_address::EngineAddress;

/// The columns of the engine.
pub(crate) struct EngineCounts {
    docker: Docker,
    process: Option<Process>,
    columns: Vec<Column>,
    info: InfoCounts,
    calls_each_tick: bool,
}

/// Counts from `/info`.
#[derive(Clone, Copy, Default)]
struct InfoCounts {
    fds: Option<f64>,
    goroutines: Option<f64>,
}

/// The result of a refresh at a checkpoint.
pub(crate) struct Refreshed {
    info: Option<InfoCounts>,
    is_process_gone: bool,
    /// The process that replaced the previous one.
    process: Option<Process>,
}

struct Column {
    name: String,
    count: EngineMetric,
}

/// Finds the process that listens on an engine's socket, if it runs on this machine.
pub(crate) async fn process_of(address: &EngineAddress) -> Option<Process> {
    let EngineAddress::Unix(socket) = address else {
        return None;
    };
    Process::open(listener_of(socket).await?).ok()
}

impl EngineCounts {
    /// Creates a column for each engine metric of the scenario that has a value or a limit.
    pub(crate) async fn new(scenario: &Scenario, docker: &Docker) -> Self {
        let mut counts = Self {
            docker: docker.clone(),
            process: process_of(docker.address()).await,
            columns: Vec::new(),
            info: call_info(docker).await,
            calls_each_tick: false,
        };
        let now = counts.sample();
        for (name, metric) in scenario.all_metrics() {
            let MetricSource::Engine(count) = metric.source else {
                continue;
            };
            let is_limited = scenario.limits.contains_key(&name);
            if is_limited || counts.value(count, now.as_ref()).is_some() {
                let needs_info = count == EngineMetric::Goroutines || counts.process.is_none();
                counts.calls_each_tick |= is_limited && needs_info;
                counts.columns.push(Column { name, count });
            }
        }
        counts
    }

    /// The column names.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|column| column.name.clone())
    }

    /// One value for each column.
    pub(crate) async fn row(&mut self) -> Vec<Option<f64>> {
        if self.calls_each_tick {
            self.info = call_info(&self.docker).await;
        }
        let now = self.sample();
        let values = self.columns.iter().map(|column| self.value(column.count, now.as_ref()));
        values.collect()
    }

    /// Calls `/info` if a column needs it, and finds the engine's new process if the previous one has ended.
    ///
    /// The future borrows nothing: a busy engine is slow, and sampling goes on meanwhile.
    pub(crate) fn refresh(&self) -> impl Future<Output = Refreshed> + use<> {
        let docker = self.docker.clone();
        let is_goroutines = |column: &Column| column.count == EngineMetric::Goroutines;
        let needs_info = self.columns.iter().any(is_goroutines) || self.process.is_none();
        let is_process_gone = self.process.as_ref().is_some_and(|p| !p.is_alive());
        async move {
            Refreshed {
                info: if needs_info {
                    Some(call_info(&docker).await)
                } else {
                    None
                },
                is_process_gone,
                process: if is_process_gone {
                    process_of(docker.address()).await
                } else {
                    None
                },
            }
        }
    }

    /// Takes over the result of a refresh. Returns a message if the engine's process has ended.
    pub(crate) fn apply(&mut self, refreshed: Refreshed) -> Option<String> {
        self.info = refreshed.info.unwrap_or(self.info);
        if !refreshed.is_process_gone {
            return None;
        }
        let before = self.process.take()?.pid();
        self.process = refreshed.process;
        Some(match &self.process {
            Some(now) => format!(
                "the engine was restarted during the run: process {before} is gone, process {} answers",
                now.pid()
            ),
            None => format!("the engine's process {before} is gone"),
        })
    }

    fn sample(&self) -> Option<ProcSample> {
        self.process.as_ref()?.sample().ok()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
    fn value(&self, count: EngineMetric, now: Option<&ProcSample>) -> Option<f64> {
        match count {
            EngineMetric::Threads => now.map(|s| s.threads as f64),
            EngineMetric::Rss => now.map(|s| s.rss_bytes as f64),
            EngineMetric::Fds if self.process.is_some() => now.and_then(|s| s.fds).map(|n| n as f64),
            EngineMetric::Fds => self.info.fds,
            EngineMetric::Goroutines => self.info.goroutines,
        }
    }
}

async fn call_info(docker: &Docker) -> InfoCounts {
    let Ok((fds, goroutines)) = docker.info_counts().await else {
        return InfoCounts::default();
    };
    // An engine without a count reports nothing, 0, or -1 (dockerd, for descriptors that it cannot list).
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let count = |n: Option<i64>| n.filter(|n| *n > 0).map(|n| n as f64);
    InfoCounts {
        fds: count(fds),
        goroutines: count(goroutines),
    }
}
