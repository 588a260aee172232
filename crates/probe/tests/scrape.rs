//! Scrapes of well-behaved and of hostile servers.

use std::future::Future;
use std::io::Write as _;
use std::time::{Duration, Instant};

use leakcheck_probe::exposition::Selector;
use leakcheck_probe::scrape::{MAX_BODY_BYTES, Scrape};
use leakcheck_probe::{ScrapeError, Scraper};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Serves one connection after the other with `answer`, and scrapes it once.
async fn scrape_of<F, A>(deadline: Duration, answer: A) -> Result<Scrape, ScrapeError>
where
    A: Fn(TcpStream, String) -> F + Send + 'static,
    F: Future<Output = std::io::Result<()>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            // The client closes the connection in the middle of an endless answer.
            let _ = answer(stream, String::from_utf8_lossy(&request[..length]).into_owned()).await;
        }
    });
    let selectors = vec![Selector::of("tasks"), Selector::of("absent")];
    Scraper::new(&url, selectors, deadline).expect("a URL").scrape().await
}

const SOON: Duration = Duration::from_secs(10);

fn plain(head: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

async fn scrape_bytes(answer: Vec<u8>) -> Result<Scrape, ScrapeError> {
    scrape_of(SOON, move |mut stream, _| {
        let answer = answer.clone();
        async move { stream.write_all(&answer).await }
    })
    .await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body).expect("packed");
    out.finish().expect("packed")
}

#[tokio::test]
async fn a_plain_and_a_packed_body_give_the_same_values() {
    let body = b"# TYPE tasks gauge\ntasks 17\n# EOF\n";
    let one = scrape_bytes(plain("Content-Type: text/plain; version=0.0.4\r\n", body))
        .await
        .expect("scraped");
    let other = scrape_bytes(plain("Content-Encoding: gzip\r\n", &gzip(body)))
        .await
        .expect("scraped");
    assert_eq!(one.scanned.values, [Some(17.0), None]);
    assert_eq!(one.scanned, other.scanned);
}

#[tokio::test]
async fn both_formats_and_gzip_are_requested() {
    let scrape = scrape_of(SOON, |mut stream, request| async move {
        let request = request.to_ascii_lowercase();
        let asked = request.contains("openmetrics-text") && request.contains("text/plain") && request.contains("gzip");
        stream
            .write_all(&plain("", format!("tasks {}\n", u8::from(asked)).as_bytes()))
            .await
    });
    assert_eq!(scrape.await.expect("scraped").scanned.values[0], Some(1.0));
}

#[tokio::test]
async fn an_endless_body_is_given_up_at_the_size_limit() {
    let error = scrape_of(SOON, |mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let block = "tasks 1\n".repeat(8192);
        loop {
            stream.write_all(block.as_bytes()).await?;
        }
    })
    .await
    .expect_err("too long");
    assert!(matches!(error, ScrapeError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn an_announced_body_above_the_size_limit_is_given_up() {
    let error = scrape_of(SOON, |mut stream, _| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            .await?;
        let block = "tasks 1\n".repeat(12_500);
        for _ in 0..1000 {
            stream.write_all(block.as_bytes()).await?;
        }
        Ok(())
    })
    .await
    .expect_err("too long");
    assert!(matches!(error, ScrapeError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn a_packed_bomb_is_unpacked_only_up_to_the_size_limit() {
    let bomb = gzip(&vec![b'\n'; 10 * MAX_BODY_BYTES]);
    assert!(bomb.len() < MAX_BODY_BYTES);
    let error = scrape_bytes(plain("Content-Encoding: gzip\r\n", &bomb))
        .await
        .expect_err("a bomb");
    assert!(matches!(error, ScrapeError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_is_not_packed_as_its_header_says_is_an_error() {
    for head in ["Content-Encoding: gzip\r\n", "Content-Encoding: br\r\n"] {
        let error = scrape_bytes(plain(head, b"tasks 1\n")).await.expect_err("not packed");
        assert!(matches!(error, ScrapeError::Packed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_slow_and_a_silent_server_end_at_the_deadline() {
    let deadline = Duration::from_millis(300);
    let began = Instant::now();
    let drip = scrape_of(deadline, |mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        loop {
            stream.write_all(b"tasks 1\n").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let silence = scrape_of(deadline, |stream, _| async move {
        let _held_open = stream;
        std::future::pending().await
    });
    let (drip, silence) = tokio::join!(drip, silence);
    for error in [drip.expect_err("too slow"), silence.expect_err("too slow")] {
        assert!(matches!(error, ScrapeError::TooSlow { .. }), "{error}");
    }
    assert!(began.elapsed() >= deadline);
}

#[tokio::test]
async fn a_redirect_a_failure_and_a_cut_body_are_named_in_the_error() {
    let answers: [(&str, &str); 4] = [
        (
            "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
            "302 (redirects are not followed)",
        ),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntasks 1\n",
            "failed to read",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            "no exposition",
        ),
    ];
    for (answer, expected) in answers {
        let error = scrape_bytes(answer.as_bytes().to_vec())
            .await
            .expect_err(expected)
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_page_that_is_no_exposition_is_an_error() {
    let error = scrape_bytes(plain("", b"Hello, world!\n"))
        .await
        .expect_err("no exposition");
    assert!(matches!(error, ScrapeError::NotMetrics { .. }), "{error}");
    let empty = scrape_bytes(plain("", b"")).await.expect("nothing is exposed");
    assert_eq!(empty.scanned.values, [None, None]);
}

#[tokio::test]
async fn repeated_series_and_nan_are_counted_and_too_many_series_have_no_value() {
    let odd = scrape_bytes(plain("", b"tasks 1\ntasks 2\nabsent NaN\n"))
        .await
        .expect("scraped")
        .scanned;
    assert_eq!(
        (odd.values, odd.repeated, odd.not_finite),
        (vec![Some(1.0), None], 1, 1)
    );
    let bomb: String = (0..150_000).map(|i| format!("b{{i=\"{i}\"}} 1\n")).collect();
    let error = scrape_bytes(plain("", bomb.as_bytes())).await.expect_err("a bomb");
    assert!(matches!(error, ScrapeError::TooManySeries { .. }), "{error}");
}

#[test]
fn an_address_that_is_not_http_is_refused() {
    for url in [
        "127.0.0.1:8001/metrics",
        "https://localhost/metrics",
        "file:///etc/passwd",
        "",
    ] {
        let error = Scraper::new(url, Vec::new(), SOON).expect_err("refused");
        assert!(matches!(error, ScrapeError::Url { .. }), "{error}");
        assert_eq!(
            error.to_string().contains("ssh -L"),
            url.starts_with("https"),
            "{error}"
        );
    }
}
