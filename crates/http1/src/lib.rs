//! An HTTP/1 codec without I/O: it parses message heads and follows the framing of bodies.
//!
//! `capture` uses it for log streams, and `chaos` for its proxy. Neither can use an HTTP client or server: a followed log
//! must not cost a second task or an idle buffer, and a proxy must forward every byte as it came.

mod body;
mod framing;
mod head;

pub use body::{BodyDecoder, BodyError, LAST_CHUNK, encode_chunk};
pub use framing::Framing;
pub use head::{HeadError, MAX_HEAD_BYTES, RequestHead, ResponseHead};
