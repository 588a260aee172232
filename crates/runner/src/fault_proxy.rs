//! The fault proxy between the target and the engine, for scenarios with faults.

use std::path::Path;
use std::time::Duration;

use leakcheck_chaos::{BindError, FaultEvent, FaultPhase, FaultScript, Proxy, ProxyEvent, StartHandle};
use leakcheck_model::event::EventKind;
use leakcheck_model::scenario::Fault;
use leakcheck_model::verdict::{Reason, ReasonCode};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine_address::EngineAddress;

/// Room in the event channel beside the two events of each fault.
const OTHER_EVENTS: usize = 8;

/// Time in which connections must end when the proxy stops.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// A running fault proxy, which the target uses as its engine.
pub(crate) struct FaultProxy {
    start: StartHandle,
    events: mpsc::Receiver<ProxyEvent>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// The faults that are active, or were since the last count.
    intervals: Vec<FaultInterval>,
    /// Time of the last count, on the run's clock.
    counted_s: f64,
    /// Start of the fault clock, on the run's clock.
    started_s: f64,
}

/// The time of one fault, in seconds of the run's clock.
struct FaultInterval {
    index: usize,
    from_s: f64,
    to_s: f64,
}

/// An error that keeps the proxy from starting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FaultProxyError {
    /// The proxy connects to Unix sockets only.
    #[error("faults need an engine on a Unix socket, and this one is at {0}")]
    NoSocket(EngineAddress),
    /// The proxy cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl FaultProxy {
    /// Starts a proxy that listens on `listen`. No fault begins before [`FaultProxy::start_faults`].
    pub(crate) fn start(listen: &Path, engine: &EngineAddress, faults: &[Fault]) -> Result<Self, FaultProxyError> {
        let EngineAddress::Unix(upstream) = engine else {
            return Err(FaultProxyError::NoSocket(engine.clone()));
        };
        let script = FaultScript {
            faults: faults.to_vec(),
        };
        let proxy = Proxy::bind(listen, upstream, script)?;
        let start = proxy.start_handle();
        let (sender, events) = mpsc::channel(2 * faults.len() + OTHER_EVENTS);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
        Ok(Self {
            start,
            events,
            shutdown,
            tasks,
            intervals: Vec::new(),
            counted_s: 0.0,
            started_s: 0.0,
        })
    }

    /// Starts the fault clock at `t_s` of the run's clock.
    pub(crate) fn start_faults(&mut self, t_s: f64) {
        self.start.start();
        self.started_s = t_s;
    }

    /// Returns the events since the last call. Beginnings and ends of faults come with their planned times.
    pub(crate) fn take_events(&mut self) -> Vec<(Option<f64>, EventKind)> {
        let mut taken = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            taken.push(match event {
                ProxyEvent::Fault(event) => self.fault_event(event),
                ProxyEvent::InspectFailed { container, error } => {
                    let message = format!(
                        "the fault proxy could not inspect the container {container}, so faults with `containers` or \
                         `share` may hit or spare it wrongly (reported once): {error}"
                    );
                    let reason = Reason::new(ReasonCode::EngineUnreachable, message);
                    (None, EventKind::Warning { reason })
                }
            });
        }
        taken
    }

    fn fault_event(&mut self, event: FaultEvent) -> (Option<f64>, EventKind) {
        let index = event.index;
        let t_s = self.started_s + event.at.as_secs_f64();
        let kind = match event.phase {
            FaultPhase::Began => {
                self.intervals.push(FaultInterval {
                    index,
                    from_s: t_s,
                    to_s: f64::INFINITY,
                });
                EventKind::FaultBegan {
                    index,
                    what: event.description,
                }
            }
            FaultPhase::Ended { hits } => {
                let of_this_fault = self.intervals.iter_mut().filter(|interval| interval.index == index);
                of_this_fault.for_each(|interval| interval.to_s = interval.to_s.min(t_s));
                EventKind::FaultEnded {
                    index,
                    hits: Some(hits),
                }
            }
        };
        (Some(t_s), kind)
    }

    /// Returns the number of faults that were active at any time between the last count and `t_s`.
    pub(crate) fn count_active(&mut self, t_s: f64) -> usize {
        let since = std::mem::replace(&mut self.counted_s, t_s);
        let is_active = |interval: &&FaultInterval| interval.from_s <= t_s && interval.to_s > since;
        let count = self.intervals.iter().filter(is_active).count();
        self.intervals.retain(|interval| interval.to_s > t_s);
        count
    }

    /// Stops the proxy, which closes every connection through it.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(STOP_DEADLINE, self.tasks.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: &str = "[[fault]]\nat = \"1s\"\nfor = \"250ms\"\nkind = \"reset\"\n\
                          [[fault]]\nat = \"1500ms\"\nfor = \"10s\"\nkind = \"stall\"\n";

    fn started_proxy(folder: &Path) -> FaultProxy {
        let script = FaultScript::parse(FAULTS).expect("a good script");
        let engine = EngineAddress::Unix(folder.join("engine.sock"));
        let mut proxy = FaultProxy::start(&folder.join("proxy.sock"), &engine, &script.faults).expect("a proxy");
        proxy.start_faults(100.0);
        proxy
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_has_its_planned_times_and_counts_even_between_two_samples() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut proxy = started_proxy(folder.path());
        assert_eq!((proxy.take_events(), proxy.count_active(100.5)), (Vec::new(), 0));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let times: Vec<Option<f64>> = proxy.take_events().into_iter().map(|(t_s, _)| t_s).collect();
        assert_eq!(times, [Some(101.0), Some(101.25), Some(101.5)]);
        assert_eq!(
            proxy.count_active(101.4),
            1,
            "the second begins after the time of this sample"
        );
        assert_eq!(proxy.count_active(102.0), 1, "the first has ended");
        assert_eq!((proxy.take_events(), proxy.count_active(103.0)), (Vec::new(), 1));
        tokio::time::sleep(Duration::from_secs(20)).await;
        let ended = EventKind::FaultEnded {
            index: 1,
            hits: Some(0),
        };
        assert_eq!(proxy.take_events(), [(Some(111.5), ended)]);
        assert_eq!(proxy.count_active(122.0), 1, "it was active since the last count");
        assert_eq!((proxy.take_events(), proxy.count_active(123.0)), (Vec::new(), 0));
        proxy.stop().await;
    }
}
