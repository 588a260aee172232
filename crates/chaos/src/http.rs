//! The parts of HTTP/1.1 that the proxy reads. The scanners say how many bytes belong to what and change none.

mod chunked;
mod request;
mod response;

pub(crate) use request::{Request, RequestScanner};
pub(crate) use response::{LAST_CHUNK, ResponseScanner};
