//! The engine's own process, counted beside the target, so that a leak of the engine is not put down to the target.
//!
//! Descriptors, threads and memory come from /proc at every tick, as the target's do. What only the engine can tell
//! (goroutines; descriptors where its process cannot be seen) costs a call of /info, for which dockerd starts two programs of its own:
//! it is asked at checkpoints, and the last answer stands until the next, unless a limit wants it at every tick.

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{EngineMetric, MetricSource};
use leakcheck_probe::{ProcSample, Process, listener_of};

use crate::docker::Docker;
use crate::host::Host;

/// What is counted of the engine.
pub(crate) struct EngineCounts {
    docker: Docker,
    process: Option<Process>,
    columns: Vec<Column>,
    told: Told,
    asks_each_tick: bool,
}

/// What the engine says of itself.
#[derive(Clone, Copy, Default)]
struct Told {
    fds: Option<f64>,
    goroutines: Option<f64>,
}

/// An answer to what is asked at checkpoints.
pub(crate) struct News {
    told: Option<Told>,
    /// Whether the process that was counted has ended, and which one has its place.
    is_gone: bool,
    process: Option<Process>,
}

/// One column of the table.
struct Column {
    name: String,
    what: EngineMetric,
}

/// The process that serves an engine's socket, if it is one of this machine.
pub(crate) async fn process_of(host: &Host) -> Option<Process> {
    let Host::Unix(socket) = host else { return None };
    Process::open(listener_of(socket).await?).ok()
}

impl EngineCounts {
    /// What the engine shows of what the scenario names. A count that it does not show has a column only if a limit is on it.
    pub(crate) async fn of(scenario: &Scenario, docker: &Docker) -> Self {
        let mut counts = Self {
            docker: docker.clone(),
            process: process_of(docker.host()).await,
            columns: Vec::new(),
            told: ask(docker).await,
            asks_each_tick: false,
        };
        let now = counts.sample();
        for (name, metric) in scenario.all_metrics() {
            let MetricSource::Engine(what) = metric.source else {
                continue;
            };
            let is_limited = scenario.limits.contains_key(&name);
            if is_limited || counts.value(what, now.as_ref()).is_some() {
                let is_told = what == EngineMetric::Goroutines || counts.process.is_none();
                counts.asks_each_tick |= is_limited && is_told;
                counts.columns.push(Column { name, what });
            }
        }
        counts
    }

    /// The names of its columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|column| column.name.clone())
    }

    /// One value for each column.
    pub(crate) async fn row(&mut self) -> Vec<Option<f64>> {
        if self.asks_each_tick {
            self.told = ask(&self.docker).await;
        }
        let now = self.sample();
        let values = self.columns.iter().map(|column| self.value(column.what, now.as_ref()));
        values.collect()
    }

    /// What is to be asked at a checkpoint: what only the engine can tell, and its process, if it was started anew. To be
    /// awaited while the sampler's clock ticks, because a busy engine takes its time.
    pub(crate) fn asking(&self) -> impl Future<Output = News> + use<> {
        let docker = self.docker.clone();
        let is_told = |column: &Column| column.what == EngineMetric::Goroutines;
        let asks = self.columns.iter().any(is_told) || self.process.is_none();
        let is_gone = self.process.as_ref().is_some_and(|p| !p.is_alive());
        async move {
            News {
                told: if asks { Some(ask(&docker).await) } else { None },
                is_gone,
                process: if is_gone { process_of(docker.host()).await } else { None },
            }
        }
    }

    /// Takes in what was asked. What there is to tell if the engine's process has ended: what is measured since is not what was
    /// asked.
    pub(crate) fn learn(&mut self, news: News) -> Option<String> {
        self.told = news.told.unwrap_or(self.told);
        if !news.is_gone {
            return None;
        }
        let before = self.process.take()?.pid();
        self.process = news.process;
        Some(match &self.process {
            Some(now) => format!(
                "the engine was started again while it was measured: process {before} is gone, {} answers",
                now.pid()
            ),
            None => format!("the engine's process {before} is gone"),
        })
    }

    fn sample(&self) -> Option<ProcSample> {
        self.process.as_ref()?.sample().ok()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
    fn value(&self, what: EngineMetric, now: Option<&ProcSample>) -> Option<f64> {
        match what {
            EngineMetric::Threads => now.map(|s| s.threads as f64),
            EngineMetric::Rss => now.map(|s| s.rss_bytes as f64),
            EngineMetric::Fds if self.process.is_some() => now.and_then(|s| s.fds).map(|n| n as f64),
            EngineMetric::Fds => self.told.fds,
            EngineMetric::Goroutines => self.told.goroutines,
        }
    }
}

async fn ask(docker: &Docker) -> Told {
    let Ok((fds, goroutines)) = docker.own_counts().await else {
        return Told::default();
    };
    // An engine that does not count says nothing, or 0, or -1 (as dockerd does of descriptors that it cannot list).
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let count = |n: Option<i64>| n.filter(|n| *n > 0).map(|n| n as f64);
    Told {
        fds: count(fds),
        goroutines: count(goroutines),
    }
}
