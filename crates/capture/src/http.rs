//! HTTP to the engine: one connection per request, owned by the task that sent it and closed when dropped.
//!
//! It is not built on an HTTP client, because a followed log must not cost a second task or an idle buffer, and because the
//! end of a body must not be confused with a cut.

pub(crate) mod client;
pub(crate) mod connector;
mod error;

pub(crate) use error::HttpError;
