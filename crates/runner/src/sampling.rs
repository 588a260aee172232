//! Samples the target, the engine and the load at a fixed rate while other work goes on.

use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::event::{EventKind, SampleCost, SelfCost};
use leakcheck_model::scenario::MetricSource;
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::{Liveness, Row, Sampler, TargetHandles};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::abort::RunAbort;
use crate::docker::Docker;
use crate::engine::counts::EngineCounts;
use crate::fault_proxy::FaultProxy;
use crate::load::Load;
use crate::process::Process;
use crate::recorder::RunRecorder;
use crate::target::Target;
use crate::traffic::Traffic;

/// Pause between two updates of the progress display.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The parts of a run that samples are taken of, as far as they exist.
#[derive(Default)]
pub(crate) struct Sources {
    /// The target.
    pub target: Option<Target>,
    /// The containers of the load.
    pub load: Option<Load>,
    /// The traffic.
    pub traffic: Option<Traffic>,
    /// The proxy that injects faults.
    pub fault_proxy: Option<FaultProxy>,
}

/// The sampling loop and its own costs.
pub(crate) struct Sampling {
    every: Duration,
    ticker: Interval,
    /// `None` before the target is ready.
    sampler: Option<Sampler>,
    engine: Option<EngineCounts>,
    /// The columns after those of target and engine.
    columns: Vec<SourceColumn>,
    reported: Reported,
    costs_us: Vec<f64>,
    due_s: f64,
    missed: u64,
    failed_scrapes: u64,
}

/// A column with a value from [`Sources`].
#[derive(Clone, Copy)]
enum SourceColumn {
    Containers,
    Requests,
    Faults,
}

/// Observations that every further sample would repeat, and that are recorded once.
#[derive(Default)]
struct Reported {
    scrape_failed: bool,
    scrape_odd: bool,
    unreadable: bool,
    restarted: bool,
}

impl Sources {
    /// Records what the fault proxy has reported since the last call.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn record_faults(&mut self, recorder: &mut RunRecorder) -> Result<(), leakcheck_report::Error> {
        for (t_s, kind) in self
            .fault_proxy
            .as_mut()
            .map(FaultProxy::take_events)
            .unwrap_or_default()
        {
            recorder.event_at(t_s, kind)?;
        }
        Ok(())
    }

    /// Describes how the target ended, if it has.
    fn target_exit(&mut self) -> Option<String> {
        self.target.as_mut().and_then(Target::exit_description)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn value(&mut self, column: SourceColumn, t_s: f64) -> Option<f64> {
        match column {
            SourceColumn::Containers => Some(self.load.as_ref().map_or(0.0, |load| load.running().0 as f64)),
            SourceColumn::Requests => self.traffic.as_ref().and_then(Traffic::answered).map(|n| n as f64),
            SourceColumn::Faults => self.fault_proxy.as_mut().map(|proxy| proxy.count_active(t_s) as f64),
        }
    }
}

impl SourceColumn {
    /// The columns of a scenario: a run without containers has no column of zeros.
    fn all(scenario: &Scenario, sources: &Sources) -> Vec<Self> {
        let sends_requests = scenario.traffic.as_ref().is_some_and(|t| t.url.is_some());
        [
            (!scenario.load.is_empty()).then_some(Self::Containers),
            sends_requests.then_some(Self::Requests),
            sources.fault_proxy.is_some().then_some(Self::Faults),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn name(self) -> String {
        match self {
            Self::Containers => "containers",
            Self::Requests => "traffic",
            Self::Faults => "faults",
        }
        .into()
    }
}

impl Reported {
    /// Returns the events for the observations of a row that are not reported yet.
    fn new_events(&mut self, row: &Row) -> Vec<EventKind> {
        let warning = |code, message: String| EventKind::Warning {
            reason: Reason::new(code, message),
        };
        let mut events = Vec::new();
        if let Some(error) = &row.scrape_failed
            && first(&mut self.scrape_failed)
        {
            let message = format!("a scrape failed (later failures are only counted): {error}");
            events.push(warning(ReasonCode::MetricSparse, message));
        }
        if let Some(odd) = &row.scrape_odd
            && first(&mut self.scrape_odd)
        {
            let message = format!("the exposition was read, but for {odd} (reported once)");
            events.push(warning(ReasonCode::MetricSparse, message));
        }
        if let Some(why) = &row.unreadable
            && first(&mut self.unreadable)
        {
            let message = format!("the target's process cannot be read: {why}");
            events.push(warning(ReasonCode::MetricAbsent, message));
        }
        if row.process == Liveness::Restarted && first(&mut self.restarted) {
            let message = "the target is another process now: its start time has changed".into();
            events.push(EventKind::TargetRestarted { message });
        }
        events
    }
}

/// Sets the flag; returns true the first time.
fn first(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}

impl Sampling {
    /// Creates a loop that takes no samples before [`Sampling::start`].
    #[must_use]
    pub(crate) fn new(every: Duration) -> Self {
        let mut ticker = interval(every);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            every,
            ticker,
            sampler: None,
            engine: None,
            columns: Vec::new(),
            reported: Reported::default(),
            costs_us: Vec::new(),
            due_s: f64::NEG_INFINITY,
            missed: 0,
            failed_scrapes: 0,
        }
    }

    /// Starts to sample the target.
    ///
    /// # Errors
    /// If the target's process cannot be read or the record not be written.
    pub(crate) async fn start(
        &mut self,
        scenario: &Scenario,
        docker: Option<&Docker>,
        sources: &mut Sources,
        recorder: &mut RunRecorder,
    ) -> Result<(), RunAbort> {
        if let Some(status) = sources.target_exit() {
            recorder.event(EventKind::TargetDied { status })?;
            return Err(RunAbort::TargetDied);
        }
        let mut metrics = scenario.all_metrics();
        metrics.retain(|_, metric| !matches!(metric.source, MetricSource::Engine(_)));
        let target = sources.target.as_ref();
        let handles = TargetHandles {
            pid: target.and_then(|t| t.pid),
            tree: scenario.target.counts_tree(),
            metrics_url: target.and_then(|t| t.metrics_url.as_deref()),
            log: target.and_then(|t| t.process.as_ref()).map(Process::log),
        };
        let sampler = Sampler::new(handles, &metrics)
            .map_err(|error| RunAbort::impaired(ReasonCode::TargetNotReady, error.to_string()))?;
        let mut names = sampler.names().to_vec();
        if let Some(docker) = docker {
            let counts = EngineCounts::new(scenario, docker).await;
            names.extend(counts.names());
            self.engine = Some(counts);
        }
        self.columns = SourceColumn::all(scenario, sources);
        names.extend(self.columns.iter().map(|column| column.name()));
        recorder.begin_samples(scenario, names)?;
        self.sampler = Some(sampler);
        self.ticker.reset_immediately();
        Ok(())
    }

    /// Samples until `work` is done. Ends earlier if the user stops the run or the target dies.
    ///
    /// # Errors
    /// [`RunAbort`].
    pub(crate) async fn run_while<T>(
        &mut self,
        sources: &mut Sources,
        recorder: &mut RunRecorder,
        stop: &CancellationToken,
        activity: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, RunAbort> {
        tokio::pin!(work);
        let mut progress = interval(PROGRESS_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(RunAbort::Interrupted),
                _ = self.ticker.tick(), if self.sampler.is_some() => self.tick(sources, recorder).await?,
                done = &mut work => return Ok(done),
                _ = progress.tick() => {
                    if let Some(load) = &sources.load {
                        let (running, planned) = load.running();
                        recorder.progress(activity, running, planned);
                    }
                }
            }
        }
    }

    /// Takes one sample and records it.
    async fn tick(&mut self, sources: &mut Sources, recorder: &mut RunRecorder) -> Result<(), RunAbort> {
        let Some(sampler) = &mut self.sampler else {
            return Ok(());
        };
        let t_s = recorder.now();
        let every_s = self.every.as_secs_f64();
        self.missed += missed_ticks(self.due_s, t_s, every_s);
        self.due_s = t_s + every_s;
        let mut row = sampler.sample().await;
        self.costs_us.push(row.took.as_secs_f64() * 1e6);
        self.failed_scrapes += u64::from(row.scrape_failed.is_some());
        let mut values = std::mem::take(&mut row.values);
        if let Some(engine) = &mut self.engine {
            values.extend(engine.row().await);
        }
        sources.record_faults(recorder)?;
        values.extend(self.columns.iter().map(|column| sources.value(*column, t_s)));
        recorder.sample(t_s, values)?;
        for event in self.reported.new_events(&row) {
            recorder.event(event)?;
        }
        if row.process == Liveness::Gone {
            let status = sources.target_exit().unwrap_or_else(|| "its process is gone".into());
            recorder.event(EventKind::TargetDied { status })?;
            return Err(RunAbort::TargetDied);
        }
        Ok(())
    }

    /// The counts of the engine, if the run has one and sampling has begun.
    pub(crate) fn engine_mut(&mut self) -> Option<&mut EngineCounts> {
        self.engine.as_mut()
    }

    /// The costs of leakcheck itself so far.
    #[must_use]
    pub(crate) fn cost(&self) -> SelfCost {
        let mut costs = self.costs_us.clone();
        costs.sort_by(f64::total_cmp);
        let sample_us = SampleCost {
            median: costs.get(costs.len() / 2).copied().unwrap_or_default(),
            max: costs.last().copied().unwrap_or_default(),
        };
        let usage = leakcheck_probe::self_usage();
        SelfCost {
            cpu_s: usage.cpu_s,
            max_rss_bytes: usage.max_rss_bytes,
            sample_us,
            missed_samples: self.missed,
            failed_scrapes: self.failed_scrapes,
        }
    }
}

/// The number of ticks that were left out between the due one and now.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, saturates"
)]
fn missed_ticks(due_s: f64, now_s: f64, every_s: f64) -> u64 {
    if due_s.is_finite() {
        ((now_s - due_s) / every_s + 0.5).max(0.0) as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            values: Vec::new(),
            scrape_failed: None,
            scrape_odd: None,
            process: Liveness::Alive,
            unreadable: None,
            took: Duration::ZERO,
            scrape_took: None,
            log_behind: 0,
        }
    }

    #[test]
    fn each_observation_is_reported_once_whatever_was_reported_before() {
        let mut reported = Reported::default();
        let unreadable = Row {
            unreadable: Some("permission denied".into()),
            ..row()
        };
        let restarted = Row {
            process: Liveness::Restarted,
            ..row()
        };
        assert_eq!(reported.new_events(&row()).len(), 0);
        assert!(matches!(
            &reported.new_events(&unreadable)[..],
            [EventKind::Warning { .. }]
        ));
        assert!(matches!(
            &reported.new_events(&restarted)[..],
            [EventKind::TargetRestarted { .. }]
        ));
        assert_eq!(
            reported.new_events(&unreadable).len() + reported.new_events(&restarted).len(),
            0
        );
    }

    #[test]
    fn a_late_tick_is_not_a_missed_one() {
        assert_eq!(missed_ticks(f64::NEG_INFINITY, 5.0, 1.0), 0);
        assert_eq!(missed_ticks(5.0, 5.4, 1.0), 0);
        assert_eq!(missed_ticks(5.0, 6.0, 1.0), 1);
        assert_eq!(missed_ticks(5.0, 8.1, 1.0), 3);
    }
}
