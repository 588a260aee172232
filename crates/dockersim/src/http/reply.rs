//! Responses: heads in Docker's format, and the chunks of streamed bodies.

use std::borrow::Cow;
use std::io::Write as _;

use super::head::Head;
use crate::clock;
use crate::error::ApiError;

/// The body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    Text(Cow<'static, str>),
    Json(Vec<u8>),
}

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content: Content,
    /// More headers, each with its line end.
    pub(crate) headers: &'static str,
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            content: Content::Nothing,
            headers: "",
        }
    }

    /// Makes a JSON response. It ends with a newline, as Go's encoder writes it.
    pub(crate) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        let mut body = serde_json::to_vec(value).unwrap_or_default();
        body.push(b'\n');
        Self {
            status,
            content: Content::Json(body),
            headers: "",
        }
    }

    /// Makes an error response: JSON, or plain text for versions of the API before JSON errors (moby,
    /// `api/server/httputils/errors.go`).
    pub(crate) fn error(head: &Head, error: ApiError) -> Self {
        if head
            .version_numbers()
            .is_none_or(|version| version[..] > LAST_WITH_TEXT_ERRORS[..])
        {
            return error.into();
        }
        Self {
            status: error.status,
            content: Content::Text((error.message + "\n").into()),
            headers: "X-Content-Type-Options: nosniff\r\n",
        }
    }

    /// Encodes the response to a malformed request, after which the connection is closed.
    pub(crate) fn closing_bytes(&self) -> Vec<u8> {
        self.encode("GET", false, HTTP_11)
    }

    pub(crate) fn bytes(&self, head: &Head) -> Vec<u8> {
        self.encode(&head.method, head.keep_alive, protocol(head))
    }

    fn encode(&self, method: &str, keep_alive: bool, protocol: &str) -> Vec<u8> {
        let (kind, body) = match &self.content {
            Content::Nothing => ("", &[][..]),
            Content::Text(text) => ("Content-Type: text/plain; charset=utf-8\r\n", text.as_bytes()),
            Content::Json(json) => (JSON, &json[..]),
        };
        let mut out = Vec::with_capacity(320 + body.len());
        push_head(&mut out, protocol, self.status, kind, self.headers);
        if !matches!(self.status, 204 | 304) {
            let length = if method == "HEAD" { 0 } else { body.len() };
            let _ = write!(out, "Content-Length: {length}\r\n");
        }
        push_end(&mut out, keep_alive);
        if method != "HEAD" {
            out.extend_from_slice(body);
        }
        out
    }

    /// Returns the head after which the connection carries raw bytes instead of HTTP.
    pub(crate) fn attached(head: &Head) -> &'static [u8] {
        if head.upgrades {
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\
              Upgrade: tcp\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        }
    }

    /// Returns the head of a streamed response: chunked, or in HTTP/1.0 ended by the connection.
    pub(crate) fn streaming(head: &Head, content_type: &'static str) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        push_head(&mut out, protocol(head), 200, content_type, "");
        if !head.is_http10 {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        push_end(&mut out, head.keep_alive);
        out
    }
}

/// The last version of the API whose errors are plain text.
const LAST_WITH_TEXT_ERRORS: [u32; 2] = [1, 23];

/// The content type header of JSON responses.
pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::json(error.status, &serde_json::json!({ "message": error.message }))
    }
}

const HTTP_11: &str = "HTTP/1.1";

fn protocol(head: &Head) -> &'static str {
    if head.is_http10 { "HTTP/1.0" } else { HTTP_11 }
}

fn push_head(out: &mut Vec<u8>, protocol: &str, status: u16, kind: &str, more: &str) {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    // Infallible: writing to a Vec.
    let _ = write!(
        out,
        "{protocol} {status} {reason}\r\nApi-Version: 1.41\r\n{kind}{more}Docker-Experimental: false\r\nOstype: linux\r\n\
         Server: leakcheck-engine/{} (linux)\r\nDate: {}\r\n",
        env!("CARGO_PKG_VERSION"),
        clock::http_date(),
    );
}

fn push_end(out: &mut Vec<u8>, keep_alive: bool) {
    out.extend_from_slice(if keep_alive {
        b"\r\n"
    } else {
        b"Connection: close\r\n\r\n"
    });
}

/// Appends one chunk of a chunked body, whose `length` bytes `fill` appends.
pub(crate) fn push_chunk(out: &mut Vec<u8>, length: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    let _ = write!(out, "{length:x}\r\n");
    fill(out);
    out.extend_from_slice(b"\r\n");
}
