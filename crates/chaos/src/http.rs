//! Positions in the two directions of an HTTP/1.1 connection. The scanners say which bytes belong to what and change none.

mod request;
mod response;

pub(crate) use request::{Request, RequestScanner};
pub(crate) use response::ResponseScanner;
