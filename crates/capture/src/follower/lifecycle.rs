//! The life-cycle of a follower, on a scripted engine with a paused clock: hours pass in milliseconds, and each time the
//! same way.

use std::time::Duration;

use tokio::time::sleep;

use super::Outcome;
use crate::config::Config;
use crate::frame::Stream::{Stderr, Stdout};
use crate::seam::Position;
use crate::testbed::{Mood, Rig};

fn config() -> Config {
    Config {
        rotate_every: Duration::from_secs(30),
        read_timeout: Duration::from_secs(20),
        ..Config::default()
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_come_once_and_in_order_through_a_hundred_rotations() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    for number in 0..3_000_u32 {
        let stream = if number % 3 == 0 { Stderr } else { Stdout };
        rig.engine.write("a", stream, &number.to_string());
        sleep(Duration::from_secs(1)).await;
    }
    rig.until("all lines", |rig| rig.lines("a").len() >= 3_000).await;
    assert_eq!(rig.lines("a"), numbers(0..3_000));
    assert!((99.0..=100.0).contains(&rig.metric("log_capturer_rotations_total")));
    assert_eq!(rig.errors("seam_mismatch"), 0.0);
    // Make before break takes a second connection, never a third.
    assert_eq!((rig.engine.connections(), rig.engine.most_connections()), (1, 2));
    // Once there is something to join to, the engine is never asked to read its whole log again.
    let logs: Vec<_> = rig
        .engine
        .asked()
        .into_iter()
        .filter(|target| target.contains("/logs?"))
        .collect();
    assert!(logs[2..].iter().all(|target| target.contains("&tail=")), "{logs:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_container_is_rotated_for_hours_and_costs_one_connection_and_one_task() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "the only line");
    let _finished = rig.follow("a", Position::default());
    sleep(Duration::from_secs(6 * 3600 + 1)).await;
    assert_eq!(rig.lines("a"), ["the only line"]);
    assert_eq!(rig.metric("log_capturer_rotations_total"), 720.0);
    assert_eq!((rig.engine.connections(), rig.tasks.alive().len()), (1, 1));
    assert_eq!(rig.engine.most_connections(), 2);
    assert_eq!(rig.errors("reader_timeout"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_went_dead_is_replaced_at_its_read_deadline_and_loses_nothing() {
    let rig = Rig::new(Config {
        rotate_every: Duration::from_secs(3600),
        ..config()
    });
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let _finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.freeze_open_logs();
    rig.engine.write("a", Stdout, "1");
    rig.engine.write("a", Stderr, "2");
    rig.until("the lines after the freeze", |rig| rig.lines("a").len() == 3)
        .await;
    assert_eq!(rig.lines("a"), numbers(0..3));
    assert_eq!(rig.engine.connections(), 1);
}

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
async fn while_the_engine_is_stopped_rotations_fail_and_the_present_stream_stays() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let _finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.set(Mood::Stopped);
    sleep(Duration::from_secs(300)).await;
    assert!(rig.errors("no_answer") >= 5.0);
    assert!(rig.engine.connections() <= 2);
    rig.engine.set(Mood::Well);
    rig.engine.write("a", Stdout, "1");
    rig.until("the next line", |rig| rig.lines("a").len() == 2).await;
    assert_eq!(rig.metric("log_capturer_streams_opened_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_went_away_is_waited_for_without_tripping_the_breaker() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    let _finished = rig.follow("a", Position::default());
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.set(Mood::Away);
    sleep(Duration::from_secs(60)).await;
    rig.engine.write("a", Stdout, "1");
    assert!(rig.errors("connect") > 6.0);
    assert_eq!(rig.metric("log_capturer_circuit_breaker_trips_total"), 0.0);
    rig.engine.set(Mood::Well);
    rig.until("the line of the time between", |rig| rig.lines("a").len() >= 2)
        .await;
    assert_eq!(rig.lines("a"), numbers(0..2));
}

#[tokio::test(start_paused = true)]
async fn more_than_five_failures_in_a_row_pause_the_container_for_five_minutes() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.set(Mood::EndingLogs);
    let _finished = rig.follow("a", Position::default());
    rig.until("the breaker", |rig| {
        rig.metric("log_capturer_circuit_breaker_trips_total") == 1.0
    })
    .await;
    assert_eq!(rig.errors("unexpected_end"), 6.0);
    rig.engine.set(Mood::Well);
    rig.engine.write("a", Stdout, "0");
    sleep(Duration::from_secs(299)).await;
    assert_eq!((rig.lines("a").len(), rig.engine.connections()), (0, 0));
    rig.until("the line after the pause", |rig| rig.lines("a").len() == 1)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_cut_is_an_error_and_its_line_comes_whole_later() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "a line that will be cut");
    rig.engine.set(Mood::CuttingLogs);
    let _finished = rig.follow("a", Position::default());
    rig.until("the cut", |rig| rig.errors("truncated") >= 1.0).await;
    assert!(rig.lines("a").is_empty());
    rig.engine.set(Mood::Well);
    rig.until("the line", |rig| !rig.lines("a").is_empty()).await;
    assert_eq!(rig.lines("a"), ["a line that will be cut"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_ends_the_follower_once_and_clearly() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.set(Mood::Unreadable);
    let mut finished = rig.follow("a", Position::default());
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Unreadable);
    assert_eq!(rig.errors("unreadable"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn lines_that_the_engine_dropped_unread_are_counted_as_a_gap() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    for number in 0..10 {
        rig.engine.write("a", Stdout, &number.to_string());
    }
    let mut finished = rig.follow("a", Position::default());
    rig.until("ten lines", |rig| rig.lines("a").len() == 10).await;
    rig.engine.stop("a");
    let position = finished.recv().await.unwrap().position;
    for number in 10..20 {
        rig.engine.write("a", Stdout, &number.to_string());
    }
    rig.engine.drop_lines("a", 15);
    rig.engine.start("a");
    let _finished = rig.follow("a", position);
    rig.until("what is left", |rig| rig.lines("a").len() == 15).await;
    assert_eq!(rig.lines("a")[10..], numbers(15..20));
    assert_eq!(rig.metric("log_capturer_log_gaps_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn with_one_slot_for_three_containers_each_gets_its_turn_and_no_line_is_lost() {
    let rig = Rig::new(Config {
        streams: Some(1),
        rotate_every: Duration::from_secs(1),
        ..config()
    });
    for id in ["a", "b", "c"] {
        rig.engine.start(id);
    }
    let _finished: Vec<_> = ["a", "b", "c"].map(|id| rig.follow(id, Position::default())).into();
    for number in 0..300_u32 {
        for id in ["a", "b", "c"] {
            rig.engine.write(id, Stdout, &number.to_string());
        }
        sleep(Duration::from_millis(100)).await;
        assert!(rig.metric("log_capturer_container_streams_active") <= 1.0);
    }
    rig.until("all lines", |rig| {
        ["a", "b", "c"].iter().all(|id| rig.lines(id).len() >= 300)
    })
    .await;
    for id in ["a", "b", "c"] {
        assert_eq!(rig.lines(id), numbers(0..300), "{id}");
    }
    assert_eq!(rig.metric("log_capturer_pool_waiting"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_follower_at_once_whatever_the_engine_does() {
    for mood in [Mood::Well, Mood::Stopped, Mood::Away, Mood::EndingLogs] {
        let rig = Rig::new(config());
        rig.engine.start("a");
        rig.engine.set(mood);
        let _finished = rig.follow("a", Position::default());
        sleep(Duration::from_secs(7)).await;
        let before = tokio::time::Instant::now();
        rig.cancel.cancel();
        rig.tasks.ended().await;
        assert_eq!(before.elapsed(), Duration::ZERO, "{mood:?}");
        rig.until("no connection", |rig| rig.engine.connections() == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stalls_holds_back_the_stream_and_not_the_memory() {
    const LAG: &str = r#"log_capturer_container_lag_seconds{container_id="a",container_name="name-a"}"#;
    let rig = Rig::new(Config {
        queue_lines: 10,
        ..config()
    });
    rig.engine.start("a");
    let stalled = rig.stall_sink();
    let _finished = rig.follow("a", Position::default());
    for number in 0..1000_u32 {
        rig.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(rig.metric("log_capturer_dispatcher_queue_length") <= 10.0);
    assert!(rig.metric(LAG) > 0.0);
    drop(stalled);
    rig.until("all lines", |rig| rig.lines("a").len() >= 1000).await;
    assert_eq!(rig.lines("a"), numbers(0..1000));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.metric(LAG), 0.0);
}
