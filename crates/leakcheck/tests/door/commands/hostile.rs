//! A target whose /metrics turns hostile: it costs leakcheck a bounded amount, and the run says so.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

/// What the harness may take at most: its own 25 MiB or so, the answer of at most 16 MiB, and what a busy allocator keeps.
const MOST_BYTES: u64 = 96 << 20;

/// Serves an exposition as it should be three times, and from then on what `turned` writes.
fn turning(turned: fn(&mut dyn Write) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let _ = answer(&stream, n, turned);
        }
    });
    port
}

fn answer(mut stream: &TcpStream, n: usize, turned: fn(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")?;
    if n < 3 {
        stream.write_all(b"my_queue 7\n")
    } else {
        turned(&mut stream)
    }
}

/// 100 MB of the same series.
fn endless(out: &mut dyn Write) -> std::io::Result<()> {
    let block = "my_queue 7\n".repeat(10_000);
    (0..1000).try_for_each(|_| out.write_all(block.as_bytes()))
}

/// 100 MB of labels.
fn bomb_of_labels(out: &mut dyn Write) -> std::io::Result<()> {
    let label = "x".repeat(65_000);
    (0..1600).try_for_each(|i| writeln!(out, "my_queue{{a=\"{label}{i}\"}} 1"))
}

/// 150 000 series in few bytes.
fn bomb_of_series(out: &mut dyn Write) -> std::io::Result<()> {
    let block: String = (0..150_000).map(|i| format!("b{{i=\"{i}\"}} 1\n")).collect();
    out.write_all(block.as_bytes())
}

/// A short watch of what is exposed at this port: exit code, result, standard error.
fn watched(port: u16) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().expect("a scratch folder");
    let output = Command::new(crate::stand::LEAKCHECK)
        .args(["watch", "--metrics", &format!("http://127.0.0.1:{port}/metrics")])
        .args(["--duration", "4s", "--limit", "my_queue: max < 10", "--json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("leakcheck starts");
    let result = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), result, said)
}

#[test]
fn a_hostile_exposition_costs_a_bounded_amount_and_is_no_verdict_that_says_why() {
    for (name, turned, why) in [
        (
            "endless",
            endless as fn(&mut dyn Write) -> std::io::Result<()>,
            "more than 16777216 bytes",
        ),
        ("labels", bomb_of_labels, "more than 16777216 bytes"),
        ("series", bomb_of_series, "more than 100000 series"),
    ] {
        let (mut code, mut result, mut said) = watched(turning(turned));
        // A machine busy with other tests may not get that far within a scrape's deadline, which bounds the cost as well.
        for _ in 0..2 {
            if !result["warnings"].to_string().contains(why) {
                (code, result, said) = watched(turning(turned));
            }
        }
        assert_eq!(
            (code, result["verdict"].as_str()),
            (Some(125), Some("invalid")),
            "{name}: {said}"
        );
        let warnings = result["warnings"].to_string();
        assert!(
            warnings.contains("a scrape failed") && warnings.contains(why),
            "{name}: {warnings}"
        );
        let reasons = result["reasons"].to_string();
        assert!(
            reasons.contains("metric-absent") || reasons.contains("metric-sparse"),
            "{name}: {reasons}"
        );
        let taken = result["self"]["max_rss_bytes"].as_u64().expect("measured");
        assert!((1 << 20..MOST_BYTES).contains(&taken), "{name}: {taken} bytes");
    }
}
