//! The framing of a message body.

/// The rule by which the length of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length`, in bytes; 0 for a message without a body.
    Length(u64),
    /// The body lasts until the connection closes.
    UntilClose,
}
