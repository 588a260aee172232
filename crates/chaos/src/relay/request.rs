//! What the client asks: heads are recognised, bodies are passed over.

use super::response::Chunks;

/// A longer head is no request of a Docker client; it is passed on unread.
const LONGEST: usize = 64 << 10;
const MOST_HEADERS: usize = 64;

/// What a request asks for, as far as faults make a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The log of the container of this name or id.
    Log {
        key: String,
    },
    Events,
    Other,
}

/// The client's side of a connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    state: State,
    head: Vec<u8>,
    /// What comes after the head that was found last.
    next: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body(u64),
    Chunks(Chunks),
    /// Not HTTP any more (attach, exec, BuildKit), or not understood.
    Opaque,
}

impl Requests {
    /// Whether the connection carries something else than HTTP now.
    pub(super) fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Takes bytes off `input` and appends to `out` what can be forwarded. Stops when a head is complete, which is
    /// forwarded or dropped by the caller's decision.
    pub(super) fn feed(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Asked> {
        while !input.is_empty() {
            let count = match &mut self.state {
                State::Opaque => input.len(),
                State::Body(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= count as u64;
                    count
                }
                State::Chunks(chunks) => chunks.skip(input),
                State::Head => return self.take_head(input, out),
            };
            out.extend_from_slice(&input[..count]);
            *input = &input[count..];
            let done = match &self.state {
                State::Body(left) => *left == 0,
                State::Chunks(chunks) => chunks.is_done(),
                State::Head | State::Opaque => false,
            };
            if done {
                self.state = State::Head;
            }
        }
        None
    }

    fn take_head(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Asked> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&self.head) {
            Ok(httparse::Status::Complete(length)) => {
                let asked = asked(request.method.unwrap_or_default(), request.path.unwrap_or_default());
                self.next = after(request.headers);
                *input = &input[length - before..];
                self.head.truncate(length);
                Some(asked)
            }
            Ok(httparse::Status::Partial) if self.head.len() < LONGEST => {
                *input = &[];
                None
            }
            _ => {
                *input = &[];
                self.state = State::Opaque;
                out.append(&mut self.head);
                None
            }
        }
    }

    /// Forwards the head that was found last.
    pub(super) fn forward_head(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.head);
        self.drop_head();
    }

    /// Goes on behind the head that was found last.
    pub(super) fn drop_head(&mut self) {
        self.head = Vec::new();
        self.state = std::mem::take(&mut self.next);
    }
}

fn after(headers: &[httparse::Header<'_>]) -> State {
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found
            .and_then(|header| std::str::from_utf8(header.value).ok())
            .unwrap_or_default()
    };
    if !header("upgrade").is_empty() {
        return State::Opaque;
    }
    if header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        return State::Chunks(Chunks::default());
    }
    match header("content-length").trim() {
        "" | "0" => State::Head,
        length => length.parse().map_or(State::Opaque, State::Body),
    }
}

fn asked(method: &str, target: &str) -> Asked {
    let target = target.find("://").map_or(target, |at| {
        let rest = &target[at + 3..];
        rest.find('/').map_or("/", |slash| &rest[slash..])
    });
    let path = target.split('?').next().unwrap_or_default();
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_version = |word: &&str| {
        word.strip_prefix('v')
            .is_some_and(|v| v.contains('.') && v.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    if segments.first().is_some_and(is_version) {
        segments.remove(0);
    }
    match (method, &segments[..]) {
        ("GET", ["containers", key, "logs"]) => Asked::Log { key: (*key).to_owned() },
        ("GET", ["events"]) => Asked::Events,
        _ => Asked::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was recognised and what was forwarded when these bytes come in pieces of that size.
    fn feed(bytes: &[u8], size: usize) -> (Vec<Asked>, Vec<u8>) {
        let (mut requests, mut asked, mut out) = (Requests::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            while let Some(found) = requests.feed(&mut rest, &mut out) {
                asked.push(found);
                requests.forward_head(&mut out);
            }
        }
        (asked, out)
    }

    #[test]
    fn requests_on_one_connection_are_told_apart_however_their_bytes_come() {
        let bytes = b"POST /v1.41/containers/create HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"a\": \"b\"}\nGET /v1.41/containers/abc/logs?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n\
            POST /images/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n3;x=y\r\nabc\r\n0\r\n\r\nGET http://d/events HTTP/1.1\r\n\r\n";
        let expected = vec![
            Asked::Other,
            Asked::Log { key: "abc".into() },
            Asked::Other,
            Asked::Events,
        ];
        for size in [1, 2, 7, 64, 4096] {
            let (asked, out) = feed(bytes, size);
            assert_eq!(asked, expected, "in pieces of {size}");
            assert_eq!(out, bytes, "in pieces of {size}");
        }
    }

    #[test]
    fn behind_an_upgrade_everything_passes() {
        let bytes = b"POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nGET /events HTTP/1.1\r\n\r\n\x00\x01";
        assert_eq!(feed(bytes, 5), (vec![Asked::Other], bytes.to_vec()));
    }

    #[test]
    fn what_is_no_http_passes() {
        let bytes = b"\x16\x03\x01 hello";
        assert_eq!(feed(bytes, 100), (vec![], bytes.to_vec()));
    }
}
