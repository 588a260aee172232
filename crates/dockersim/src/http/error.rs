//! Errors that end a connection.

use std::io;

/// An error that ends a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The socket failed or the client went away.
    #[error("the connection to the client failed")]
    Io(#[from] io::Error),
    /// The client sent no valid HTTP/1 request.
    #[error("malformed HTTP request: {0}")]
    Malformed(&'static str),
    /// The hijacked connection of `attach` has ended.
    #[error("the attached stream has ended")]
    Detached,
    /// The client did not finish a request in time.
    #[error("the request was not finished in time")]
    Deadline,
}
