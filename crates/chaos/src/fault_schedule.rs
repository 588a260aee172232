//! The fault schedule: begins and ends each fault at its time, and publishes the active ones.

use std::sync::Arc;
use std::time::Duration;

use leakcheck_model::scenario::Fault;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::event::{FaultEvent, FaultPhase, ProxyEvent};
use crate::hit_counter::HitCounter;
use crate::script::{FaultScript, describe};

/// A fault between its beginning and its end.
#[derive(Clone, Debug)]
pub(crate) struct ActiveFault {
    /// Index in the script.
    pub(crate) index: usize,
    pub(crate) fault: Arc<Fault>,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    counter: Arc<HitCounter>,
}

impl ActiveFault {
    /// Counts one hit.
    pub(crate) fn hit(&self) {
        self.counter.hit(self.index);
    }

    /// Creates the only fault of a script.
    #[cfg(test)]
    pub(crate) fn single(fault: Fault, from: Instant, length: Duration) -> Self {
        Self {
            index: 0,
            fault: Arc::new(fault),
            from,
            to: from + length,
            counter: Arc::new(HitCounter::new(1)),
        }
    }

    /// Returns the hits so far.
    #[cfg(test)]
    pub(crate) fn hits(&self) -> u64 {
        self.counter.hits(self.index)
    }
}

/// All active faults.
pub(crate) type ActiveFaults = Arc<Vec<ActiveFault>>;

/// Returns time, index and "begins" of each beginning and end, in order. Ends come before beginnings of the same time.
fn transitions(script: &FaultScript) -> Vec<(Duration, usize, bool)> {
    let mut transitions: Vec<_> = script
        .faults
        .iter()
        .enumerate()
        .flat_map(|(index, fault)| [(fault.at.0, index, true), (fault.at.0 + fault.length.0, index, false)])
        .collect();
    transitions.sort_by_key(|(at, index, begins)| (*at, *begins, *index));
    transitions
}

/// Waits for the start signal, then publishes the active faults in `active_faults` until the script is over.
pub(crate) async fn run_schedule(
    script: &FaultScript,
    mut start: watch::Receiver<Option<Instant>>,
    active_faults: &watch::Sender<ActiveFaults>,
    events: Option<&mpsc::Sender<ProxyEvent>>,
) {
    let started = match start.wait_for(Option::is_some).await.map(|started| *started) {
        Ok(Some(started)) => started,
        // No start handle is left.
        _ => return,
    };
    let counter = Arc::new(HitCounter::new(script.faults.len()));
    let faults: Vec<Arc<Fault>> = script.faults.iter().cloned().map(Arc::new).collect();
    let mut active: Vec<ActiveFault> = Vec::new();
    for (at, index, begins) in transitions(script) {
        sleep_until(started + at).await;
        let fault = &faults[index];
        let phase = if begins {
            active.push(ActiveFault {
                index,
                fault: Arc::clone(fault),
                from: started + at,
                to: started + at + fault.length.0,
                counter: Arc::clone(&counter),
            });
            FaultPhase::Began
        } else {
            active.retain(|fault| fault.index != index);
            FaultPhase::Ended {
                hits: counter.hits(index),
            }
        };
        active_faults.send_replace(Arc::new(active.clone()));
        let description = describe(fault);
        tracing::info!(index, ?phase, description, "fault");
        let event = FaultEvent {
            index,
            at,
            description,
            phase,
        };
        // A slow receiver must not delay the schedule.
        if let Some(Err(TrySendError::Full(_))) = events.map(|events| events.try_send(ProxyEvent::Fault(event))) {
            tracing::warn!(index, ?phase, "the channel of fault events is full");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"stall\"\n\
                       [[fault]]\nat = \"3s\"\nfor = \"1s\"\nkind = \"reset\"\n";

    #[tokio::test(start_paused = true)]
    async fn fault_times_count_from_the_start_signal() {
        let script = FaultScript::parse(TWO).expect("a good script");
        let (start, started) = watch::channel(None);
        let (active_faults, mut seen) = watch::channel(ActiveFaults::default());
        let (events, mut received) = mpsc::channel(8);
        let schedule = run_schedule(&script, started, &active_faults, Some(&events));
        let test = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            let begin = Instant::now();
            start.send_replace(Some(begin));
            let mut phases = Vec::new();
            while phases.len() < 4
                && let Some(ProxyEvent::Fault(event)) = received.recv().await
            {
                phases.push((event.index, begin.elapsed().as_secs(), event.phase));
                if event.phase == FaultPhase::Began {
                    let active = seen.borrow_and_update();
                    active
                        .iter()
                        .filter(|active| active.index == event.index)
                        .for_each(ActiveFault::hit);
                }
            }
            phases
        };
        let ((), phases) = tokio::join!(schedule, test);
        let ended = FaultPhase::Ended { hits: 1 };
        assert_eq!(
            phases,
            [
                (0, 1, FaultPhase::Began),
                (0, 3, ended),
                (1, 3, FaultPhase::Began),
                (1, 4, ended)
            ]
        );
        assert!(seen.borrow_and_update().is_empty());
    }
}
