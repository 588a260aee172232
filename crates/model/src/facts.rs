//! The facts of a run: its events, folded into one value.

use std::collections::BTreeMap;

use crate::event::{Attribution, EngineFacts, Event, EventKind, Phase, SelfCost, TargetFacts};
use crate::lines::LineCounts;
use crate::origins::Origins;
use crate::verdict::Reason;

/// The folded events of a run. The runner and `leakcheck judge` fold the same events into the same facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Id of the run.
    pub run_id: Option<String>,
    /// Start time, RFC 3339.
    pub started_at: Option<String>,
    /// Command that repeats the run.
    pub command: Option<String>,
    /// Version of leakcheck, and properties of the machine.
    pub host: BTreeMap<String, String>,
    /// The engine.
    pub engine: Option<EngineFacts>,
    /// Running containers at the end of the launch, and planned containers.
    pub launched: Option<(u64, u64)>,
    /// The target.
    pub target: Option<TargetFacts>,
    /// True once the target was ready.
    pub ready: bool,
    /// Time and exit status of a target that exited during the run.
    pub died: Option<(f64, String)>,
    /// Description of a restart of the target.
    pub restarted: Option<String>,
    /// Start of each phase.
    pub phases: Vec<(Phase, f64)>,
    /// The faults.
    pub faults: Vec<FaultSpan>,
    /// Reasons against a plain pass.
    pub impairments: Vec<Reason>,
    /// Observations that do not affect the verdict.
    pub warnings: Vec<Reason>,
    /// Seconds saved by stopping early.
    pub saved_s: Option<f64>,
    /// Outcome of the line check.
    pub lines: Option<LineCounts>,
    /// Origins of the growth.
    pub attribution: Option<Attribution>,
    /// Code that created what leaked.
    pub origins: Option<Origins>,
    /// Resource usage of leakcheck.
    pub self_cost: Option<SelfCost>,
    /// Length of a measurement that the user ended after enough time for a verdict, in seconds.
    pub ended_after_s: Option<f64>,
    /// True if the user interrupted the run.
    pub interrupted: bool,
    /// True if the run is complete.
    pub finished: bool,
}

/// A fault and the time during which it was active.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpan {
    /// Its index in the scenario.
    pub index: usize,
    /// Description.
    pub what: String,
    /// Start, in seconds since the start of the run.
    pub from_s: f64,
    /// End, in seconds since the start of the run.
    pub to_s: Option<f64>,
    /// Streams, requests, events or connections that it affected, once it ended and if they were counted.
    pub hits: Option<u64>,
}

impl Facts {
    /// Returns true if the run ended early, because of the user or because leakcheck was killed.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.interrupted || !self.finished
    }

    /// Folds events into facts.
    #[must_use]
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut facts = Self::default();
        for event in events {
            facts.apply(event);
        }
        facts
    }

    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event.kind.clone() {
            EventKind::RunStarted {
                run_id,
                version,
                command,
                mut host,
                ..
            } => {
                host.insert("leakcheck".into(), version);
                self.run_id = Some(run_id);
                self.started_at = Some(event.at.clone());
                self.command = Some(command);
                self.host = host;
            }
            EventKind::EngineFound(engine) => self.engine = Some(engine),
            EventKind::Launched { running, planned } => self.launched = Some((running, planned)),
            EventKind::TargetStarted(target) | EventKind::TargetDescribed(target) => self.target = Some(target),
            EventKind::TargetReady { .. } => self.ready = true,
            EventKind::TargetDied { status } => self.died = Some((event.t_s, status)),
            EventKind::TargetRestarted { message } => self.restarted = Some(message),
            EventKind::PhaseBegan { phase } => self.phases.push((phase, event.t_s)),
            EventKind::FaultBegan { index, what } => self.faults.push(FaultSpan {
                index,
                what,
                from_s: event.t_s,
                to_s: None,
                hits: None,
            }),
            EventKind::FaultEnded { index, hits } => {
                if let Some(fault) = self
                    .faults
                    .iter_mut()
                    .rev()
                    .find(|f| f.index == index && f.to_s.is_none())
                {
                    fault.to_s = Some(event.t_s);
                    fault.hits = hits;
                }
            }
            EventKind::Impaired { reason } => self.impairments.push(reason),
            EventKind::Warning { reason } => self.warnings.push(reason),
            EventKind::StoppedEarly { saved_s } => self.saved_s = Some(saved_s),
            EventKind::Lines(lines) => self.lines = Some(lines),
            EventKind::Attributed(attribution) => self.attribution = Some(attribution),
            EventKind::Explained(origins) => self.origins = Some(origins),
            EventKind::SelfMeasured(cost) => self.self_cost = Some(cost),
            EventKind::EndedByUser { measured_s } => self.ended_after_s = Some(measured_s),
            EventKind::Interrupted => self.interrupted = true,
            EventKind::Finished => self.finished = true,
            EventKind::ImageReady { .. } | EventKind::Checkpoint { .. } => {}
        }
    }
}
