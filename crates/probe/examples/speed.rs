//! The cost of the probe: one sample of a process, an exposition of 100 000 series, a gigabyte through the line check.
//! `cargo run --release -p leakcheck-probe --example speed`

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use leakcheck_model::stamp::{Stream, Writer};
use leakcheck_probe::exposition::{Scan, Selector};
use leakcheck_probe::{LineChecker, Process};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::open(std::process::id())?;
    let began = Instant::now();
    for _ in 0..10_000 {
        black_box(process.sample()?);
    }
    println!(
        "one sample of a process: {:.1} µs",
        began.elapsed().as_secs_f64() * 1e6 / 1e4
    );

    let sockets: Vec<_> = (0..2500)
        .map(|_| std::os::unix::net::UnixStream::pair())
        .collect::<Result<_, _>>()?;
    let snapshot = leakcheck_probe::attribution::Snapshot::take(&process, leakcheck_probe::attribution::MAX_FDS);
    println!(
        "snapshot with {} descriptors: {:.1} ms",
        2 * sockets.len(),
        snapshot.took.as_secs_f64() * 1e3
    );
    drop(sockets);

    let body: String = (0..100_000)
        .map(|i| format!("http_requests_total{{method=\"get\",code=\"200\",path=\"/a/b/{i}\"}} {i}\n"))
        .collect();
    let mut scan = Scan::new(vec![Selector::of("http_requests_total"), Selector::of("up")]);
    let began = Instant::now();
    black_box(scan.read(body.as_bytes()));
    let took = began.elapsed().as_secs_f64();
    println!(
        "100 000 series, {:.1} MB, all wanted: {:.0} ms",
        body.len() as f64 / 1e6,
        took * 1e3
    );

    for length in [100, 250, 16 << 10] {
        line_check(length);
    }
    Ok(())
}

/// Checks lines of this length from 40 emitters, as the capture daemon writes them.
fn line_check(length: usize) {
    let mut block = Vec::new();
    let mut line = Vec::new();
    let mut n = 0u64;
    while block.len() < 64 << 20 {
        n += 1;
        line.clear();
        let emitter = format!("noisy-{:02}", n % 40);
        Writer::new("k3v9", &emitter, Stream::Stdout).line(
            &mut line,
            n / 40 + 1,
            length,
            b"abcdefghijklmnopqrstuvwxyz0123456789",
        );
        line.pop();
        block.extend_from_slice(
            b"{\"ts\":\"2026-01-01T00:00:00.000000000Z\",\"container_id\":\"0123456789ab\",\"line\":\"",
        );
        block.extend_from_slice(&line);
        block.extend_from_slice(b"\"}\n");
    }
    let mut checker = LineChecker::new("k3v9");
    let began = Instant::now();
    for _ in 0..4 {
        let mut cursor = checker.begin_file();
        for chunk in block.chunks(256 << 10) {
            checker.feed(&mut cursor, chunk);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let bytes = 4.0 * block.len() as f64;
    println!(
        "line check, lines of {length}: {:.0} MB/s, {:.1} M lines/s",
        bytes / 1e6 / seconds,
        4.0 * n as f64 / 1e6 / seconds
    );
}
