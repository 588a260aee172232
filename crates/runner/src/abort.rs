//! Reasons to end a run before its schedule does.

use leakcheck_model::verdict::{Reason, ReasonCode};

/// The early end of a run.
#[derive(Debug)]
pub(crate) enum RunAbort {
    /// The user ended it.
    Interrupted,
    /// The target ended by itself; the event is recorded.
    TargetDied,
    /// A limit is exceeded for certain; the event is recorded.
    EarlyFail,
    /// The request is wrong for this target, so there is no verdict.
    Usage(String),
    /// The run cannot go on; the reason is not recorded yet.
    Impaired(Reason),
    /// The record cannot be written.
    RunFolder(leakcheck_report::Error),
}

impl RunAbort {
    /// An impaired run with a reason.
    pub(crate) fn impaired(code: ReasonCode, message: impl Into<String>) -> Self {
        Self::Impaired(Reason::new(code, message))
    }
}

impl From<leakcheck_report::Error> for RunAbort {
    fn from(error: leakcheck_report::Error) -> Self {
        Self::RunFolder(error)
    }
}
