//! Which faults there are right now: one conductor follows the plan and tells everyone.

use std::sync::Arc;
use std::time::Duration;

use leakcheck_model::scenario::Fault;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::plan::{Plan, words};
use crate::tally::Tally;

/// A fault began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// Which fault of the plan.
    pub index: usize,
    /// Whether it began or ended.
    pub began: bool,
    /// How long after the start signal.
    pub after: Duration,
    /// The fault in words, for people.
    pub what: String,
    /// At its end, how many times it struck: log streams and requests that it befell, events that it held back, connections
    /// that ended with the engine.
    pub struck: Option<u64>,
}

/// What the proxy has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A fault began or ended.
    Fault(FaultEvent),
    /// A container could not be asked for its name and group: faults that choose by them spare it or strike it
    /// unforeseen. Told of the first; later ones are only logged.
    Unknown {
        /// As the client named it.
        container: String,
        /// Why.
        why: String,
    },
}

/// A fault that is on.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) index: usize,
    pub(crate) fault: Arc<Fault>,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    tally: Arc<Tally>,
}

impl Active {
    /// It has befallen somebody.
    pub(crate) fn strike(&self) {
        self.tally.strike(self.index);
    }

    /// The first fault of a plan, alone.
    #[cfg(test)]
    pub(crate) fn alone(fault: Fault, from: Instant, length: Duration) -> Self {
        Self {
            index: 0,
            fault: Arc::new(fault),
            from,
            to: from + length,
            tally: Arc::new(Tally::new(1)),
        }
    }

    /// How many times it has struck.
    #[cfg(test)]
    pub(crate) fn struck(&self) -> u64 {
        self.tally.of(self.index)
    }
}

/// The faults that are on.
pub(crate) type Weather = Arc<Vec<Active>>;

/// What is announced at a time: beginnings and ends, in order.
fn edges(plan: &Plan) -> Vec<(Duration, usize, bool)> {
    let mut edges: Vec<_> = plan
        .faults
        .iter()
        .enumerate()
        .flat_map(|(index, fault)| [(fault.at.0, index, true), (fault.at.0 + fault.length.0, index, false)])
        .collect();
    // What ends at a time ends before something begins.
    edges.sort_by_key(|(at, index, began)| (*at, *began, *index));
    edges
}

/// Waits for the start signal, then follows the plan to its end.
pub(crate) async fn conduct(
    plan: &Plan,
    mut start: watch::Receiver<Option<Instant>>,
    weather: &watch::Sender<Weather>,
    tally: &Arc<Tally>,
    news: Option<&mpsc::Sender<News>>,
) {
    let begin = match start.wait_for(Option::is_some).await.map(|begin| *begin) {
        Ok(Some(begin)) => begin,
        // Nobody is left who could give it.
        _ => return,
    };
    let faults: Vec<Arc<Fault>> = plan.faults.iter().cloned().map(Arc::new).collect();
    let mut on: Vec<Active> = Vec::new();
    for (at, index, began) in edges(plan) {
        sleep_until(begin + at).await;
        if began {
            let fault = Arc::clone(&faults[index]);
            let (from, to) = (begin + at, begin + at + fault.length.0);
            let tally = Arc::clone(tally);
            on.push(Active {
                index,
                fault,
                from,
                to,
                tally,
            });
        } else {
            on.retain(|active| active.index != index);
        }
        weather.send_replace(Arc::new(on.clone()));
        let event = FaultEvent {
            index,
            began,
            after: at,
            what: words(&faults[index]),
            struck: (!began).then(|| tally.of(index)),
        };
        tracing::info!(index, began, what = event.what, "fault");
        // Nobody need be listening, and one who does not keep up must not hold up the plan.
        if let Some(Err(TrySendError::Full(_))) = news.map(|news| news.try_send(News::Fault(event))) {
            tracing::warn!(index, began, "nobody takes the news of the faults");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"stall\"\n\
                       [[fault]]\nat = \"3s\"\nfor = \"1s\"\nkind = \"reset\"\n";

    #[tokio::test(start_paused = true)]
    async fn the_clock_of_the_plan_begins_with_the_start_signal() {
        let plan = Plan::parse(TWO).expect("a good script");
        let (start, started) = watch::channel(None);
        let (weather, mut seen) = watch::channel(Weather::default());
        let (events, mut said) = mpsc::channel(8);
        let tally = Arc::new(Tally::new(2));
        let conductor = conduct(&plan, started, &weather, &tally, Some(&events));
        let script = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            let begin = Instant::now();
            start.send_replace(Some(begin));
            let mut heard = Vec::new();
            while let Some(News::Fault(event)) = said.recv().await {
                heard.push((event.index, event.began, begin.elapsed().as_secs(), event.struck));
                tally.strike(event.index);
                if heard.len() == 4 {
                    break;
                }
            }
            heard
        };
        let ((), heard) = tokio::join!(conductor, script);
        assert_eq!(
            heard,
            [
                (0, true, 1, None),
                (0, false, 3, Some(1)),
                (1, true, 3, None),
                (1, false, 4, Some(1))
            ]
        );
        assert!(seen.borrow_and_update().is_empty());
    }
}
