//! `leakcheck report RUN_DIR --live`: the report of a run that still goes on, on a port of this machine.
//!
//! It reads the run's folder whenever somebody asks for the page and the folder has grown, so it costs nothing while
//! nobody looks, and sees nothing that the folder does not hold.

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

/// Browsers open about six connections to a page; more than these wait.
const CONNECTIONS: usize = 16;

/// A caller that has not said what it wants by then is let go.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The page talks to nobody but this server.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'";

/// The report of one folder, as it was when it was last asked for.
pub(super) struct Page {
    folder: RunFolder,
    /// Which state of the folder, and its page.
    shown: Mutex<Option<(String, Bytes)>>,
}

impl Page {
    pub(super) fn new(folder: RunFolder) -> Self {
        Self {
            folder,
            shown: Mutex::new(None),
        }
    }

    /// Which state the folder is in: its two growing files, by length.
    fn state(&self) -> String {
        let length = |name: &str| self.folder.path().join(name).metadata().map_or(0, |m| m.len());
        format!("{}-{}", length("events.jsonl"), length("samples.csv"))
    }

    /// The page for this state; made once.
    fn html(&self) -> anyhow::Result<Bytes> {
        // Held while the page is made: a second caller waits for the same page instead of making it again.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        if let Some((of, page)) = shown.as_ref()
            && *of == state
        {
            return Ok(page.clone());
        }
        let mut record =
            run_folder::record(self.folder.path()).map_err(|failure| anyhow::anyhow!(failure.message().to_owned()))?;
        let goes_on = record.facts.is_cut_short() && !record.facts.interrupted;
        // What the data say so far, and not that they are cut short: they are still coming.
        record.facts.finished = true;
        let result = leakcheck_judge::summarize(&record, leakcheck_judge::judge(&record));
        let scenario = self.folder.read_scenario_text().ok();
        let page = html::live(
            &result,
            &record,
            scenario.as_deref(),
            &html::Live { state: &state, goes_on },
        )?;
        let page = Bytes::from(page);
        *shown = Some((state, page.clone()));
        Ok(page)
    }

    fn answer(&self, request: &Request<Incoming>, port: u16) -> Response<Full<Bytes>> {
        // Another site's page may send its visitors here under a name of its own; it gets nothing.
        let host = request
            .headers()
            .get(HOST)
            .and_then(|h| h.to_str().ok())
            .unwrap_or_default();
        if ![format!("127.0.0.1:{port}"), format!("localhost:{port}")]
            .iter()
            .any(|own| own == host)
        {
            return plain(StatusCode::FORBIDDEN, "this is 127.0.0.1's alone\n");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => match self.html() {
                Ok(page) => reply(StatusCode::OK, "text/html; charset=utf-8", page),
                Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}\n")),
            },
            (&Method::GET | &Method::HEAD, "/state") => plain(StatusCode::OK, &self.state()),
            _ => plain(StatusCode::NOT_FOUND, "there is / and /state\n"),
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    reply(
        status,
        "text/plain; charset=utf-8",
        Bytes::copy_from_slice(text.as_bytes()),
    )
}

fn reply(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, hyper::header::HeaderValue::from_static(POLICY));
    response
}

/// Listens on 127.0.0.1; port 0 is any that is free.
///
/// # Errors
/// If the port is taken.
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
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept(), if callers.len() < CONNECTIONS => {
                // An accept that fails (no descriptor left) is tried again when a caller has gone.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                callers.spawn(converse(Arc::clone(&page), stream, port));
            }
            Some(_) = callers.join_next(), if !callers.is_empty() => {}
        }
    }
}

async fn converse(page: Arc<Page>, stream: TcpStream, port: u16) {
    let service = service_fn(move |request: Request<Incoming>| {
        let page = Arc::clone(&page);
        async move {
            // A page is arithmetic and pictures, which belong to no async thread.
            let answered = tokio::task::spawn_blocking(move || page.answer(&request, port)).await;
            let broke = |_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the report broke\n");
            Ok::<_, Infallible>(answered.unwrap_or_else(broke))
        }
    });
    // A caller that leaves in the middle is no news.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
