//! The end of following: a follower ends when its log was read to the end, and not before.

use std::time::Duration;

use tokio::time::sleep;

use super::lifecycle::{config, numbers};
use crate::follower::Outcome;
use crate::frame::Stream::{Stderr, Stdout};
use crate::resume::Position;
use crate::test_support::{EngineBehavior, Harness};

#[tokio::test(start_paused = true)]
async fn a_stopped_container_is_read_to_its_end_and_resumed_there() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let mut finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.write("a", Stdout, "1");
    harness.engine.stop("a");
    let report = finished.recv().await.unwrap();
    assert_eq!(report.outcome, Outcome::Stopped);
    harness
        .until("no task", |harness| harness.tasks.alive().is_empty())
        .await;
    assert_eq!((harness.lines("a"), harness.engine.connections()), (numbers(0..2), 0));

    harness.engine.start("a");
    harness.engine.write("a", Stdout, "2");
    let _finished = harness.follow("a", report.position);
    harness
        .until("the line after the restart", |harness| harness.lines("a").len() >= 3)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..3));
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_are_delivered_even_if_the_engine_ends_the_stream_before_them() {
    let harness = Harness::new(config());
    harness.engine.set(EngineBehavior::LogsEndEarly);
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let mut finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.write("a", Stdout, "1");
    harness.engine.write("a", Stderr, "2");
    harness.engine.stop("a");
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    harness
        .until("the last lines", |harness| harness.lines("a").len() == 3)
        .await;
    assert_eq!(harness.errors("unexpected_end"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_lacks_delivered_lines_is_read_again() {
    let harness = Harness::new(config());
    harness.engine.set(EngineBehavior::LogsEndEarly);
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let mut finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.set(EngineBehavior::LogsEmpty);
    harness.engine.write("a", Stdout, "1");
    harness.engine.write("a", Stderr, "2");
    harness.engine.stop("a");
    sleep(Duration::from_secs(1)).await;
    harness.engine.set(EngineBehavior::Normal);
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    harness
        .until("the last lines", |harness| harness.lines("a").len() >= 3)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..3));
    assert!(harness.errors("unexpected_end") >= 2.0);
}

#[tokio::test(start_paused = true)]
async fn an_emptied_log_is_not_read_for_ever() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let mut finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.drop_lines("a", 1);
    harness.engine.stop("a");
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    assert_eq!(harness.metric("log_capturer_circuit_breaker_trips_total"), 1.0);
    assert_eq!(harness.lines("a"), numbers(0..1));
}
