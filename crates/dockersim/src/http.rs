//! HTTP/1.1 on one connection.

mod body;
mod connection;
mod error;
mod framing;
mod head;
mod reply;

pub(crate) use connection::Connection;
pub(crate) use error::ConnectionError;
pub(crate) use framing::Framing;
pub(crate) use head::Head;
pub(crate) use reply::{Content, JSON, Reply, push_chunk};
