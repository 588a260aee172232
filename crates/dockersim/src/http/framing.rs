//! The framing of a request body: known length, chunks, or none.

use super::error::ConnectionError;

/// The framing of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

impl Framing {
    pub(super) fn of(transfer_encoding: &str, content_length: &str) -> Result<Self, ConnectionError> {
        match (transfer_encoding, content_length) {
            ("", "") => Ok(Self::Length(0)),
            ("", length) => length
                .parse()
                .map(Self::Length)
                .map_err(|_| ConnectionError::Malformed("the content length is no number")),
            (encoding, _) if encoding.eq_ignore_ascii_case("chunked") => Ok(Self::Chunked),
            (encoding, _) if encoding.eq_ignore_ascii_case("identity") => Self::of("", content_length),
            _ => Err(ConnectionError::Malformed("the transfer encoding is unknown")),
        }
    }
}
