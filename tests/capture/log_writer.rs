//! The program in the test containers. The test compiles it statically, with the standard library only.
//!
//! `log_writer lines RATE COUNT SIZE STDERR_PERCENT` writes numbered lines (`S0 17 abc…`; S1 on standard error), RATE a second,
//! and ends after COUNT of them, unless `stay` follows. `log_writer odd` writes unusual lines, and ends without a
//! newline. `log_writer idle` writes nothing. `log_writer brief` writes one line and ends. `log_writer wide` writes three long
//! lines of two-byte characters, each cut at 16 KiB going through one, and ends.

use std::io::Write as _;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments[1].as_str() {
        "lines" => lines(&arguments[2..]),
        "odd" => odd(),
        "wide" => (0..3).for_each(|_| println!("x{}", "ä".repeat(25_000))),
        "brief" => println!("S0 0 brief"),
        _ => std::thread::sleep(Duration::from_secs(3600)),
    }
}

fn lines(arguments: &[String]) {
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    let (rate, count, size, percent) = (number(0), number(1), number(2) as usize, number(3));
    let start = Instant::now();
    let mut written = [0_u64; 2];
    for index in 0..count {
        let stream = usize::from(index * 37 % 100 < percent);
        let mut line = format!("S{stream} {} ", written[stream]);
        while line.len() + 1 < size {
            line.push(char::from(b'a' + (line.len() % 26) as u8));
        }
        line.push('\n');
        written[stream] += 1;
        if stream == 1 {
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        } else {
            std::io::stdout().write_all(line.as_bytes()).unwrap();
        }
        let due = Duration::from_secs_f64((index + 1) as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    if arguments.get(4).is_some_and(|then| then == "stay") {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn odd() {
    let mut out = std::io::stdout().lock();
    // A character of two bytes across the engine's cut at 16 KiB.
    let mut cut = "x".repeat(16 * 1024 - 1);
    cut.push_str("äö\n");
    out.write_all(cut.as_bytes()).unwrap();
    out.write_all(b"binary \xff\x00\x01 end\n").unwrap();
    out.write_all(b"quote \" backslash \\ tab \t\n\n").unwrap();
    let mut mebibyte = "m".repeat(1024 * 1024);
    mebibyte.push('\n');
    out.write_all(mebibyte.as_bytes()).unwrap();
    out.write_all(b"no newline at the end").unwrap();
    out.flush().unwrap();
}
