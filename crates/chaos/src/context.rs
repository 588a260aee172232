//! State that all connections of a proxy share.

use std::path::{Path, PathBuf};

use leakcheck_model::scenario::FaultKind;
use tokio::sync::{mpsc, watch};

use crate::event::ProxyEvent;
use crate::fault_schedule::ActiveFaults;
use crate::identity::Identities;
use crate::script::FaultScript;

/// State that all connections of a proxy share.
pub(crate) struct ProxyContext {
    /// The engine's socket.
    pub(crate) upstream: PathBuf,
    pub(crate) active_faults: watch::Receiver<ActiveFaults>,
    pub(crate) identities: Identities,
    /// The script has a fault of kind `reset`, so clients' sockets must be prepared for one.
    pub(crate) has_resets: bool,
    /// The script has a fault of kind `delay`, so event streams must be parsed.
    pub(crate) has_delays: bool,
}

impl ProxyContext {
    pub(crate) fn new(
        upstream: &Path,
        script: &FaultScript,
        active_faults: watch::Receiver<ActiveFaults>,
        events: Option<mpsc::Sender<ProxyEvent>>,
    ) -> Self {
        Self {
            upstream: upstream.to_owned(),
            active_faults,
            identities: Identities::new(upstream, events),
            has_resets: script.has(FaultKind::Reset),
            has_delays: script.has(FaultKind::Delay),
        }
    }
}
