//! Errors of a request to the engine.

use std::io;

use leakcheck_http1::{BodyError, HeadError};

/// An error of a request to the engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("failed to connect to {endpoint}")]
    Connect { endpoint: String, source: io::Error },
    #[error("engine did not answer {target} within {seconds} s")]
    NoAnswer { target: String, seconds: f32 },
    #[error("no connection for {target} could be opened within {seconds} s: too many are being opened")]
    TooManyConnecting { target: String, seconds: f32 },
    #[error("failed to read from the engine")]
    Read(#[source] io::Error),
    #[error("failed to write to the engine")]
    Write(#[source] io::Error),
    #[error("response head is invalid: {0}")]
    Head(#[from] HeadError),
    #[error("response body is invalid: {0}")]
    Body(#[from] BodyError),
    #[error("connection closed before the end of the response")]
    Truncated,
    #[error("response body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("engine answered {status} to {target}: {message}")]
    Status {
        status: u16,
        target: String,
        message: String,
    },
    #[error("engine's answer to {target} has an unexpected form")]
    Json { target: String, source: serde_json::Error },
}

impl HttpError {
    /// Returns `true` if the engine as a whole is unavailable, and not the log of one container.
    pub(crate) fn is_engine_unavailable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::TooManyConnecting { .. })
    }

    /// Returns the HTTP status, if the engine sent one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns the `kind` label of `log_capturer_stream_errors_total`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::NoAnswer { .. } | Self::TooManyConnecting { .. } => "no_answer",
            Self::Read(_) | Self::Write(_) => "io",
            Self::Truncated => "truncated",
            Self::Status { .. } => "status",
            Self::Head(_) | Self::Body(_) | Self::TooLarge(_) | Self::Json { .. } => "protocol",
        }
    }
}
