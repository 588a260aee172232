//! The wire to the engine: one connection per request, owned by whoever asked, closed when dropped.
//!
//! Written by hand rather than through an HTTP client because of what a followed log must not cost: no second task, no
//! buffer while idle, no read without a deadline, and no end of stream that could also be a cut.

pub(crate) mod chunked;
pub(crate) mod dial;
pub(crate) mod request;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// Anything that carries bytes to an engine and back.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection of any kind.
pub(crate) type AnyWire = Box<dyn Wire>;

/// What can go wrong between us and the engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("failed to connect to {endpoint}")]
    Connect { endpoint: String, source: io::Error },
    #[error("engine did not answer {target} within {seconds} s")]
    NoAnswer { target: String, seconds: f32 },
    #[error("no connection to {target} could be opened within {seconds} s: too many are being opened")]
    Crowded { target: String, seconds: f32 },
    #[error("failed to read from the engine")]
    Read(#[source] io::Error),
    #[error("failed to write to the engine")]
    Write(#[source] io::Error),
    #[error("response head is broken: {0}")]
    Head(String),
    #[error("response body is broken: {0}")]
    Chunk(&'static str),
    #[error("response body was cut")]
    Cut,
    #[error("response body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("engine answered {status} to {target}: {message}")]
    Status {
        status: u16,
        target: String,
        message: String,
    },
    #[error("engine's answer to {target} is not what it should be")]
    Json { target: String, source: serde_json::Error },
}

impl WireError {
    /// True where the engine as a whole is away, rather than one container's log.
    pub(crate) fn is_engine_away(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Crowded { .. })
    }

    /// The HTTP status, if the engine gave one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The `kind` label of `log_capturer_stream_errors_total`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::NoAnswer { .. } | Self::Crowded { .. } => "no_answer",
            Self::Read(_) | Self::Write(_) => "io",
            Self::Cut => "truncated",
            Self::Status { .. } => "status",
            Self::Head(_) | Self::Chunk(_) | Self::TooLarge(_) | Self::Json { .. } => "protocol",
        }
    }
}
