//! Scraping: fetches an exposition over HTTP within a deadline and a size limit.
//!
//! A redirect is refused, because the numbers would be of another target. A proxy from the environment is not used. A
//! compressed body is unpacked up to the size limit of a plain one.

use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};

use crate::exposition::{Scan, Scanned, Selector};

pub use error::ScrapeError;
use error::{broken, refused};

mod error;

/// The size limit of a body, plain or unpacked: 100 000 series of 160 bytes. Real expositions have a few MiB at most.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// The default deadline of a scrape, below the sampling period of one second.
pub const DEADLINE: Duration = Duration::from_millis(900);

/// The accepted formats; the text format first, because every exporter has it.
const FORMATS: &str = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.1";

/// A client that fetches one URL repeatedly over one connection.
#[derive(Debug)]
pub struct Scraper {
    client: reqwest::Client,
    url: reqwest::Url,
    deadline: Duration,
    scan: Scan,
    body: Vec<u8>,
}

/// The outcome of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// The values of the selectors.
    pub scanned: Scanned,
    /// The size of the unpacked body in bytes.
    pub bytes: usize,
    /// The time that it took, reading included.
    pub took: Duration,
}

impl Scraper {
    /// Creates a scraper for a URL and the wanted series.
    ///
    /// # Errors
    /// An error if the URL does not begin with `http://`.
    pub fn new(url: &str, selectors: Vec<Selector>, deadline: Duration) -> Result<Self, ScrapeError> {
        let bad = || ScrapeError::Url { url: url.to_owned() };
        let parsed = reqwest::Url::parse(url).map_err(|_| bad())?;
        if parsed.scheme() != "http" || parsed.host_str().is_none() {
            return Err(bad());
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(deadline)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("leakcheck/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ScrapeError::Client)?;
        Ok(Self {
            client,
            url: parsed,
            deadline,
            scan: Scan::new(selectors),
            body: Vec::new(),
        })
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Fetches and reads the exposition.
    ///
    /// # Errors
    /// An error whenever the values could be wrong or incomplete.
    #[tracing::instrument(level = "debug", skip_all, fields(url = %self.url))]
    pub async fn scrape(&mut self) -> Result<Scrape, ScrapeError> {
        let began = Instant::now();
        let url = self.url.to_string();
        let body = fetch(&self.client, &self.url, self.deadline, &mut self.body).await?;
        let scanned = self.scan.read(body);
        let bytes = body.len();
        // Releases the memory of an unusually large body.
        if self.body.capacity() > 1 << 20 {
            self.body = Vec::new();
        }
        if scanned.too_many {
            return Err(ScrapeError::TooManySeries { url });
        }
        if scanned.series == 0 && scanned.unread > 0 {
            return Err(ScrapeError::NotMetrics {
                url,
                what: format!("{} lines, none in the format", scanned.unread),
            });
        }
        Ok(Scrape {
            scanned,
            bytes,
            took: began.elapsed(),
        })
    }
}

/// Fetches a text (a version, a task list) within the limits of an exposition.
///
/// # Errors
/// The same as [`Scraper::scrape`], except for errors of the format.
pub async fn fetch_text(url: &str, deadline: Duration) -> Result<String, ScrapeError> {
    let scraper = Scraper::new(url, Vec::new(), deadline)?;
    let mut buffer = Vec::new();
    let body = fetch(&scraper.client, &scraper.url, deadline, &mut buffer).await?;
    Ok(String::from_utf8_lossy(body).into_owned())
}

/// Succeeds if a URL answers with a 2xx status, for readiness.
///
/// # Errors
/// Another status, or no answer.
pub async fn answers(url: &str) -> Result<(), ScrapeError> {
    let scraper = Scraper::new(url, Vec::new(), DEADLINE)?;
    let response = scraper
        .client
        .get(scraper.url.clone())
        .send()
        .await
        .map_err(|e| broken(&e, &scraper.url, DEADLINE))?;
    let status = response.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(refused(&scraper.url, status))
    }
}

async fn fetch<'b>(
    client: &reqwest::Client,
    url: &reqwest::Url,
    deadline: Duration,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8], ScrapeError> {
    match tokio::time::timeout(deadline, fetch_packed(client, url, deadline, buffer)).await {
        Err(_) => {
            return Err(ScrapeError::TooSlow {
                url: url.to_string(),
                deadline,
            });
        }
        Ok(Err(error)) => return Err(error),
        Ok(Ok(false)) => {}
        Ok(Ok(true)) => *buffer = unpack(buffer, url)?,
    }
    Ok(buffer)
}

/// Fills the buffer. Returns `true` if its content is gzip.
async fn fetch_packed(
    client: &reqwest::Client,
    url: &reqwest::Url,
    deadline: Duration,
    buffer: &mut Vec<u8>,
) -> Result<bool, ScrapeError> {
    let broken = |error: reqwest::Error| broken(&error, url, deadline);
    let request = client
        .get(url.clone())
        .header(ACCEPT, FORMATS)
        .header(ACCEPT_ENCODING, "gzip");
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(refused(url, status));
    }
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|v: &reqwest::header::HeaderValue| v.to_str().ok())
    };
    if let Some(what) = header(CONTENT_TYPE).filter(|t| t.contains("protobuf") || t.contains("text/html")) {
        return Err(ScrapeError::NotMetrics {
            url: url.to_string(),
            what: what.to_owned(),
        });
    }
    let packed = match header(CONTENT_ENCODING) {
        None | Some("" | "identity") => false,
        Some("gzip" | "x-gzip") => true,
        Some(other) => {
            return Err(ScrapeError::Packed {
                url: url.to_string(),
                encoding: other.to_owned(),
            });
        }
    };
    buffer.clear();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if buffer.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ScrapeError::TooLong {
                url: url.to_string(),
                limit: MAX_BODY_BYTES,
            });
        }
        buffer.extend_from_slice(&chunk);
    }
    Ok(packed)
}

/// Unpacks gzip up to [`MAX_BODY_BYTES`]; 16 MiB take some 50 ms.
fn unpack(packed: &[u8], url: &reqwest::Url) -> Result<Vec<u8>, ScrapeError> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(packed)
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| ScrapeError::Packed {
            url: url.to_string(),
            encoding: "gzip".into(),
        })?;
    if plain.len() > MAX_BODY_BYTES {
        return Err(ScrapeError::TooLong {
            url: url.to_string(),
            limit: MAX_BODY_BYTES,
        });
    }
    Ok(plain)
}
