//! Error responses in Docker's format: a status and `{"message": "…"}`.

use std::fmt::Display;

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The message for the client.
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, message: impl Display) -> Self {
        Self {
            status,
            message: message.to_string(),
        }
    }

    pub(crate) fn bad(message: impl Display) -> Self {
        Self::new(400, message)
    }

    pub(crate) fn not_found(message: impl Display) -> Self {
        Self::new(404, message)
    }

    pub(crate) fn conflict(message: impl Display) -> Self {
        Self::new(409, message)
    }

    /// Makes an error with status 500, which Docker uses for parse errors.
    pub(crate) fn internal(message: impl Display) -> Self {
        Self::new(500, message)
    }
}
