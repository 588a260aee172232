//! Raw HTTP on a Unix socket, without a client library in between.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any answer here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that uses a connection for each request.
#[derive(Clone)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    /// The sizes of its chunks, if it came in chunks.
    pub(crate) chunks: Vec<usize>,
}

impl Client {
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Vec<u8>> {
        UnixStream::connect(&self.socket).ok()?;
        let answer = self.ask("GET", path);
        (answer.status == 200).then_some(answer.body)
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "", b"")
    }

    pub(crate) fn ask_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, "application/json", body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let mut stream = UnixStream::connect(&self.socket).expect("the engine listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let kind = if content_type.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {content_type}\r\n")
        };
        let length = if body.is_empty() && content_type.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n{kind}{length}\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        // The engine may have answered and closed before it has read the body.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        stream
            .read_to_end(&mut bytes)
            .unwrap_or_else(|error| panic!("{method} {path} has no end: {error}"));
        Answer::parse(&bytes)
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
        };
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let (mut body, mut chunks) = (Vec::new(), Vec::new());
        let mut rest = &bytes[end..];
        if header("transfer-encoding").as_deref() == Some("chunked") {
            while let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("hex"), 16).expect("hex");
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&rest[line + 2..line + 2 + size]);
                chunks.push(size);
                rest = &rest[line + 2 + size + 2..];
            }
        } else {
            body = rest.to_vec();
        }
        Self {
            status,
            content_type: header("content-type"),
            body,
            chunks,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&self.body)))
    }

    /// One JSON value for each line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The frames of a multiplexed stream: which stream, and the text.
    pub(crate) fn frames(&self) -> Vec<(u8, String)> {
        let (mut rest, mut frames) = (&self.body[..], Vec::new());
        while let [stream, 0, 0, 0, a, b, c, d, tail @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            frames.push((*stream, String::from_utf8_lossy(&tail[..length]).into_owned()));
            rest = &tail[length..];
        }
        assert!(rest.is_empty(), "whole frames and nothing else");
        frames
    }
}
