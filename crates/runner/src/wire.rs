//! The wire that breaks: the chaos proxy between engine and target, for scenarios with faults.

use std::collections::BTreeSet;
use std::path::Path;

use leakcheck_chaos::{FaultEvent, Plan, Proxy, Starter};
use leakcheck_model::event::Happening;
use leakcheck_model::scenario::Fault;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;

/// Beginnings and ends of faults that may wait to be written down.
const EVENTS: usize = 64;

/// A proxy that the target takes for the engine.
pub(crate) struct Wire {
    starter: Starter,
    events: mpsc::Receiver<FaultEvent>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    active: BTreeSet<usize>,
}

/// A wire that cannot be laid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The proxy speaks Unix sockets.
    #[error("faults need an engine on a Unix socket, and this one is at {0}")]
    NoSocket(Host),
    /// The proxy cannot listen.
    #[error(transparent)]
    Chaos(#[from] leakcheck_chaos::ChaosError),
}

impl Wire {
    /// Lays the wire at the socket `listen`; nothing breaks until [`Wire::begin`].
    pub(crate) fn lay(listen: &Path, engine: &Host, faults: &[Fault]) -> Result<Self, WireError> {
        let Host::Unix(upstream) = engine else {
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
        let (sender, events) = mpsc::channel(EVENTS);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
        Ok(Self {
            starter,
            events,
            shutdown,
            tasks,
            active: BTreeSet::new(),
        })
    }

    /// From now on the times of the faults count.
    pub(crate) fn begin(&self) {
        self.starter.start();
    }

    /// Beginnings and ends since the last look.
    pub(crate) fn news(&mut self) -> Vec<Happening> {
        let mut news = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            news.push(if event.began {
                self.active.insert(event.index);
                Happening::FaultBegan {
                    index: event.index,
                    what: event.what,
                }
            } else {
                self.active.remove(&event.index);
                Happening::FaultEnded { index: event.index }
            });
        }
        news
    }

    /// How many faults are on.
    pub(crate) fn active(&self) -> usize {
        self.active.len()
    }

    /// Takes the wire away; every connection over it ends.
    pub(crate) async fn cut(&mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), self.tasks.wait()).await;
    }
}
