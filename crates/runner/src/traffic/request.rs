//! One request of HTTP, on a connection of its own: made, answered, read to its end and closed, as a stranger's would be.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// An answer that takes longer is none.
const DEADLINE: Duration = Duration::from_secs(10);

/// A status line is short; a target that sends more without a newline speaks no HTTP.
const STATUS_LINE: u64 = 1024;

/// What is read of an answer at most.
const ANSWER: u64 = 16 << 20;

/// A request that can be made again and again.
pub(super) struct Request {
    authority: String,
    bytes: Vec<u8>,
}

impl Request {
    /// A request to an `http://` address; `None` if it is none.
    #[must_use]
    pub(super) fn new(method: &str, url: &str, body: Option<&str>) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let clean = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if host.is_empty() || !clean(host) || !clean(path) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let length = body.map_or(String::new(), |b| format!("Content-Length: {}\r\n", b.len()));
        let head = format!(
            "{method} {slash}{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: leakcheck\r\n{length}Connection: close\r\n\r\n"
        );
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let bytes = [head.as_bytes(), body.unwrap_or_default().as_bytes()].concat();
        Some(Self { authority, bytes })
    }

    /// Makes it.
    ///
    /// # Errors
    /// What happened instead of an answer with 2xx or 3xx.
    pub(super) async fn send(&self) -> Result<(), String> {
        let seconds = DEADLINE.as_secs();
        let answered = tokio::time::timeout(DEADLINE, self.exchange()).await;
        let status = answered
            .map_err(|_| format!("no answer within {seconds} s"))?
            .map_err(|error| error.to_string())?;
        match status.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()) {
            Some(200..=399) => Ok(()),
            Some(code) => Err(format!("HTTP {code}")),
            None => Err(format!("no HTTP: `{}`", status.escape_debug())),
        }
    }

    /// The status line of the answer, when all of it is read.
    async fn exchange(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        stream.write_all(&self.bytes).await?;
        let mut reader = BufReader::new(stream).take(STATUS_LINE);
        let mut status = Vec::new();
        reader.read_until(b'\n', &mut status).await?;
        reader.set_limit(ANSWER);
        tokio::io::copy(&mut reader, &mut tokio::io::sink()).await?;
        Ok(String::from_utf8_lossy(&status).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers one request with this; gives what was asked.
    async fn asked(method: &str, path: &str, body: Option<&str>, answer: &'static str) -> (String, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let request = Request::new(method, &format!("http://127.0.0.1:{port}{path}"), body).expect("an address");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&asked[..read]).into_owned()
        };
        tokio::join!(serve, request.send())
    }

    #[tokio::test]
    async fn a_request_is_what_http_asks_for_and_its_answer_is_understood() {
        let (asked, answered) = asked("POST", "/job?x=1", Some("{}"), "HTTP/1.1 202 Accepted\r\n\r\n").await;
        assert!(
            asked.starts_with("POST /job?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{asked}"
        );
        assert!(
            asked.ends_with("Content-Length: 2\r\nConnection: close\r\n\r\n{}"),
            "{asked}"
        );
        assert_eq!(answered, Ok(()));
    }

    #[tokio::test]
    async fn an_error_is_no_answer() {
        let (asked, answered) = asked("GET", "", None, "HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
        assert_eq!(answered, Err("HTTP 503".into()));
        let (_, answered) = self::asked("GET", "/", None, "hello\n").await;
        assert_eq!(answered, Err("no HTTP: `hello`".into()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "127.0.0.1:80",
            "https://a",
            "http://",
            "http://a b/",
            "http://a/\r\nX: y",
        ] {
            assert!(Request::new("GET", url, None).is_none(), "{url}");
        }
    }
}
