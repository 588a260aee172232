//! Starts and stops of containers: each releases everything that it used.
//!
//! On a real engine a start and a stop take a third of a second of two cores, so these are a hundred. A thousand are tested on
//! the simulated engine and on a paused clock.

use jiff::{SignedDuration, Timestamp};

use crate::daemon::Daemon;
use crate::harness::{Harness, side_by_side, until};

const CONTAINERS: usize = 8;
const RUNS: usize = 12;

#[test]
fn a_hundred_starts_and_stops_leave_no_descriptor_or_task() {
    let Some(harness) = Harness::open("churn") else {
        return;
    };
    let daemon = Daemon::start(&harness, &["--rotate-every", "1s"]);
    let names = harness.start_writers("c", CONTAINERS, &["brief"]);
    let quiet = |daemon: &Daemon| !daemon.get("/debug/tasks").contains("\"follower\"");
    until("their first runs are read", || {
        daemon.metric("log_capturer_lines_total", "") >= CONTAINERS as f64 && quiet(&daemon)
    });
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    side_by_side(&names, |name| {
        for _ in 0..RUNS {
            // Attached, so that it returns when the container has stopped.
            harness.docker(&["start", "-a", name]);
        }
    });
    until("all lines", || {
        daemon.metric("log_capturer_lines_total", "") >= (CONTAINERS * (RUNS + 1)) as f64
    });
    until("nothing is left", || {
        quiet(&daemon) && daemon.fds() <= fds && daemon.metric("log_capturer_tasks", "") <= tasks
    });
    assert_eq!(
        daemon.metric("log_capturer_lines_total", ""),
        (CONTAINERS * (RUNS + 1)) as f64
    );
    daemon.stop();
}

#[test]
fn the_stream_and_task_of_a_container_end_soon_after_it_died() {
    let Some(harness) = Harness::open("death") else {
        return;
    };
    let names = harness.start_writers("c", CONTAINERS, &["idle"]);
    let daemon = Daemon::start(&harness, &["--rotate-every", "1s"]);
    until("all are followed", || daemon.streams() == CONTAINERS as f64);
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    for name in &names {
        harness.docker(&["kill", name]);
        until("its follower has ended", || {
            !daemon.get("/debug/tasks").contains(name.as_str())
        });
        let left = Timestamp::now();
        // From its state, because the engine keeps only the last 256 events.
        let died = harness.docker(&["inspect", "--format", "{{.State.FinishedAt}}", name]);
        let took = left.duration_since(died.parse().unwrap());
        // Well under a second on an idle machine; the limit allows for a loaded one.
        assert!(took < SignedDuration::from_secs(5), "{name}: {took:?}");
    }
    until("nothing is left", || {
        daemon.fds() <= fds - CONTAINERS && daemon.metric("log_capturer_tasks", "") <= tasks - CONTAINERS as f64
    });
    daemon.stop();
}
