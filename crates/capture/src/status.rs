//! The daemon's HTTP server: `/metrics`, `/healthz`, `/debug/tasks`, `/version`.
//!
//! The number of connections is bounded, and each is a listed task that ends with the daemon.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::follower::Shared;
use crate::metrics;
use crate::task::{Entry, TaskState, Tasks};

/// The largest number of open connections. Further clients wait.
const CONNECTIONS_MAX: usize = 32;
/// The longest time between two requests on a connection, in which the first must also be answered. Scrapers ask at least
/// once a minute.
const REQUEST_INTERVAL_MAX: Duration = Duration::from_secs(90);
const REQUEST_HEAD_MAX: usize = 16 * 1024;
/// The pause after a failed accept. Its usual cause, too many open files, does not go away at once.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The server on one listener.
pub(crate) struct Status {
    pub(crate) listener: TcpListener,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Tasks,
    pub(crate) cancel: CancellationToken,
}

impl Status {
    /// Accepts connections until it is cancelled.
    pub(crate) async fn run(self, entry: Arc<Entry>) {
        entry.set(TaskState::Waiting);
        let this = Arc::new(self);
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
                tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                continue;
            };
            let serving = Arc::clone(&this);
            this.tasks.spawn("status-connection", None, move |entry| async move {
                entry.set(TaskState::Waiting);
                tokio::select! {
                    biased;
                    () = serving.cancel.cancelled() => {}
                    () = serving.serve(stream) => {}
                }
                drop(permit);
            });
        }
    }

    /// Serves a connection until the client closes it, or until no further request arrives in time.
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (request_arrived, mut requests) = watch::channel(());
        let service = service_fn(|request: Request<Incoming>| {
            request_arrived.send_replace(());
            ready(Ok::<_, Infallible>(self.respond(&request)))
        });
        let mut connection = pin!(
            http1::Builder::new()
                .max_buf_size(REQUEST_HEAD_MAX)
                .serve_connection(TokioIo::new(stream), service)
        );
        loop {
            tokio::select! {
                biased;
                // Errors are the client's: it is gone or does not speak HTTP.
                _ = &mut connection => return,
                request = timeout(REQUEST_INTERVAL_MAX, requests.changed()) => {
                    if request.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let text = "only GET and HEAD are supported\n".to_owned();
            return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
        }
        match request.uri().path() {
            "/metrics" if self.shared.config.serve_metrics => {
                response(StatusCode::OK, metrics::CONTENT_TYPE, self.shared.metrics.encode())
            }
            "/healthz" if self.shared.ready.load(Ordering::Relaxed) => {
                response(StatusCode::OK, TEXT, "ready\n".to_owned())
            }
            "/healthz" => {
                let text = "containers are not listed yet\n".to_owned();
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
            "/debug/tasks" => {
                let alive: Vec<_> = self.tasks.alive().iter().map(|entry| entry.describe()).collect();
                // Numbers and strings always become JSON.
                let text = serde_json::to_string_pretty(&alive).unwrap_or_default();
                response(StatusCode::OK, JSON, text + "\n")
            }
            "/version" => {
                let version = serde_json::json!({
                    "version": env!("CARGO_PKG_VERSION"),
                    "commit": self.shared.config.commit,
                });
                response(StatusCode::OK, JSON, format!("{version}\n"))
            }
            _ => {
                let text = "see /metrics, /healthz, /debug/tasks, /version\n".to_owned();
                response(StatusCode::NOT_FOUND, TEXT, text)
            }
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::config::Config;
    use crate::test_support::Harness;

    async fn status(harness: &Harness) -> Status {
        Status {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            shared: Arc::clone(&harness.shared),
            tasks: harness.tasks.clone(),
            cancel: harness.cancel.clone(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_request_and_an_idle_connection_are_closed_in_time() {
        let harness = Harness::new(Config::default());
        let status = status(&harness).await;
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let start = Instant::now();
        let drip = async {
            for byte in b"GET /metrics HTTP/1.1\r\nX-Slow: ".iter().cycle() {
                if client.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = status.serve(server) => {}
            () = drip => panic!("the connection is open"),
        }
        assert_eq!(start.elapsed(), REQUEST_INTERVAL_MAX);

        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        let start = Instant::now();
        let requests = async {
            for _ in 0..2 {
                client.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
                sleep(REQUEST_INTERVAL_MAX / 2).await;
            }
        };
        tokio::join!(status.serve(server), requests);
        assert_eq!(start.elapsed(), REQUEST_INTERVAL_MAX * 3 / 2);
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("HTTP/1.1 503").count(), 2, "{answers}");
    }
}
