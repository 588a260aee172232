//! How following a container ends, on a scripted engine with a paused clock: when its log was read to its end, and not before.

use std::time::Duration;

use tokio::time::sleep;

use super::Outcome;
use super::lifecycle::{config, numbers};
use crate::frame::Stream::{Stderr, Stdout};
use crate::seam::Position;
use crate::testbed::{Mood, Rig};

#[tokio::test(start_paused = true)]
async fn a_stopped_container_is_read_to_its_end_and_resumed_where_it_was() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let mut finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.write("a", Stdout, "1");
    rig.engine.stop("a");
    let last_word = finished.recv().await.unwrap();
    assert_eq!(last_word.outcome, Outcome::Stopped);
    rig.until("no task", |rig| rig.tasks.alive().is_empty()).await;
    assert_eq!((rig.lines("a"), rig.engine.connections()), (numbers(0..2), 0));

    rig.engine.start("a");
    rig.engine.write("a", Stdout, "2");
    let _finished = rig.follow("a", last_word.position);
    rig.until("the line after the restart", |rig| rig.lines("a").len() >= 3)
        .await;
    assert_eq!(rig.lines("a"), numbers(0..3));
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_come_even_if_the_engine_ends_the_stream_before_them() {
    let rig = Rig::new(config());
    rig.engine.set(Mood::Hasty);
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let mut finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.write("a", Stdout, "1");
    rig.engine.write("a", Stderr, "2");
    rig.engine.stop("a");
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    rig.until("the last lines", |rig| rig.lines("a").len() == 3).await;
    assert_eq!(rig.errors("unexpected_end"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_before_it_has_shown_what_was_delivered_is_not_over() {
    let rig = Rig::new(config());
    rig.engine.set(Mood::Hasty);
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let mut finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.set(Mood::HidingLogs);
    rig.engine.write("a", Stdout, "1");
    rig.engine.write("a", Stderr, "2");
    rig.engine.stop("a");
    sleep(Duration::from_secs(1)).await;
    rig.engine.set(Mood::Well);
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    rig.until("the last lines", |rig| rig.lines("a").len() >= 3).await;
    assert_eq!(rig.lines("a"), numbers(0..3));
    assert!(rig.errors("unexpected_end") >= 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_emptied_is_not_asked_for_for_ever() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let mut finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.drop_lines("a", 1);
    rig.engine.stop("a");
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Stopped);
    assert_eq!(rig.metric("log_capturer_circuit_breaker_trips_total"), 1.0);
    assert_eq!(rig.lines("a"), numbers(0..1));
}
