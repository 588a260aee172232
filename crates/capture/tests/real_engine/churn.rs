//! Containers that come and go: whatever each cost is gone after it.
//!
//! On a real engine a start and a stop take a third of a second of two cores, so these are a hundred; a thousand are done
//! on the simulated one (`a_thousand_containers_come_and_go` of the door's tests) and on a paused clock.

use jiff::{SignedDuration, Timestamp};

use crate::cage::{Cage, side_by_side, until};
use crate::daemon::Daemon;

const CONTAINERS: usize = 8;
const LIVES: usize = 12;

#[test]
fn after_a_hundred_starts_and_stops_the_counts_are_where_they_began() {
    let Some(cage) = Cage::open("churn") else {
        return;
    };
    let daemon = Daemon::start(&cage, &["--rotate-every", "1s"]);
    let names = cage.speak_all("c", CONTAINERS, &["brief"]);
    let quiet = |daemon: &Daemon| !daemon.get("/debug/tasks").contains("\"follower\"");
    until("their first lives are read", || {
        daemon.metric("log_capturer_lines_total", "") >= CONTAINERS as f64 && quiet(&daemon)
    });
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    side_by_side(&names, |name| {
        for _ in 0..LIVES {
            // Attached, so that it returns when that life is over.
            cage.docker(&["start", "-a", name]);
        }
    });
    until("all their words", || {
        daemon.metric("log_capturer_lines_total", "") >= (CONTAINERS * (LIVES + 1)) as f64
    });
    until("nothing of them is left", || {
        quiet(&daemon) && daemon.fds() <= fds && daemon.metric("log_capturer_tasks", "") <= tasks
    });
    assert_eq!(
        daemon.metric("log_capturer_lines_total", ""),
        (CONTAINERS * (LIVES + 1)) as f64
    );
    daemon.stop();
}

#[test]
fn the_stream_and_the_task_of_a_container_are_gone_soon_after_the_engine_says_that_it_died() {
    let Some(cage) = Cage::open("death") else {
        return;
    };
    let names = cage.speak_all("c", CONTAINERS, &["idle"]);
    let daemon = Daemon::start(&cage, &["--rotate-every", "1s"]);
    until("all are followed", || daemon.streams() == CONTAINERS as f64);
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    for name in &names {
        cage.docker(&["kill", name]);
        until("it is left", || !daemon.get("/debug/tasks").contains(name.as_str()));
        let left = Timestamp::now();
        // By its state: of events the engine keeps only the last 256, everybody's.
        let died = cage.docker(&["inspect", "--format", "{{.State.FinishedAt}}", name]);
        let took = left.duration_since(died.parse().unwrap());
        // At once on a paused clock; well under a second on a quiet machine; this one may have other things to do.
        assert!(took < SignedDuration::from_secs(5), "{name}: {took:?}");
    }
    until("nothing of them is left", || {
        daemon.fds() <= fds - CONTAINERS && daemon.metric("log_capturer_tasks", "") <= tasks - CONTAINERS as f64
    });
    daemon.stop();
}
