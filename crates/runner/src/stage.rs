//! What a run stands on: engine, load, target, sampler and journal, and the clock that ticks while anything goes on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use leakcheck_model::Scenario;
use leakcheck_model::event::{EventKind, Phase, SampleCost, SelfCost};
use leakcheck_model::verdict::{Reason, ReasonCode};
use leakcheck_probe::build::BuildFinding;
use leakcheck_probe::{Liveness, Reach, Sampler};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::docker::Docker;
use crate::engine::counts::EngineCounts;
use crate::journal::Journal;
use crate::load::Load;
use crate::process::Process;
use crate::run::Learn;
use crate::scratch::Scratch;
use crate::target::{Surroundings, Target};
use crate::traffic::Traffic;
use crate::who::Who;
use crate::wire::Wire;

/// How often progress is told while something is awaited.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Why a run ends before its plan does.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The user ended it.
    Interrupted,
    /// The target ended by itself; it stands in the journal.
    TargetDied,
    /// A limit is exceeded for certain; it stands in the journal.
    EarlyFail,
    /// What is wanted of the target is not there: a mistake in what was asked, and not a verdict.
    Mistaken(String),
    /// It cannot go on; the reason is to be written into the journal.
    Impaired(Reason),
    /// The record cannot be written.
    Record(leakcheck_report::Error),
}

impl From<leakcheck_report::Error> for Ended {
    fn from(error: leakcheck_report::Error) -> Self {
        Self::Record(error)
    }
}

/// A run that stands on an engine.
pub(crate) struct Stage {
    /// What is asked.
    pub scenario: Scenario,
    /// The run's id, which labels whatever is created.
    pub run_id: String,
    /// The record.
    pub journal: Journal,
    /// The engine, if the run needs one.
    pub docker: Option<Docker>,
    /// The simulated engine's process, if it is ours.
    pub engine: Option<Process>,
    /// What the target is told of the engine, if there is one.
    pub engine_for_target: Option<String>,
    /// The load, once there is an image.
    pub load: Option<Load>,
    /// The target, once it is there.
    pub target: Option<Target>,
    /// What the target was told.
    pub around: Option<Surroundings>,
    /// The traffic, while it goes on.
    pub traffic: Option<Traffic>,
    /// The wire that breaks, if there are faults.
    pub wire: Option<Wire>,
    /// Who holds what, as far as it was looked at.
    pub who: Who,
    /// What was found of the target's build before anything was started.
    pub known_of_build: Vec<BuildFinding>,
    /// The user's wish to end.
    pub stop: CancellationToken,
    /// How long must be measured for the user's end to be a normal one.
    pub enough: Option<Duration>,
    /// Completes the scenario once the target is there.
    pub learn: Option<Learn>,
    /// A scratch folder for sockets, removed at the end.
    pub scratch: Scratch,
    /// Where the target writes what it collects.
    pub output: PathBuf,
    /// When the last container was up.
    pub launched_at: Option<Instant>,
    sampler: Option<Sampler>,
    engine_counts: Option<EngineCounts>,
    ticker: Interval,
    costs: Vec<f64>,
    due: f64,
    missed: u64,
    failed_scrapes: u64,
    told_failure: bool,
    told_odd: bool,
    told_state: bool,
}

/// What a stage is made of.
pub(crate) struct Props {
    /// What is asked.
    pub scenario: Scenario,
    /// The run's id.
    pub run_id: String,
    /// The record.
    pub journal: Journal,
    /// The engine, if the run needs one.
    pub docker: Option<Docker>,
    /// The simulated engine's process, if it is ours.
    pub engine: Option<Process>,
    /// The user's wish to end.
    pub stop: CancellationToken,
    /// How long must be measured for the user's end to be a normal one.
    pub enough: Option<Duration>,
    /// Completes the scenario once the target is there.
    pub learn: Option<Learn>,
    /// A scratch folder for sockets.
    pub scratch: Scratch,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    #[must_use]
    pub(crate) fn new(props: Props) -> Self {
        let mut ticker = interval(props.scenario.schedule.sample_every.0);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            output: props.journal.folder().path().join("delivered"),
            engine_for_target: props.docker.as_ref().map(|d| d.host().to_string()),
            scenario: props.scenario,
            run_id: props.run_id,
            journal: props.journal,
            docker: props.docker,
            engine: props.engine,
            load: None,
            target: None,
            around: None,
            traffic: None,
            wire: None,
            who: Who::default(),
            known_of_build: Vec::new(),
            stop: props.stop,
            enough: props.enough,
            learn: props.learn,
            scratch: props.scratch,
            launched_at: None,
            sampler: None,
            engine_counts: None,
            ticker,
            costs: Vec::new(),
            due: f64::NEG_INFINITY,
            missed: 0,
            failed_scrapes: 0,
            told_failure: false,
            told_odd: false,
            told_state: false,
        }
    }

    /// Begins to sample the target.
    ///
    /// # Errors
    /// If the target's process cannot be read or the record not written.
    pub(crate) async fn begin_sampling(&mut self) -> Result<(), Ended> {
        if let Some(status) = self.target.as_mut().and_then(Target::ended) {
            self.journal.event(EventKind::TargetDied { status })?;
            return Err(Ended::TargetDied);
        }
        let mut metrics = self.scenario.all_metrics();
        metrics.retain(|_, metric| !matches!(metric.source, leakcheck_model::scenario::MetricSource::Engine(_)));
        let target = self.target.as_ref();
        let reach = Reach {
            pid: target.and_then(|t| t.pid),
            tree: self.scenario.target.counts_tree(),
            metrics_url: target.and_then(|t| t.metrics_url.as_deref()),
            log: target.and_then(|t| t.process.as_ref()).map(Process::log),
        };
        let sampler = Sampler::new(reach, &metrics)
            .map_err(|error| Ended::Impaired(Reason::new(ReasonCode::TargetNotReady, error.to_string())))?;
        let mut names = sampler.names().to_vec();
        if let Some(docker) = self.docker.as_ref() {
            let counts = EngineCounts::of(&self.scenario, docker).await;
            names.extend(counts.names());
            self.engine_counts = Some(counts);
        }
        if self.counts_containers() {
            names.push("containers".into());
        }
        if self.counts_requests() {
            names.push("traffic".into());
        }
        if self.wire.is_some() {
            names.push("faults".into());
        }
        self.journal.begin_samples(&self.scenario, names)?;
        self.sampler = Some(sampler);
        self.ticker.reset_immediately();
        Ok(())
    }

    /// A run without containers has no column of noughts.
    fn counts_containers(&self) -> bool {
        !self.scenario.load.is_empty()
    }

    fn counts_requests(&self) -> bool {
        self.scenario.traffic.as_ref().is_some_and(|t| t.url.is_some())
    }

    /// Goes into a phase.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn begin(&mut self, phase: Phase) -> Result<(), Ended> {
        Ok(self.journal.event(EventKind::PhaseBegan { phase })?)
    }

    /// Asks the engine for what is not asked at every tick.
    ///
    /// # Errors
    /// [`Ended`]: the target may end meanwhile.
    pub(crate) async fn count_engine(&mut self) -> Result<(), Ended> {
        let Some(asking) = self.engine_counts.as_ref().map(EngineCounts::asking) else {
            return Ok(());
        };
        let news = self.sampling_while("asking the engine", asking).await?;
        if let Some(counts) = &mut self.engine_counts
            && let Some(message) = counts.learn(news)
        {
            let reason = Reason::new(ReasonCode::EngineLost, message);
            self.journal.event(EventKind::Impaired { reason })?;
        }
        Ok(())
    }

    /// Samples while `work` goes on, and ends with it; the user, and a target that dies, end it earlier.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn sampling_while<T>(&mut self, what: &str, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::pin!(work);
        let mut progress = interval(PROGRESS_EVERY);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Ended::Interrupted),
                _ = self.ticker.tick(), if self.sampler.is_some() => self.tick().await?,
                out = &mut work => return Ok(out),
                _ = progress.tick() => {
                    if let Some(load) = &self.load {
                        let (running, planned) = load.running();
                        self.journal.progress(what, running, planned);
                    }
                }
            }
        }
    }

    /// Samples for a while.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn sampling_for(&mut self, what: &str, length: Duration) -> Result<(), Ended> {
        self.sampling_while(what, tokio::time::sleep(length)).await
    }

    /// Takes one sample and writes it down.
    async fn tick(&mut self) -> Result<(), Ended> {
        let Some(sampler) = &mut self.sampler else {
            return Ok(());
        };
        let t_s = self.journal.now();
        self.missed += missed_since(self.due, t_s, self.scenario.schedule.sample_every.as_secs());
        self.due = t_s + self.scenario.schedule.sample_every.as_secs();
        let row = sampler.sample().await;
        self.costs.push(row.took.as_secs_f64() * 1e6);
        #[expect(clippy::cast_precision_loss, reason = "containers are few")]
        let running = self.load.as_ref().map_or(0.0, |load| load.running().0 as f64);
        let mut values = row.values;
        if let Some(counts) = &mut self.engine_counts {
            values.extend(counts.row().await);
        }
        if self.counts_containers() {
            values.push(Some(running));
        }
        if self.counts_requests() {
            #[expect(clippy::cast_precision_loss, reason = "2^53 requests are never made")]
            values.push(self.traffic.as_ref().and_then(Traffic::answered).map(|n| n as f64));
        }
        self.hear_wire()?;
        if let Some(wire) = &mut self.wire {
            #[expect(clippy::cast_precision_loss, reason = "faults are few")]
            values.push(Some(wire.count(t_s) as f64));
        }
        self.journal.sample(t_s, values)?;
        if let Some(error) = row.scrape_failed {
            self.failed_scrapes += 1;
            if !self.told_failure {
                self.told_failure = true;
                self.journal.warn(
                    ReasonCode::MetricSparse,
                    format!("a scrape failed (later ones are counted silently): {error}"),
                )?;
            }
        }
        if let (Some(odd), false) = (row.scrape_odd, self.told_odd) {
            self.told_odd = true;
            let message = format!("the exposition was read, but for {odd} (told once)");
            self.journal.warn(ReasonCode::MetricSparse, message)?;
        }
        if let Some(why) = row.unreadable {
            let told = format!("the target's process cannot be read: {why}");
            self.once(
                |message| EventKind::Warning {
                    reason: Reason::new(ReasonCode::MetricAbsent, message),
                },
                &told,
            )?;
        }
        match row.process {
            Liveness::Alive => Ok(()),
            Liveness::Restarted => self.once(
                |message| EventKind::TargetRestarted { message },
                "the target is another process now: its start time has changed",
            ),
            Liveness::Gone => {
                let status = self
                    .target
                    .as_mut()
                    .and_then(Target::ended)
                    .unwrap_or_else(|| "its process is gone".into());
                self.journal.event(EventKind::TargetDied { status })?;
                Err(Ended::TargetDied)
            }
        }
    }

    /// Writes down what the wire has to tell.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn hear_wire(&mut self) -> Result<(), leakcheck_report::Error> {
        for (t_s, news) in self.wire.as_mut().map(Wire::news).unwrap_or_default() {
            self.journal.event_at(t_s, news)?;
        }
        Ok(())
    }

    /// Writes down what every further sample would say again.
    fn once(&mut self, event: impl Fn(String) -> EventKind, message: &str) -> Result<(), Ended> {
        if !self.told_state {
            self.told_state = true;
            self.journal.event(event(message.to_owned()))?;
        }
        Ok(())
    }

    /// What the harness itself has cost so far.
    #[must_use]
    pub(crate) fn self_cost(&self) -> SelfCost {
        let mut costs = self.costs.clone();
        costs.sort_by(f64::total_cmp);
        let sample_us = SampleCost {
            median: costs.get(costs.len() / 2).copied().unwrap_or_default(),
            max: costs.last().copied().unwrap_or_default(),
        };
        let usage = leakcheck_probe::own_usage();
        SelfCost {
            cpu_s: usage.cpu_s,
            max_rss_bytes: usage.max_rss_bytes,
            sample_us,
            missed_samples: self.missed,
            failed_scrapes: self.failed_scrapes,
        }
    }
}

/// Ticks that were left out between the one that was due and now.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, saturates"
)]
fn missed_since(due: f64, now: f64, every: f64) -> u64 {
    if due.is_finite() {
        ((now - due) / every + 0.5).max(0.0) as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::missed_since;

    #[test]
    fn a_late_tick_is_not_a_missed_one() {
        assert_eq!(missed_since(f64::NEG_INFINITY, 5.0, 1.0), 0);
        assert_eq!(missed_since(5.0, 5.4, 1.0), 0);
        assert_eq!(missed_since(5.0, 6.0, 1.0), 1);
        assert_eq!(missed_since(5.0, 8.1, 1.0), 3);
    }
}
