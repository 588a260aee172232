//! One HTTP request, on a connection of its own like a stranger's.

use std::time::Duration;

use leakcheck_model::error_chain;
use reqwest::{Client, Method, Url};

/// Time-out of a request, with its whole answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read at most.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A request that can be sent again and again.
pub(super) struct Request {
    client: Client,
    method: Method,
    url: Url,
    body: Option<String>,
}

impl Request {
    /// Creates a request; `None` if `url` is not an `http://` address.
    #[must_use]
    pub(super) fn new(method: &str, url: &str, body: Option<String>) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
        let client = Client::builder()
            .user_agent("leakcheck")
            .timeout(DEADLINE)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        Some(Self {
            client: client.ok()?,
            method: method.parse().ok()?,
            url,
            body,
        })
    }

    /// Sends the request and reads the answer.
    ///
    /// # Errors
    /// The reason why there was no answer with status 2xx or 3xx.
    pub(super) async fn send(&self) -> Result<(), String> {
        let mut request = self.client.request(self.method.clone(), self.url.clone());
        request = request.header(reqwest::header::CONNECTION, "close");
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let mut answer = request.send().await.map_err(|error| describe(&error))?;
        let status = answer.status();
        let mut read = 0;
        while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error))? {
            read += chunk.len();
            if read >= MAX_BODY_BYTES {
                break;
            }
        }
        if status.is_success() || status.is_redirection() {
            Ok(())
        } else {
            Err(format!("HTTP {}", status.as_u16()))
        }
    }
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("no answer within {} s", DEADLINE.as_secs())
    } else {
        error_chain(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Sends one request to a server with a fixed answer; returns what the server received, and the result.
    async fn exchange(
        method: &str,
        path: &str,
        body: Option<&str>,
        answer: &'static str,
    ) -> (String, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let url = format!("http://127.0.0.1:{port}{path}");
        let request = Request::new(method, &url, body.map(str::to_owned)).expect("an address");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut received = vec![0; 4096];
            let read = stream.read(&mut received).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&received[..read]).into_owned()
        };
        tokio::join!(serve, request.send())
    }

    #[tokio::test]
    async fn a_request_has_its_body_and_closes_its_connection() {
        let (received, result) = exchange("POST", "/job?x=1", Some("{}"), "HTTP/1.1 202 Accepted\r\n\r\n").await;
        assert!(received.starts_with("POST /job?x=1 HTTP/1.1\r\n"), "{received}");
        for part in [
            "connection: close\r\n",
            "user-agent: leakcheck\r\n",
            "content-length: 2\r\n",
            "\r\n\r\n{}",
        ] {
            assert!(received.contains(part), "{part}: {received}");
        }
        assert_eq!(result, Ok(()));
    }

    #[tokio::test]
    async fn an_error_status_or_another_protocol_is_an_error() {
        let (received, result) = exchange("GET", "", None, "HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert!(received.starts_with("GET / HTTP/1.1\r\n"), "{received}");
        assert_eq!(result, Err("HTTP 503".into()));
        let (_, result) = exchange("GET", "/", None, "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n").await;
        assert_eq!(result, Ok(()), "a redirection is not followed");
        let (_, result) = exchange("GET", "/", None, "hello\n").await;
        assert!(result.is_err_and(|why| why.contains("HTTP")));
    }

    #[test]
    fn only_http_addresses_are_accepted() {
        for url in ["127.0.0.1:80", "https://a", "http://", "http://a b/"] {
            assert!(Request::new("GET", url, None).is_none(), "{url}");
        }
        assert!(Request::new("G T", "http://a/", None).is_none());
    }
}
