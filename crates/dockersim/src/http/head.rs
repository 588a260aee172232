//! The head of a request.

use super::error::ConnectionError;
use super::framing::Framing;
use crate::query::{Query, percent_decode};

/// Go's `http.DefaultMaxHeaderBytes` is 1 MiB; no client of the Docker API comes near 64 KiB.
const LONGEST: usize = 64 << 10;
const MOST_HEADERS: usize = 64;

/// The head of a request: method, path, query and framing of the body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Decoded, without the version prefix.
    pub(crate) path: String,
    /// The version of the API in the path.
    pub(crate) version: Option<String>,
    pub(crate) query: Query,
    pub(crate) content_type: String,
    pub(crate) framing: Framing,
    /// True if the client wants the raw connection instead of HTTP.
    pub(crate) upgrades: bool,
    /// True if the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// True if the connection serves another request after this one.
    pub(crate) keep_alive: bool,
    /// True for HTTP/1.0, which has no chunks: a stream ends with the connection.
    pub(crate) is_http10: bool,
}

impl Head {
    /// Parses the head at the beginning of `bytes` and returns it with its length; `None` if it is incomplete.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ConnectionError> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Ok(None),
            Ok(httparse::Status::Partial) => return Err(ConnectionError::Malformed("the head is too long")),
            Err(_) => return Err(ConnectionError::Malformed("the head cannot be parsed")),
        };
        let header = |name: &str| {
            let found = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found
                .and_then(|h| std::str::from_utf8(h.value).ok())
                .map(str::trim)
                .unwrap_or_default()
        };
        let target = request.path.unwrap_or("/");
        let target = target.find("://").map_or(target, |at| {
            let rest = &target[at + 3..];
            rest.find('/').map_or("/", |slash| &rest[slash..])
        });
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_http10 = request.version == Some(0);
        let (version, path) = split_version(path);
        let connection = header("connection").to_ascii_lowercase();
        let head = Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: percent_decode(&path.replace('+', "%2B")),
            version: version.map(str::to_owned),
            query: Query::parse(query),
            content_type: header("content-type").to_owned(),
            framing: Framing::of(header("transfer-encoding"), header("content-length"))?,
            upgrades: !header("upgrade").is_empty(),
            expects_continue: header("expect").eq_ignore_ascii_case("100-continue"),
            keep_alive: connection != "close" && !is_http10,
            is_http10,
        };
        Ok(Some((head, length)))
    }

    /// Returns the numbers of the API version in the path.
    pub(crate) fn version_numbers(&self) -> Option<Vec<u32>> {
        let version = self.version.as_ref()?;
        Some(version.split('.').map(|part| part.parse().unwrap_or(0)).collect())
    }
}

/// Splits `/v1.41/containers/json` into `1.41` and `/containers/json`. As in moby, any digits and dots are a version.
fn split_version(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/v") else {
        return (None, path);
    };
    let (version, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_version = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_version && !tail.is_empty() {
        (Some(version), tail)
    } else {
        (None, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Head {
        Head::parse(text.as_bytes()).expect("HTTP").expect("a whole head").0
    }

    #[test]
    fn any_version_prefix_is_taken_off_and_nothing_else() {
        for (target, path) in [
            ("/v1.41/containers/json", "/containers/json"),
            ("/v1.53/info?x=1", "/info"),
            ("/v1/info", "/info"),
            ("/vx/info", "/vx/info"),
            ("/volumes", "/volumes"),
            ("/_ping", "/_ping"),
            ("http://docker/v1.24/info", "/info"),
            ("/images/a%2Fb+c/json", "/images/a/b+c/json"),
        ] {
            assert_eq!(
                parse(&format!("GET {target} HTTP/1.1\r\nHost: d\r\n\r\n")).path,
                path,
                "{target}"
            );
        }
    }

    #[test]
    fn a_connection_is_kept_unless_the_client_says_close() {
        assert!(parse("GET / HTTP/1.1\r\n\r\n").keep_alive);
        assert!(!parse("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keep_alive);
        assert!(!parse("GET / HTTP/1.0\r\n\r\n").keep_alive, "nor in HTTP/1.0");
    }

    #[test]
    fn half_a_head_is_waited_for_and_nonsense_is_refused() {
        assert!(Head::parse(b"GET / HTTP/1.1\r\nHo").expect("so far good").is_none());
        assert!(Head::parse(b"\x01\x02 hello\r\n\r\n").is_err());
        assert!(Head::parse(&[b'a'; LONGEST]).is_err());
    }
}
