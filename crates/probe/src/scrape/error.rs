//! Errors of a scrape.

use std::time::Duration;

/// An error of a scrape. There are no values then.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The URL is invalid.
    #[error("`{url}` is not an http:// address{}", tls(url))]
    Url {
        /// The URL.
        url: String,
    },
    /// The HTTP client could not be created.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// No answer, or a broken one.
    #[error("failed to read {url}: {why}")]
    Connection {
        /// The URL.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// The connection, the headers or the body took too long.
    #[error("{url} did not answer completely within {} ms", .deadline.as_millis())]
    TooSlow {
        /// The URL.
        url: String,
        /// The deadline.
        deadline: Duration,
    },
    /// Another status than 200.
    #[error("{url} answered {status}{hint}")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// A remark that redirects are refused.
        hint: &'static str,
    },
    /// A body above the size limit.
    #[error("{url} sent more than {limit} bytes")]
    TooLong {
        /// The URL.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A compression that was not requested, or invalid gzip.
    #[error("{url} sent a body that cannot be unpacked ({encoding})")]
    Packed {
        /// The URL.
        url: String,
        /// The encoding in the header.
        encoding: String,
    },
    /// A body in another format than the two text formats.
    #[error("{url} is no exposition of metrics ({what})")]
    NotMetrics {
        /// The URL.
        url: String,
        /// The content type, or a description of the body.
        what: String,
    },
    /// Too many series.
    #[error("{url} has more than {} series", crate::exposition::MAX_SERIES)]
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

/// Returns the innermost cause (`connection refused`), which helps more than the layers around it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Returns a hint for an encrypted address.
fn tls(url: &str) -> &'static str {
    if url.starts_with("https://") {
        " (TLS is not supported: use the local end of a tunnel, for example `ssh -L 9100:127.0.0.1:9100 HOST`)"
    } else {
        ""
    }
}
