//! Why a scrape gave no values.

use std::time::Duration;

use super::BODY_BYTES;

/// Why there are no values.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The URL is none.
    #[error("`{url}` is not an http:// address{}", tls(url))]
    Url {
        /// As given.
        url: String,
    },
    /// The client could not be made.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No answer, or a broken one.
    #[error("failed to read {url}: {why}")]
    Connection {
        /// The URL.
        url: String,
        /// The innermost cause, in words.
        why: String,
    },
    /// It took too long, be it the connection, the headers or the body.
    #[error("{url} did not answer completely within {} ms", .deadline.as_millis())]
    TooSlow {
        /// The URL.
        url: String,
        /// How long it had.
        deadline: Duration,
    },
    /// Any status but 200.
    #[error("{url} answered {status}{hint}")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// For redirects: that they are refused.
        hint: &'static str,
    },
    /// More than [`BODY_BYTES`].
    #[error("{url} sent more than {BODY_BYTES} bytes")]
    TooLong {
        /// The URL.
        url: String,
    },
    /// A compression that was not asked for, or gzip that is not.
    #[error("{url} sent a body that cannot be unpacked ({encoding})")]
    Packed {
        /// The URL.
        url: String,
        /// As the header says.
        encoding: String,
    },
    /// Something else than the two text formats.
    #[error("{url} is no exposition of metrics ({what})")]
    NotMetrics {
        /// The URL.
        url: String,
        /// What it was instead.
        what: String,
    },
    /// More series than are read.
    #[error("{url} has more than {} series", crate::exposition::SERIES)]
    TooManySeries {
        /// The URL.
        url: String,
    },
}

pub(super) fn broken(error: &reqwest::Error, url: &reqwest::Url, deadline: Duration) -> ScrapeError {
    if error.is_timeout() {
        ScrapeError::TooSlow {
            url: url.to_string(),
            deadline,
        }
    } else {
        ScrapeError::Connection {
            url: url.to_string(),
            why: innermost(error),
        }
    }
}

pub(super) fn refused(url: &reqwest::Url, status: reqwest::StatusCode) -> ScrapeError {
    let hint = if status.is_redirection() {
        " (redirects are not followed)"
    } else {
        ""
    };
    ScrapeError::Status {
        url: url.to_string(),
        status: status.as_u16(),
        hint,
    }
}

/// `connection refused` is what helps, not the three layers round it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What to do about an address that is encrypted.
fn tls(url: &str) -> &'static str {
    if url.starts_with("https://") {
        " (no TLS is spoken: give it the local end of a tunnel, `ssh -L 9100:127.0.0.1:9100 HOST` for example)"
    } else {
        ""
    }
}
