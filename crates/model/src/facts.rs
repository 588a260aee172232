//! What is known of a run beside its samples: its events, folded.

use std::collections::BTreeMap;

use crate::event::{Attribution, EngineFacts, Event, EventKind, Phase, SelfCost, TargetFacts};
use crate::lines::LineCounts;
use crate::verdict::Reason;

/// The events of a run, folded. The runner and `leakcheck judge` fold the same events, so they know the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The run's id.
    pub run_id: Option<String>,
    /// When it began, RFC 3339.
    pub started_at: Option<String>,
    /// The command that repeats it.
    pub command: Option<String>,
    /// leakcheck's version and the machine.
    pub host: BTreeMap<String, String>,
    /// The engine.
    pub engine: Option<EngineFacts>,
    /// Containers up at the end of the launch, and planned.
    pub launched: Option<(u64, u64)>,
    /// The target.
    pub target: Option<TargetFacts>,
    /// When the target was ready.
    pub ready: bool,
    /// How the target ended by itself, and when.
    pub died: Option<(f64, String)>,
    /// That the target was restarted under our eyes.
    pub restarted: Option<String>,
    /// When each phase began.
    pub phases: Vec<(Phase, f64)>,
    /// Each fault's index, words, beginning and end.
    pub faults: Vec<FaultSpan>,
    /// Why the run cannot be a plain pass.
    pub impairments: Vec<Reason>,
    /// What people should know.
    pub warnings: Vec<Reason>,
    /// What early stopping saved, in seconds.
    pub saved_s: Option<f64>,
    /// The line check.
    pub lines: Option<LineCounts>,
    /// Who leaked.
    pub attribution: Option<Attribution>,
    /// What the harness cost.
    pub self_cost: Option<SelfCost>,
    /// The user ended the measuring after so many seconds, which were enough for a verdict.
    pub ended_after_s: Option<f64>,
    /// The user ended the run.
    pub interrupted: bool,
    /// Everything planned was done.
    pub finished: bool,
}

/// When a fault was on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpan {
    /// Index in the scenario.
    pub index: usize,
    /// In words.
    pub what: String,
    /// Beginning, seconds of the run's clock.
    pub from_s: f64,
    /// End, if it ended.
    pub to_s: Option<f64>,
    /// Streams, requests, events or connections that it affected, once it ended and if they were counted.
    pub hits: Option<u64>,
}

impl Facts {
    /// Whether the run ended before its plan did, by the user or because leakcheck itself was ended.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.interrupted || !self.finished
    }

    /// Folds the events of a run.
    #[must_use]
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut facts = Self::default();
        for event in events {
            facts.apply(event);
        }
        facts
    }

    /// Takes in one more event.
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
            EventKind::SelfMeasured(cost) => self.self_cost = Some(cost),
            EventKind::EndedByUser { measured_s } => self.ended_after_s = Some(measured_s),
            EventKind::Interrupted => self.interrupted = true,
            EventKind::Finished => self.finished = true,
            EventKind::ImageReady { .. } | EventKind::Checkpoint { .. } => {}
        }
    }
}
