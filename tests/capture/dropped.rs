//! Rotation of the engine's log files: dropped lines that were not read are reported as a gap.

use crate::daemon::Daemon;
use crate::delivered::delivered;
use crate::harness::{Harness, until};

/// The largest number of lines that the engine keeps: 1,300 lines of 120 bytes per file, and three files. At least two are
/// kept, which are 6 s of lines, so that a loaded machine does not lose any.
const LOGGED_LINES_MAX: usize = 4_200;
const SMALL_LOG: [&str; 8] = [
    "--log-driver",
    "json-file",
    "--log-opt",
    "max-size=256k",
    "--log-opt",
    "max-file=3",
    "--log-opt",
    "compress=false",
];

#[test]
fn dropped_lines_are_a_gap_only_if_they_were_not_read() {
    let Some(harness) = Harness::open("dropped") else {
        return;
    };
    let name = harness.start_writer("fast", &SMALL_LOG, &["lines", "400", "1000000", "120", "0"]);
    let options = ["--rotate-every", "500ms"];
    let daemon = Daemon::start(&harness, &options);
    until("the engine has dropped what was read", || {
        daemon.metric("log_capturer_lines_total", "") >= LOGGED_LINES_MAX as f64
    });
    assert_eq!(daemon.metric("log_capturer_log_gaps_total", ""), 0.0);
    daemon.kill();
    let before = numbers(&harness, &name);
    assert!(
        before.iter().copied().eq(0..before.len()),
        "every line, once and in order"
    );

    until("the engine has dropped what was not read", || {
        let last = harness.docker(&["logs", "--tail", "1", &name]);
        last.split(' ').nth(1).unwrap().parse::<usize>().unwrap() > before.len() + LOGGED_LINES_MAX
    });
    let daemon = Daemon::start(&harness, &options);
    until("the gap is reported", || {
        daemon.metric("log_capturer_log_gaps_total", "") == 1.0
    });
    assert_eq!(
        daemon.metric("log_capturer_stream_errors_total", "\"seam_mismatch\""),
        1.0
    );
    until("it reads on", || daemon.metric("log_capturer_lines_total", "") >= 500.0);
    assert_eq!(
        daemon.metric("log_capturer_log_gaps_total", ""),
        1.0,
        "one gap is one gap"
    );
    daemon.stop();
    let after = numbers(&harness, &name);
    assert_eq!(after[..before.len()], before, "nothing that was delivered changes");
    let jumps = after.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(jumps, 1, "one gap and no line twice");
}

fn numbers(harness: &Harness, name: &str) -> Vec<usize> {
    let key = (name.to_owned(), "stdout".to_owned());
    let number = |record: &serde_json::Value| record["line"].as_str().unwrap().split(' ').nth(1).unwrap().parse();
    delivered(&harness.output())[&key]
        .iter()
        .map(|record| number(record).unwrap())
        .collect()
}
