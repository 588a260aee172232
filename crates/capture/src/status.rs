//! The daemon's own small HTTP server: `/metrics`, `/healthz`, `/debug/tasks`, `/version`.
//!
//! Four fixed answers to GET. Written by hand for the bounds: so many connections at most, each with a deadline for each
//! request, each a task on the list, all gone when the daemon ends; a general server gives none of these.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::follower::Shared;
use crate::metrics::CONTENT_TYPE;
use crate::task::{Doing, Entry, Tasks};

/// Scrapers, people and a health check: more than this at one time is a mistake of theirs, and waits.
const CONNECTIONS: usize = 32;
/// A kept-alive connection on which nothing is asked for this long is closed; scrapers ask at least once a minute.
const IDLE: Duration = Duration::from_secs(90);
/// A request that began must be whole by then, however its bytes drip.
const REQUEST: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(10);
const REQUEST_MAX: usize = 16 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Answers on one listener.
pub(crate) struct Status {
    pub(crate) listener: TcpListener,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Tasks,
    pub(crate) cancel: CancellationToken,
}

struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Status {
    /// Accepts until it is cancelled.
    pub(crate) async fn run(self, entry: Arc<Entry>) {
        entry.set(Doing::Waiting);
        let this = Arc::new(self);
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                biased;
                () = this.cancel.cancelled() => return,
                accepted = async {
                    // The semaphore is never closed.
                    let permit = Arc::clone(&connections).acquire_owned().await.ok();
                    (this.listener.accept().await, permit)
                } => accepted,
            };
            let (Ok((stream, _)), permit) = accepted else {
                // Out of files, most likely: the next try is no better than this one unless time passes.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let serving = Arc::clone(&this);
            this.tasks.spawn("status-connection", None, move |entry| async move {
                entry.set(Doing::Waiting);
                let cancel = serving.cancel.clone();
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {}
                    // Whoever asked is gone or too slow: nobody is left to be told.
                    _ = serving.serve(stream) => {}
                }
                drop(permit);
            });
        }
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(1024);
        let mut deadline = Instant::now() + IDLE;
        loop {
            if let Some(request) = Request::parse(&bytes)? {
                let answer = self.answer(&request);
                let head = format!(
                    "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n",
                    answer.status,
                    answer.content_type,
                    answer.body.len(),
                    if request.keep_alive { "keep-alive" } else { "close" },
                );
                let body = if request.is_head { "" } else { answer.body.as_str() };
                timeout(WRITE, stream.write_all([head.as_str(), body].concat().as_bytes())).await??;
                if !request.keep_alive {
                    return stream.shutdown().await;
                }
                bytes.drain(..request.length);
                deadline = Instant::now() + if bytes.is_empty() { IDLE } else { REQUEST };
                continue;
            }
            let begins = bytes.is_empty();
            if bytes.len() > REQUEST_MAX || timeout_at(deadline, stream.read_buf(&mut bytes)).await?? == 0 {
                return Ok(());
            }
            if begins {
                deadline = Instant::now() + REQUEST;
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let answer = |status, content_type, body: String| Answer {
            status,
            content_type,
            body,
        };
        if !request.is_get {
            return answer(
                "405 Method Not Allowed",
                TEXT,
                "only GET and HEAD are answered\n".into(),
            );
        }
        match request.path.as_str() {
            "/metrics" if self.shared.config.serve_metrics => {
                answer("200 OK", CONTENT_TYPE, self.shared.metrics.encode())
            }
            "/healthz" if self.shared.ready.load(Ordering::Relaxed) => answer("200 OK", TEXT, "ready\n".into()),
            "/healthz" => answer(
                "503 Service Unavailable",
                TEXT,
                "containers are not listed yet\n".into(),
            ),
            "/debug/tasks" => {
                let alive: Vec<_> = self.tasks.alive().iter().map(|entry| entry.describe()).collect();
                // Numbers and strings always become JSON.
                answer(
                    "200 OK",
                    JSON,
                    serde_json::to_string_pretty(&alive).unwrap_or_default() + "\n",
                )
            }
            "/version" => {
                let version = serde_json::json!({
                    "version": env!("CARGO_PKG_VERSION"),
                    "commit": self.shared.config.commit,
                });
                answer("200 OK", JSON, format!("{version}\n"))
            }
            _ => answer(
                "404 Not Found",
                TEXT,
                "see /metrics, /healthz, /debug/tasks, /version\n".into(),
            ),
        }
    }
}

struct Request {
    is_get: bool,
    is_head: bool,
    path: String,
    keep_alive: bool,
    /// Bytes that it took.
    length: usize,
}

impl Request {
    /// The request at the start of `bytes`; `None` while it is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request
            .parse(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let (method, path) = (request.method.unwrap_or(""), request.path.unwrap_or("/"));
        let has = |name: &str| {
            request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))
        };
        let closing = has("connection").is_some_and(|header| header.value.eq_ignore_ascii_case(b"close"));
        // A body would have to be read past; nobody sends one with GET.
        let with_body =
            has("content-length").is_some_and(|header| header.value != b"0") || has("transfer-encoding").is_some();
        Ok(Some(Self {
            is_get: matches!(method, "GET" | "HEAD"),
            is_head: method == "HEAD",
            path: path.split('?').next().unwrap_or(path).to_owned(),
            keep_alive: !closing && !with_body && request.version == Some(1),
            length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::testbed::Rig;

    async fn status(rig: &Rig) -> Status {
        Status {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            shared: Arc::clone(&rig.shared),
            tasks: rig.tasks.clone(),
            cancel: rig.cancel.clone(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_drips_is_given_up_at_its_one_deadline_and_a_kept_connection_at_another() {
        let rig = Rig::new(Config::default());
        let status = status(&rig).await;
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let began = Instant::now();
        let dripping = async {
            // Each byte well within any deadline for one read.
            for byte in b"GET /metrics HTTP/1.1\r\nX-Slow: ".iter().cycle() {
                if near.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            served = status.serve(far) => assert!(served.is_err(), "{served:?}"),
            () = dripping => panic!("it was served"),
        }
        assert_eq!(began.elapsed(), REQUEST);

        let (mut near, far) = tokio::io::duplex(1024 * 1024);
        near.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
        let began = Instant::now();
        assert!(status.serve(far).await.is_err());
        assert_eq!(began.elapsed(), IDLE);
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}
