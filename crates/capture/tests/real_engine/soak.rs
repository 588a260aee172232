//! The soak: 55 containers at 500 lines a second in all, each stream replaced two hundred times in a minute, every
//! line counted; then the engine is frozen under them, and the shut-down must not wait for it.

use std::time::Duration;

use crate::cage::{Cage, until, until_at_last};
use crate::daemon::Daemon;
use crate::ledger::assert_complete;
use crate::private::PrivateEngine;

const CONTAINERS: usize = 55;
/// Of each container: a minute, in which the engine opens 11,000 streams.
const ROTATIONS: f64 = 200.0;
/// A machine that is busy with other things takes longer.
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn fifty_five_containers_lose_and_repeat_nothing_in_thousands_of_rotations_nor_when_the_engine_hangs() {
    // Frozen it can only be if it is the test's own; the rest can be had on any.
    let engine = PrivateEngine::start();
    let cage = match &engine {
        Some(engine) => Some(Cage::on(Some(engine.host()), "soak")),
        None => Cage::open("soak"),
    };
    let Some(cage) = cage else {
        return;
    };
    let names = cage.speak_all("n", CONTAINERS, &["lines", "9", "100000", "160", "10"]);
    let open_before = engine.as_ref().map(PrivateEngine::fds);
    let rotating = ["--rotate-every", "300ms"];
    let daemon = Daemon::start(&cage, &rotating);
    until("all are followed", || daemon.streams() == CONTAINERS as f64);
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    until_at_last("two hundred rotations of each", DEADLINE, || {
        daemon.metric("log_capturer_rotations_total", "") >= ROTATIONS * CONTAINERS as f64
    });
    for kind in [
        "seam_mismatch",
        "unexpected_end",
        "truncated",
        "protocol",
        "rotation_stuck",
    ] {
        assert_eq!(
            daemon.metric("log_capturer_stream_errors_total", &format!("\"{kind}\"")),
            0.0
        );
    }
    assert_eq!(daemon.metric("log_capturer_log_gaps_total", ""), 0.0);
    // A successor has a descriptor of its own for a moment, and this very question another; no task.
    until("counts are where they were", || {
        daemon.fds() <= fds && daemon.metric("log_capturer_tasks", "") <= tasks
    });

    match engine.as_ref().zip(open_before) {
        Some((engine, open_before)) => hang(engine, daemon, open_before),
        None => drop(daemon.stop()),
    }

    let daemon = Daemon::start(&cage, &rotating);
    until("all are followed again", || daemon.streams() == CONTAINERS as f64);
    cage.silence();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    assert_complete(&cage, &names);
}

/// Freezes the engine in the midst of rotations, and stops the daemon: it ends in time and leaves nothing at the engine.
fn hang(engine: &PrivateEngine, daemon: Daemon, open_before: usize) {
    let frozen = engine.freeze();
    until("every stream waits for a successor that does not come", || {
        daemon.get("/debug/tasks").matches("\"rotating\"").count() == CONTAINERS
    });
    let took = daemon.stop();
    drop(frozen);
    eprintln!("shut-down with {CONTAINERS} hung streams and as many hung successors: {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    until("the engine has nothing of it open any more", || {
        engine.fds() <= open_before
    });
}
