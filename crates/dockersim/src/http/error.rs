//! Errors that end a connection.

use std::io;

/// An error that ends a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The socket failed or the client went away.
    #[error("failed to talk to the client")]
    Io(#[from] io::Error),
    /// The client does not speak HTTP/1.
    #[error("no HTTP request: {0}")]
    Malformed(&'static str),
    /// The hijacked connection of `attach` has ended.
    #[error("an attached client is done")]
    Detached,
    /// The client did not finish a request in time.
    #[error("the request was not finished in time")]
    Deadline,
}
