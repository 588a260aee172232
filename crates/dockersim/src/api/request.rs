//! A request with its body.

use crate::error::ApiError;
use crate::http::{Framing, Head};

/// Longest JSON body that is read; a create request with a few hundred variables is under 64 KiB.
pub(super) const MAX_BODY: usize = 4 << 20;

/// A request whose body has been read.
pub(super) struct Request<'a> {
    pub(super) head: &'a Head,
    /// The first [`MAX_BODY`] bytes of the body.
    pub(super) body: &'a [u8],
    /// Length of the whole body.
    pub(super) length: u64,
}

impl Request<'_> {
    /// Parses the body as JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ApiError> {
        let kind = self.head.content_type.split(';').next().unwrap_or_default().trim();
        if kind != "application/json" && !(kind.is_empty() && self.head.framing == Framing::Length(0)) {
            return Err(ApiError::bad(format_args!(
                "Content-Type specified ({kind}) must be 'application/json'"
            )));
        }
        if self.length > MAX_BODY as u64 {
            return Err(ApiError::bad("the request's body is too long"));
        }
        let text = String::from_utf8_lossy(self.body);
        serde_json::from_str(&text).map_err(|error| crate::filter::json_error(&text, &error))
    }
}
