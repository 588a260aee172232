//! The wire that breaks: the chaos proxy between engine and target, for scenarios with faults.

use std::path::Path;

use leakcheck_chaos::{FaultEvent, News, Plan, Proxy, Starter};
use leakcheck_model::event::EventKind;
use leakcheck_model::scenario::Fault;
use leakcheck_model::verdict::{Reason, ReasonCode};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine_address::EngineAddress;

/// News that is no fault's beginning or end and may wait to be written down.
const OTHER_NEWS: usize = 8;

/// A proxy that the target takes for the engine.
pub(crate) struct Wire {
    starter: Starter,
    events: mpsc::Receiver<News>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// The faults that are on, or were since they were counted last.
    spans: Vec<FaultInterval>,
    /// When they were counted last, in seconds of the run's clock.
    counted_s: f64,
    /// When the faults' clock began, in seconds of the run's.
    began_s: f64,
}

/// The time of one fault, in seconds of the run's clock.
struct FaultInterval {
    index: usize,
    from_s: f64,
    to_s: f64,
}

/// A wire that cannot be laid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The proxy speaks Unix sockets.
    #[error("faults need an engine on a Unix socket, and this one is at {0}")]
    NoSocket(EngineAddress),
    /// The proxy cannot listen.
    #[error(transparent)]
    Chaos(#[from] leakcheck_chaos::ChaosError),
}

impl Wire {
    /// Lays the wire at the socket `listen`; nothing breaks until [`Wire::begin`].
    pub(crate) fn lay(listen: &Path, engine: &EngineAddress, faults: &[Fault]) -> Result<Self, WireError> {
        let EngineAddress::Unix(upstream) = engine else {
            return Err(WireError::NoSocket(engine.clone()));
        };
        let proxy = Proxy::bind(
            listen,
            upstream,
            Plan {
                faults: faults.to_vec(),
            },
        )?;
        let starter = proxy.starter();
        let (sender, events) = mpsc::channel(2 * faults.len() + OTHER_NEWS);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
        Ok(Self {
            starter,
            events,
            shutdown,
            tasks,
            spans: Vec::new(),
            counted_s: 0.0,
            began_s: 0.0,
        })
    }

    /// From now on, which is `t_s` of the run's clock, the times of the faults count.
    pub(crate) fn begin(&mut self, t_s: f64) {
        self.starter.start();
        self.began_s = t_s;
    }

    /// What happened since the last look, and when: a fault begins and ends at its own time, not at that of the look.
    pub(crate) fn news(&mut self) -> Vec<(Option<f64>, EventKind)> {
        let mut happened = Vec::new();
        while let Ok(news) = self.events.try_recv() {
            happened.push(match news {
                News::Fault(event) => self.fault(event),
                News::Unknown { container, why } => {
                    let message = format!(
                        "the wire could not find out who the container {container} is, so faults with `containers` or \
                         `share` may not strike as meant (told once): {why}"
                    );
                    let reason = Reason::new(ReasonCode::EngineUnreachable, message);
                    (None, EventKind::Warning { reason })
                }
            });
        }
        happened
    }

    fn fault(&mut self, event: FaultEvent) -> (Option<f64>, EventKind) {
        let index = event.index;
        let t_s = self.began_s + event.after.as_secs_f64();
        let what = if event.began {
            self.spans.push(FaultInterval {
                index,
                from_s: t_s,
                to_s: f64::INFINITY,
            });
            EventKind::FaultBegan {
                index,
                what: event.what,
            }
        } else {
            let open = self.spans.iter_mut().filter(|span| span.index == index);
            open.for_each(|span| span.to_s = span.to_s.min(t_s));
            EventKind::FaultEnded {
                index,
                hits: event.struck,
            }
        };
        (Some(t_s), what)
    }

    /// How many faults were on, be it for a moment, between the last count and `t_s`.
    pub(crate) fn count(&mut self, t_s: f64) -> usize {
        let since = std::mem::replace(&mut self.counted_s, t_s);
        let on = self.spans.iter().filter(|span| span.from_s <= t_s && span.to_s > since);
        let count = on.count();
        self.spans.retain(|span| span.to_s > t_s);
        count
    }

    /// Takes the wire away; every connection over it ends.
    pub(crate) async fn cut(&mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), self.tasks.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FAULTS: &str = "[[fault]]\nat = \"1s\"\nfor = \"250ms\"\nkind = \"reset\"\n\
                          [[fault]]\nat = \"1500ms\"\nfor = \"10s\"\nkind = \"stall\"\n";

    fn wire(folder: &Path) -> Wire {
        let plan = Plan::parse(FAULTS).expect("a good script");
        let engine = EngineAddress::Unix(folder.join("engine.sock"));
        let mut wire = Wire::lay(&folder.join("wire.sock"), &engine, &plan.faults).expect("a wire");
        wire.begin(100.0);
        wire
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_has_its_own_times_and_counts_though_nobody_looked_while_it_was_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut wire = wire(folder.path());
        assert_eq!((wire.news(), wire.count(100.5)), (Vec::new(), 0));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let times: Vec<Option<f64>> = wire.news().into_iter().map(|(t_s, _)| t_s).collect();
        assert_eq!(times, [Some(101.0), Some(101.25), Some(101.5)]);
        assert_eq!(
            wire.count(101.4),
            1,
            "the second was not on yet when this sample was taken"
        );
        assert_eq!(wire.count(102.0), 1, "and the first no more");
        assert_eq!((wire.news(), wire.count(103.0)), (Vec::new(), 1));
        tokio::time::sleep(Duration::from_secs(20)).await;
        let ended = EventKind::FaultEnded {
            index: 1,
            hits: Some(0),
        };
        assert_eq!(wire.news(), [(Some(111.5), ended)]);
        assert_eq!(wire.count(122.0), 1, "it was on until a while ago");
        assert_eq!((wire.news(), wire.count(123.0)), (Vec::new(), 0));
        wire.cut().await;
    }
}
