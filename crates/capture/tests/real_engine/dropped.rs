//! The engine rotates its own log files and drops the oldest: what was read is no concern of ours, what was not is said.

use crate::cage::{Cage, until};
use crate::daemon::Daemon;
use crate::ledger::delivered;

/// Some 1,300 lines of 120 bytes to a file, as JSON: two files are the least that is kept, 6 s of what is said, so that a busy
/// machine does not lose what a quiet one reads; three are the most.
const KEPT_AT_MOST: usize = 4_200;
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
fn what_the_engine_drops_costs_nothing_once_read_and_is_a_gap_in_a_metric_if_not() {
    let Some(cage) = Cage::open("dropped") else {
        return;
    };
    let name = cage.speak("fast", &SMALL_LOG, &["lines", "400", "1000000", "120", "0"]);
    let options = ["--rotate-every", "500ms"];
    let daemon = Daemon::start(&cage, &options);
    until("the engine has dropped what was read", || {
        daemon.metric("log_capturer_lines_total", "") >= KEPT_AT_MOST as f64
    });
    assert_eq!(daemon.metric("log_capturer_log_gaps_total", ""), 0.0);
    daemon.kill();
    let before = numbers(&cage, &name);
    assert!(
        before.iter().copied().eq(0..before.len()),
        "every line, once and in order"
    );

    until("the engine has dropped what was not read", || {
        let last = cage.docker(&["logs", "--tail", "1", &name]);
        last.split(' ').nth(1).unwrap().parse::<usize>().unwrap() > before.len() + KEPT_AT_MOST
    });
    let daemon = Daemon::start(&cage, &options);
    until("it says so", || daemon.metric("log_capturer_log_gaps_total", "") == 1.0);
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
    let after = numbers(&cage, &name);
    assert_eq!(after[..before.len()], before, "nothing that was delivered changes");
    let jumps = after.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(jumps, 1, "one gap and no line twice");
}

fn numbers(cage: &Cage, name: &str) -> Vec<usize> {
    let key = (name.to_owned(), "stdout".to_owned());
    let number = |record: &serde_json::Value| record["line"].as_str().unwrap().split(' ').nth(1).unwrap().parse();
    delivered(&cage.output())[&key]
        .iter()
        .map(|record| number(record).unwrap())
        .collect()
}
