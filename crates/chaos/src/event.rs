//! Events that the proxy reports while it runs.

use std::time::Duration;

/// The beginning or end of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// Index of the fault in the script.
    pub index: usize,
    /// Planned time of the event, since the start of the fault clock.
    pub at: Duration,
    /// Description of the fault for people.
    pub description: String,
    /// Beginning or end.
    pub phase: FaultPhase,
}

/// The beginning or end of a fault, in a [`FaultEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPhase {
    /// The fault begins.
    Began,
    /// The fault ends.
    Ended {
        /// Number of times the fault took effect: affected log streams and requests, delayed events, and connections that
        /// ended with the engine.
        hits: u64,
    },
}

/// An event of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyEvent {
    /// A fault begins or ends.
    Fault(FaultEvent),
    /// A container could not be inspected, so faults that select by name or group may hit or spare it wrongly. Only the
    /// first such container is reported; later ones are logged.
    InspectFailed {
        /// The container's id or name, as in the client's request.
        container: String,
        /// The reason.
        error: String,
    },
}
