//! The position in a client's requests: heads are parsed, bodies are skipped.

use leakcheck_http1::{BodyDecoder, RequestHead};

/// A request, as far as faults distinguish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The log of the container with this name or id.
    Log {
        key: String,
    },
    Events,
    Other,
}

/// A position in the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct RequestScanner {
    state: State,
    /// The bytes of the current head so far.
    head: Vec<u8>,
    /// The state after the current head.
    next: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body(BodyDecoder),
    /// Not HTTP any more (attach, exec, BuildKit), or malformed.
    Opaque,
}

impl RequestScanner {
    /// Reports whether the connection no longer carries HTTP.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Consumes `input` and appends to `out` the bytes to forward. Returns early at the end of a head: the caller then
    /// calls [`Self::forward_head`] or [`Self::drop_head`].
    pub(crate) fn scan(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Request> {
        while !input.is_empty() {
            let count = match &mut self.state {
                State::Head => return self.scan_head(input, out),
                State::Body(decoder) => decoder.scan(input, |_| {}).ok(),
                State::Opaque => None,
            };
            let (forwarded, rest) = input.split_at(count.unwrap_or(input.len()));
            out.extend_from_slice(forwarded);
            *input = rest;
            match (&self.state, count) {
                (State::Body(decoder), Some(_)) if decoder.is_done() => self.state = State::Head,
                (State::Body(_), Some(_)) => {}
                _ => self.state = State::Opaque,
            }
        }
        None
    }

    fn scan_head(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Request> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        match RequestHead::parse(&self.head) {
            Ok(Some((head, length))) => {
                let body = BodyDecoder::new(head.framing);
                self.next = match (head.is_upgrade, body.is_done()) {
                    (true, _) => State::Opaque,
                    (false, true) => State::Head,
                    (false, false) => State::Body(body),
                };
                *input = &input[length - before..];
                self.head.truncate(length);
                Some(classify(&head.method, &head.target))
            }
            Ok(None) => {
                *input = &[];
                None
            }
            Err(_) => {
                *input = &[];
                self.state = State::Opaque;
                out.append(&mut self.head);
                None
            }
        }
    }

    /// Appends the current head to `out` and goes on behind it.
    pub(crate) fn forward_head(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.head);
        self.drop_head();
    }

    /// Goes on behind the current head without forwarding it.
    pub(crate) fn drop_head(&mut self) {
        self.head = Vec::new();
        self.state = std::mem::take(&mut self.next);
    }
}

fn classify(method: &str, target: &str) -> Request {
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
        ("GET", ["containers", key, "logs"]) => Request::Log { key: (*key).to_owned() },
        ("GET", ["events"]) => Request::Events,
        _ => Request::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans `bytes` in pieces of `size`; returns the requests and the forwarded bytes.
    fn scan(bytes: &[u8], size: usize) -> (Vec<Request>, Vec<u8>) {
        let (mut scanner, mut requests, mut out) = (RequestScanner::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            while let Some(found) = scanner.scan(&mut rest, &mut out) {
                requests.push(found);
                scanner.forward_head(&mut out);
            }
        }
        (requests, out)
    }

    #[test]
    fn requests_on_one_connection_are_found_in_pieces_of_any_size() {
        let bytes = b"POST /v1.41/containers/create HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"a\": \"b\"}\nGET /v1.41/containers/abc/logs?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n\
            POST /images/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n3;x=y\r\nabc\r\n0\r\n\r\nGET http://d/events HTTP/1.1\r\n\r\n";
        let expected = vec![
            Request::Other,
            Request::Log { key: "abc".into() },
            Request::Other,
            Request::Events,
        ];
        for size in [1, 2, 7, 64, 4096] {
            let (requests, out) = scan(bytes, size);
            assert_eq!(requests, expected, "in pieces of {size}");
            assert_eq!(out, bytes, "in pieces of {size}");
        }
    }

    #[test]
    fn everything_passes_after_an_upgrade() {
        let bytes = b"POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nGET /events HTTP/1.1\r\n\r\n\x00\x01";
        assert_eq!(scan(bytes, 5), (vec![Request::Other], bytes.to_vec()));
    }

    #[test]
    fn bytes_that_are_not_http_pass() {
        let bytes = b"\x16\x03\x01 hello";
        assert_eq!(scan(bytes, 100), (vec![], bytes.to_vec()));
    }
}
