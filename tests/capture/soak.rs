//! Soak test: 55 containers write 500 lines a second, each stream is replaced 200 times in a minute, and every line is
//! counted. Then the engine is frozen, and the shutdown must not wait for it.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::delivered::assert_complete;
use crate::harness::{Harness, until, until_deadline};
use crate::private_engine::PrivateEngine;

const CONTAINERS: usize = 55;
/// Rotations per container; in this minute the engine opens 11,000 streams.
const ROTATIONS: f64 = 200.0;
/// The deadline for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn thousands_of_rotations_and_a_hanging_engine_neither_lose_nor_repeat_lines() {
    // Only a private engine can be frozen; the rest runs on any.
    let engine = PrivateEngine::start();
    let harness = match &engine {
        Some(engine) => Some(Harness::on(Some(engine.host()), "soak")),
        None => Harness::open("soak"),
    };
    let Some(harness) = harness else {
        return;
    };
    let names = harness.start_writers("n", CONTAINERS, &["lines", "9", "100000", "160", "10"]);
    let open_before = engine.as_ref().map(PrivateEngine::fds);
    let rotating = ["--rotate-every", "300ms"];
    let daemon = Daemon::start(&harness, &rotating);
    until("all are followed", || daemon.streams() == CONTAINERS as f64);
    let (fds, tasks) = (daemon.fds(), daemon.metric("log_capturer_tasks", ""));
    until_deadline("two hundred rotations of each", DEADLINE, || {
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
    // A successor has a descriptor for a moment, and this request another.
    until("descriptors and tasks are as before", || {
        daemon.fds() <= fds && daemon.metric("log_capturer_tasks", "") <= tasks
    });

    match engine.as_ref().zip(open_before) {
        Some((engine, open_before)) => hang(engine, daemon, open_before),
        None => drop(daemon.stop()),
    }

    let daemon = Daemon::start(&harness, &rotating);
    until("all are followed again", || daemon.streams() == CONTAINERS as f64);
    harness.kill_writers();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    assert_complete(&harness, &names);
}

/// Freezes the engine during rotations and stops the daemon, which must end in time and leave nothing open at the engine.
fn hang(engine: &PrivateEngine, daemon: Daemon, open_before: usize) {
    let frozen = engine.freeze();
    until("every stream waits for a successor", || {
        daemon.get("/debug/tasks").matches("\"rotating\"").count() == CONTAINERS
    });
    let took = daemon.stop();
    drop(frozen);
    eprintln!("shutdown with {CONTAINERS} hanging streams and successors: {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    until("the engine has closed all its connections", || {
        engine.fds() <= open_before
    });
}
