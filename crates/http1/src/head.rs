//! The heads of requests and responses.

use crate::framing::Framing;

/// The longest head that is accepted, in bytes. Those of Docker clients and engines are below 1 KiB.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// An error in the head of a message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The bytes are not an HTTP/1 head.
    #[error("{0}")]
    Syntax(#[from] httparse::Error),
    /// The head does not end within [`MAX_HEAD_BYTES`].
    #[error("longer than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    /// The body is encoded in a way other than `chunked`.
    #[error("unknown transfer encoding `{0}`")]
    TransferEncoding(String),
    /// The content length is not a number.
    #[error("content length `{0}` is not a number")]
    ContentLength(String),
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method, as it was sent.
    pub method: String,
    /// The request target: a path with its query, or an absolute URL.
    pub target: String,
    /// The framing of the body.
    pub framing: Framing,
    /// The client asks to leave HTTP on this connection (`Upgrade`).
    pub is_upgrade: bool,
}

impl RequestHead {
    /// Parses the head at the start of `bytes` and returns it with its length, or `None` while it is incomplete.
    ///
    /// # Errors
    /// [`HeadError`] if the bytes cannot become a head, or its framing is unknown.
    ///
    /// ```
    /// # use leakcheck_http1::{Framing, RequestHead};
    /// let (head, length) = RequestHead::parse(b"GET /info HTTP/1.1\r\n\r\nrest")?.expect("a complete head");
    /// assert_eq!((head.target.as_str(), head.framing, length), ("/info", Framing::Length(0), 22));
    /// # Ok::<(), leakcheck_http1::HeadError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Some(length) = complete(request.parse(bytes)?, bytes)? else {
            return Ok(None);
        };
        let head = Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            framing: framing(request.headers, Framing::Length(0))?,
            is_upgrade: header(request.headers, "upgrade").is_some(),
        };
        Ok(Some((head, length)))
    }
}

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The framing of the body, for any request except `HEAD` and `CONNECT`.
    pub framing: Framing,
}

impl ResponseHead {
    /// Parses the head at the start of `bytes` and returns it with its length, or `None` while it is incomplete.
    ///
    /// # Errors
    /// [`HeadError`] if the bytes cannot become a head, or its framing is unknown.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let Some(length) = complete(response.parse(bytes)?, bytes)? else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        // RFC 9112, section 6.3; behind 101 the connection is no longer HTTP.
        let framing = match status {
            101 => Framing::UntilClose,
            100..200 | 204 | 304 => Framing::Length(0),
            _ => framing(response.headers, Framing::UntilClose)?,
        };
        Ok(Some((Self { status, framing }, length)))
    }

    /// Returns `true` if another head follows this one (`100 Continue` and other 1xx, except 101).
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status != 101 && (100..200).contains(&self.status)
    }
}

fn complete(parsed: httparse::Status<usize>, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
    match parsed {
        httparse::Status::Complete(length) => Ok(Some(length)),
        httparse::Status::Partial if bytes.len() < MAX_HEAD_BYTES => Ok(None),
        httparse::Status::Partial => Err(HeadError::TooLong),
    }
}

fn header<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok().map(str::trim)
}

fn framing(headers: &[httparse::Header<'_>], default: Framing) -> Result<Framing, HeadError> {
    match (header(headers, "transfer-encoding"), header(headers, "content-length")) {
        (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (Some(encoding), _) => Err(HeadError::TransferEncoding(encoding.to_owned())),
        (None, Some(length)) => match length.parse() {
            Ok(length) => Ok(Framing::Length(length)),
            Err(_) => Err(HeadError::ContentLength(length.to_owned())),
        },
        (None, None) => Ok(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(lines: &str) -> Result<ResponseHead, HeadError> {
        let bytes = format!("HTTP/1.1 {lines}\r\n\r\n");
        let (head, length) = ResponseHead::parse(bytes.as_bytes())?.expect("a complete head");
        assert_eq!(length, bytes.len());
        Ok(head)
    }

    fn response_framing(lines: &str) -> Framing {
        response(lines).expect("a head").framing
    }

    #[test]
    fn the_framing_of_a_response_follows_from_status_and_headers() {
        assert_eq!(
            response_framing("200 OK\r\ntransfer-encoding: Chunked"),
            Framing::Chunked
        );
        assert_eq!(response_framing("404 No\r\nContent-Length: 5"), Framing::Length(5));
        assert_eq!(response_framing("200 OK"), Framing::UntilClose);
        assert_eq!(response_framing("204 No Content"), Framing::Length(0));
        assert_eq!(
            response_framing("304 Not Modified\r\nContent-Length: 5"),
            Framing::Length(0)
        );
        assert_eq!(
            response_framing("101 Switching\r\nContent-Length: 5"),
            Framing::UntilClose
        );
    }

    #[test]
    fn only_interim_responses_are_followed_by_another_head() {
        for (line, is_interim) in [
            ("100 Continue", true),
            ("103 Early Hints", true),
            ("101 Switching", false),
            ("200 OK", false),
        ] {
            assert_eq!(response(line).expect("a head").is_interim(), is_interim, "{line}");
        }
    }

    #[test]
    fn an_unknown_framing_is_an_error() {
        assert_eq!(
            response("200 OK\r\nTransfer-Encoding: gzip"),
            Err(HeadError::TransferEncoding("gzip".to_owned()))
        );
        assert_eq!(
            response("200 OK\r\nContent-Length: many"),
            Err(HeadError::ContentLength("many".to_owned()))
        );
    }

    #[test]
    fn a_request_has_no_body_unless_it_says_so() {
        let parse = |lines: &str| {
            let bytes = format!("{lines}\r\n\r\n");
            RequestHead::parse(bytes.as_bytes())
                .expect("a head")
                .expect("a complete head")
                .0
        };
        let head = parse("GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: d");
        assert_eq!(
            (head.method.as_str(), head.target.as_str()),
            ("GET", "/v1.41/containers/json?all=1")
        );
        assert_eq!((head.framing, head.is_upgrade), (Framing::Length(0), false));
        assert_eq!(
            parse("POST / HTTP/1.1\r\nContent-Length: 11").framing,
            Framing::Length(11)
        );
        assert_eq!(
            parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked").framing,
            Framing::Chunked
        );
        assert!(parse("POST /attach HTTP/1.1\r\nUpgrade: tcp").is_upgrade);
    }

    #[test]
    fn a_head_is_awaited_until_it_cannot_be_one() {
        assert_eq!(ResponseHead::parse(b"HTTP/1.1 200 OK\r\nX-"), Ok(None));
        assert_eq!(RequestHead::parse(b""), Ok(None));
        assert!(matches!(
            RequestHead::parse(b"\x16\x03\x01 hello"),
            Err(HeadError::Syntax(_))
        ));
        let mut long = b"GET / HTTP/1.1\r\nX: ".to_vec();
        long.resize(MAX_HEAD_BYTES, b'x');
        assert_eq!(RequestHead::parse(&long), Err(HeadError::TooLong));
    }
}
