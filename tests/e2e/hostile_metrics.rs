//! A target whose /metrics becomes hostile: leakcheck's memory stays bounded, and the run reports the reason.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::leakcheck;

/// Largest resident set of leakcheck: some 25 MiB of its own, a body of at most 16 MiB, and what the allocator keeps.
const MAX_RSS: u64 = 96 << 20;

/// Serves a valid exposition three times, and then the body that `hostile` writes. Returns the port.
fn serve(hostile: fn(&mut dyn Write) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let _ = answer(&stream, n, hostile);
        }
    });
    port
}

fn answer(mut stream: &TcpStream, n: usize, hostile: fn(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")?;
    if n < 3 {
        stream.write_all(b"my_queue 7\n")
    } else {
        hostile(&mut stream)
    }
}

/// Writes 100 MB of the same series.
fn endless(out: &mut dyn Write) -> std::io::Result<()> {
    let block = "my_queue 7\n".repeat(10_000);
    (0..1000).try_for_each(|_| out.write_all(block.as_bytes()))
}

/// Writes 100 MB of labels.
fn huge_labels(out: &mut dyn Write) -> std::io::Result<()> {
    let label = "x".repeat(65_000);
    (0..1600).try_for_each(|i| writeln!(out, "my_queue{{a=\"{label}{i}\"}} 1"))
}

/// Writes 150 000 series in few bytes.
fn many_series(out: &mut dyn Write) -> std::io::Result<()> {
    let block: String = (0..150_000).map(|i| format!("b{{i=\"{i}\"}} 1\n")).collect();
    out.write_all(block.as_bytes())
}

/// Watches an exposition for a few seconds. Returns exit code, result and standard error.
fn watch(port: u16) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().expect("a scratch folder");
    let output = leakcheck()
        .args(["watch", "--metrics", &format!("http://127.0.0.1:{port}/metrics")])
        .args(["--duration", "4s", "--limit", "my_queue: max < 10", "--json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let result = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), result, stderr)
}

#[test]
fn a_hostile_exposition_uses_bounded_memory_and_gets_no_verdict() {
    for (name, hostile, reason) in [
        (
            "endless",
            endless as fn(&mut dyn Write) -> std::io::Result<()>,
            "more than 16777216 bytes",
        ),
        ("labels", huge_labels, "more than 16777216 bytes"),
        ("series", many_series, "more than 100000 series"),
    ] {
        let (mut code, mut result, mut stderr) = watch(serve(hostile));
        // On a busy machine the scrape's deadline may end it before it reaches the size limit.
        for _ in 0..2 {
            if !result["warnings"].to_string().contains(reason) {
                (code, result, stderr) = watch(serve(hostile));
            }
        }
        assert_eq!(
            (code, result["verdict"].as_str()),
            (Some(125), Some("invalid")),
            "{name}: {stderr}"
        );
        let warnings = result["warnings"].to_string();
        assert!(
            warnings.contains("a scrape failed") && warnings.contains(reason),
            "{name}: {warnings}"
        );
        let reasons = result["reasons"].to_string();
        assert!(
            reasons.contains("metric-absent") || reasons.contains("metric-sparse"),
            "{name}: {reasons}"
        );
        let rss = result["self"]["max_rss_bytes"].as_u64().expect("measured");
        assert!((1 << 20..MAX_RSS).contains(&rss), "{name}: {rss} bytes");
    }
}
