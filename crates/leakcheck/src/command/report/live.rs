//! `leakcheck report RUN_DIR --live`: serves the report of a run in progress on 127.0.0.1.
//!
//! A request reads the run folder again if it has grown, so an unused page costs nothing.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use leakcheck_report::{RunFolder, html};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::run_folder;

/// Largest number of connections. A browser opens about six.
const MAX_CONNECTIONS: usize = 16;

/// Time for a client to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Content security policy: the page may contact only this server.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'";

/// The report of one folder, cached for its latest state.
pub(super) struct Page {
    folder: RunFolder,
    /// State of the folder, and its page.
    cache: Mutex<Option<(String, Bytes)>>,
}

impl Page {
    pub(super) fn new(folder: RunFolder) -> Self {
        Self {
            folder,
            cache: Mutex::new(None),
        }
    }

    /// The state of the folder: the lengths of its two growing files.
    fn state(&self) -> String {
        let length = |name: &str| self.folder.path().join(name).metadata().map_or(0, |m| m.len());
        format!("{}-{}", length("events.jsonl"), length("samples.csv"))
    }

    /// Renders the page, once for each state.
    fn html(&self) -> anyhow::Result<Bytes> {
        // The lock is held during rendering, so that a second client waits for the same page.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        if let Some((of, page)) = cache.as_ref()
            && *of == state
        {
            return Ok(page.clone());
        }
        let mut record =
            run_folder::record(self.folder.path()).map_err(|failure| anyhow::anyhow!(failure.message().to_owned()))?;
        let running = record.facts.is_cut_short() && !record.facts.interrupted;
        // A run in progress is judged by its samples so far, not as a killed run.
        record.facts.finished = true;
        let result = leakcheck_judge::summarize(&record, leakcheck_judge::judge(&record));
        let scenario = self.folder.read_scenario_text().ok();
        let page = html::live(
            &result,
            &record,
            scenario.as_deref(),
            &html::Live {
                version: &state,
                running,
            },
        )?;
        let page = Bytes::from(page);
        *cache = Some((state, page.clone()));
        Ok(page)
    }

    fn respond(&self, request: &Request<Incoming>, port: u16) -> Response<Full<Bytes>> {
        // A foreign site could reach this server through DNS rebinding; its `Host` differs.
        let host = request
            .headers()
            .get(HOST)
            .and_then(|h| h.to_str().ok())
            .unwrap_or_default();
        if ![format!("127.0.0.1:{port}"), format!("localhost:{port}")]
            .iter()
            .any(|own| own == host)
        {
            return plain(StatusCode::FORBIDDEN, "only 127.0.0.1 is served\n");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => match self.html() {
                Ok(page) => response(StatusCode::OK, "text/html; charset=utf-8", page),
                Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}\n")),
            },
            (&Method::GET | &Method::HEAD, "/state") => plain(StatusCode::OK, &self.state()),
            _ => plain(StatusCode::NOT_FOUND, "the paths are / and /state\n"),
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    response(
        status,
        "text/plain; charset=utf-8",
        Bytes::copy_from_slice(text.as_bytes()),
    )
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, hyper::header::HeaderValue::from_static(POLICY));
    response
}

/// Listens on 127.0.0.1. Port 0 selects a free port.
///
/// # Errors
/// If the port is in use.
pub(super) async fn listen(port: u16) -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .with_context(|| format!("failed to listen on 127.0.0.1:{port}"))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Serves the page until `stop`.
pub(super) async fn serve(page: Page, listener: TcpListener, port: u16, stop: CancellationToken) {
    let page = Arc::new(page);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                // Accepting fails without free descriptors; it is retried.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                connections.spawn(serve_connection(Arc::clone(&page), stream, port));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve_connection(page: Arc<Page>, stream: TcpStream, port: u16) {
    let service = service_fn(move |request: Request<Incoming>| {
        let page = Arc::clone(&page);
        async move {
            // Rendering computes for long, so it runs on a blocking thread.
            let response = tokio::task::spawn_blocking(move || page.respond(&request, port)).await;
            let failed = |_| plain(StatusCode::INTERNAL_SERVER_ERROR, "rendering the report failed\n");
            Ok::<_, Infallible>(response.unwrap_or_else(failed))
        }
    });
    // A client may disconnect at any time.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
