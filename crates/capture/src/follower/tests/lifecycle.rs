//! The life cycle of followers: rotation, silence, failures, slots, backpressure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chunk::Identity;
use crate::config::Config;
use crate::follower::{Follower, Outcome};
use crate::frame::Stream::{Stderr, Stdout};
use crate::resume::Position;
use crate::test_support::{EngineBehavior, Harness};

pub(super) fn config() -> Config {
    Config {
        rotate_every: Duration::from_secs(30),
        read_timeout: Duration::from_secs(20),
        ..Config::default()
    }
}

pub(super) fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_are_delivered_once_and_in_order_through_a_hundred_rotations() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    for number in 0..3_000_u32 {
        let stream = if number % 3 == 0 { Stderr } else { Stdout };
        harness.engine.write("a", stream, &number.to_string());
        sleep(Duration::from_secs(1)).await;
    }
    harness
        .until("all lines", |harness| harness.lines("a").len() >= 3_000)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..3_000));
    assert!((99.0..=100.0).contains(&harness.metric("log_capturer_rotations_total")));
    assert_eq!(harness.errors("seam_mismatch"), 0.0);
    // A rotation has a second connection and no third.
    assert_eq!(
        (harness.engine.connections(), harness.engine.most_connections()),
        (1, 2)
    );
    // The engine never has to read its whole log again.
    let logs: Vec<_> = harness
        .engine
        .requests()
        .into_iter()
        .filter(|target| target.contains("/logs?"))
        .collect();
    assert!(logs[2..].iter().all(|target| target.contains("&tail=")), "{logs:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_container_costs_one_connection_and_one_task_through_hours_of_rotations() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "the only line");
    let _finished = harness.follow("a", Position::default());
    sleep(Duration::from_secs(6 * 3600 + 1)).await;
    assert_eq!(harness.lines("a"), ["the only line"]);
    assert_eq!(harness.metric("log_capturer_rotations_total"), 720.0);
    assert_eq!((harness.engine.connections(), harness.tasks.alive().len()), (1, 1));
    assert_eq!(harness.engine.most_connections(), 2);
    assert_eq!(harness.errors("reader_timeout"), 0.0);
}

#[tokio::test]
async fn the_future_of_a_follower_takes_a_few_kilobytes() {
    let harness = Harness::new(config());
    let (report, _finished) = mpsc::channel(1);
    let (measured, size) = std::sync::mpsc::channel();
    let (shared, identity) = (Arc::clone(&harness.shared), Identity::new("a".into(), "a".into()));
    harness.tasks.spawn("follower", None, move |entry| {
        let (position, cancel) = (Position::default(), CancellationToken::new());
        cancel.cancel();
        let follower = Follower::new(shared, Arc::new(identity), position, entry, cancel, Duration::ZERO);
        let running = follower.run(report);
        measured.send(size_of_val(&running)).unwrap();
        running
    });
    let size = size.recv().unwrap();
    // The documented 16 KiB per stream include this, the socket, names, series and allocator overhead.
    assert!(size <= 6 * 1024, "{size} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_dead_stream_is_replaced_at_its_read_timeout_without_loss() {
    let harness = Harness::new(Config {
        rotate_every: Duration::from_secs(3600),
        ..config()
    });
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.freeze_open_logs();
    harness.engine.write("a", Stdout, "1");
    harness.engine.write("a", Stderr, "2");
    harness
        .until("the lines after the freeze", |harness| harness.lines("a").len() == 3)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..3));
    assert_eq!(harness.engine.connections(), 1);
    assert_eq!(harness.errors("reader_timeout"), 1.0);
    // Silence of the container is checked as well, and is not an error.
    sleep(Duration::from_secs(600)).await;
    assert!(harness.metric("log_capturer_stream_idle_reopens_total") >= 25.0);
    assert_eq!(harness.errors("reader_timeout"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn adaptive_rotation_rotates_a_quiet_container_a_third_as_often() {
    let harness = Harness::new(Config {
        adaptive_rotation: true,
        ..config()
    });
    for id in ["quiet", "busy"] {
        harness.engine.start(id);
    }
    let _finished = ["quiet", "busy"].map(|id| harness.follow(id, Position::default()));
    // Five and twenty lines a minute, around the limit of ten.
    for second in (0..3600).step_by(3) {
        harness.engine.write("busy", Stdout, "line");
        if second % 12 == 0 {
            harness.engine.write("quiet", Stdout, "line");
        }
        sleep(Duration::from_secs(3)).await;
    }
    let rotations = |id: &str| {
        harness.metric(&format!(
            "log_capturer_container_stream_rotations_total{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    // The first is due after 30 s; an hour holds 120 intervals of 30 s, and 40 of 90 s.
    assert!((119.0..=120.0).contains(&rotations("busy")), "{}", rotations("busy"));
    assert!((39.0..=41.0).contains(&rotations("quiet")), "{}", rotations("quiet"));
    assert_eq!(harness.lines("busy").len(), 1200);
    assert_eq!(harness.lines("quiet").len(), 300);
}

#[tokio::test(start_paused = true)]
async fn rotations_of_a_hanging_engine_fail_and_the_current_stream_remains() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.set(EngineBehavior::Hanging);
    sleep(Duration::from_secs(300)).await;
    assert!(harness.errors("no_answer") >= 5.0);
    assert!(harness.engine.connections() <= 2);
    harness.engine.set(EngineBehavior::Normal);
    harness.engine.write("a", Stdout, "1");
    harness
        .until("the next line", |harness| harness.lines("a").len() == 2)
        .await;
    assert_eq!(harness.metric("log_capturer_streams_opened_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_unavailable_engine_does_not_trip_the_circuit_breaker() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.set(EngineBehavior::NotListening);
    sleep(Duration::from_secs(60)).await;
    harness.engine.write("a", Stdout, "1");
    assert!(harness.errors("connect") > 6.0);
    assert_eq!(harness.metric("log_capturer_circuit_breaker_trips_total"), 0.0);
    harness.engine.set(EngineBehavior::Normal);
    harness
        .until("the line of the time between", |harness| harness.lines("a").len() >= 2)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..2));
}

#[tokio::test(start_paused = true)]
async fn more_than_five_consecutive_failures_pause_the_container_for_five_minutes() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.set(EngineBehavior::LogsEndAtOnce);
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the breaker", |harness| {
            harness.metric("log_capturer_circuit_breaker_trips_total") == 1.0
        })
        .await;
    assert_eq!(harness.errors("unexpected_end"), 6.0);
    harness.engine.set(EngineBehavior::Normal);
    harness.engine.write("a", Stdout, "0");
    sleep(Duration::from_secs(299)).await;
    assert_eq!((harness.lines("a").len(), harness.engine.connections()), (0, 0));
    harness
        .until("the line after the pause", |harness| harness.lines("a").len() == 1)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_truncated_frame_is_an_error_and_its_line_is_delivered_whole_later() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "a line that will be cut");
    harness.engine.set(EngineBehavior::LogsTruncated);
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the cut", |harness| harness.errors("truncated") >= 1.0)
        .await;
    assert!(harness.lines("a").is_empty());
    harness.engine.set(EngineBehavior::Normal);
    harness
        .until("the line", |harness| !harness.lines("a").is_empty())
        .await;
    assert_eq!(harness.lines("a"), ["a line that will be cut"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_log_ends_the_follower() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.set(EngineBehavior::LogsUnreadable);
    let mut finished = harness.follow("a", Position::default());
    assert_eq!(finished.recv().await.unwrap().outcome, Outcome::Unreadable);
    assert_eq!(harness.errors("unreadable"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn lines_dropped_before_they_were_read_count_as_a_gap() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    for number in 0..10 {
        harness.engine.write("a", Stdout, &number.to_string());
    }
    let mut finished = harness.follow("a", Position::default());
    harness
        .until("ten lines", |harness| harness.lines("a").len() == 10)
        .await;
    harness.engine.stop("a");
    let position = finished.recv().await.unwrap().position;
    for number in 10..20 {
        harness.engine.write("a", Stdout, &number.to_string());
    }
    harness.engine.drop_lines("a", 15);
    harness.engine.start("a");
    let _finished = harness.follow("a", position);
    harness
        .until("what is left", |harness| harness.lines("a").len() == 15)
        .await;
    assert_eq!(harness.lines("a")[10..], numbers(15..20));
    assert_eq!(harness.metric("log_capturer_log_gaps_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn repeated_lines_of_a_live_stream_are_delivered_once_and_are_not_a_gap() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    for (round, again) in [1, 2, 7, 1].into_iter().enumerate() {
        for number in 0..10 {
            harness.engine.write("a", Stdout, &(round * 10 + number).to_string());
            sleep(Duration::from_millis(300)).await;
        }
        harness.engine.repeat("a", again);
        harness
            .until("it notices", |harness| harness.errors("repeated") == round as f64 + 1.0)
            .await;
    }
    harness.engine.write("a", Stdout, "40");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(harness.lines("a"), numbers(0..41));
    assert_eq!(
        (harness.errors("repeated"), harness.errors("seam_mismatch")),
        (4.0, 0.0)
    );
    assert_eq!(harness.metric("log_capturer_log_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn three_containers_share_one_slot_without_loss() {
    let harness = Harness::new(Config {
        streams: Some(1),
        rotate_every: Duration::from_secs(1),
        ..config()
    });
    for id in ["a", "b", "c"] {
        harness.engine.start(id);
    }
    let _finished: Vec<_> = ["a", "b", "c"].map(|id| harness.follow(id, Position::default())).into();
    let waits = |harness: &Harness, id: &str| {
        harness.find(&format!(
            "log_capturer_container_slot_wait_seconds{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    let mut longest = [0.0_f64; 3];
    for number in 0..300_u32 {
        for id in ["a", "b", "c"] {
            harness.engine.write(id, Stdout, &number.to_string());
        }
        sleep(Duration::from_millis(100)).await;
        assert!(harness.metric("log_capturer_container_streams_active") <= 1.0);
        for (id, longest) in ["a", "b", "c"].iter().zip(&mut longest) {
            *longest = waits(&harness, id).unwrap_or(0.0).max(*longest);
            // A turn lasts one second; a container that is three turns behind was left out.
            let behind = number as usize + 1 - harness.lines(id).len();
            assert!(behind <= 32, "{id} is {behind} lines behind");
        }
    }
    assert_eq!(harness.metric("log_capturer_pool_waiting"), 2.0);
    let waiting = ["a", "b", "c"]
        .iter()
        .filter(|id| waits(&harness, id).is_some())
        .count();
    assert_eq!(waiting, 2, "the metric names the waiting containers");
    // Two turns of others, and the time to open a stream.
    assert!(longest.iter().all(|wait| (1.8..2.2).contains(wait)), "{longest:?}");
    harness
        .until("all lines", |harness| {
            ["a", "b", "c"].iter().all(|id| harness.lines(id).len() >= 300)
        })
        .await;
    for id in ["a", "b", "c"] {
        assert_eq!(harness.lines(id), numbers(0..300), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_follower_ends_at_once_whatever_the_engine_does() {
    for behavior in [
        EngineBehavior::Normal,
        EngineBehavior::Hanging,
        EngineBehavior::NotListening,
        EngineBehavior::LogsEndAtOnce,
    ] {
        let harness = Harness::new(config());
        harness.engine.start("a");
        harness.engine.set(behavior);
        let _finished = harness.follow("a", Position::default());
        sleep(Duration::from_secs(7)).await;
        let before = tokio::time::Instant::now();
        harness.cancel.cancel();
        harness.tasks.ended().await;
        assert_eq!(before.elapsed(), Duration::ZERO, "{behavior:?}");
        harness
            .until("no connection", |harness| harness.engine.connections() == 0)
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_sink_holds_back_the_stream_and_bounds_the_queue() {
    const LAG: &str = r#"log_capturer_container_lag_seconds{container_id="a",container_name="name-a"}"#;
    let harness = Harness::new(Config {
        queue_lines: 10,
        ..config()
    });
    harness.engine.start("a");
    let stalled = harness.stall_sink().await;
    let _finished = harness.follow("a", Position::default());
    for number in 0..1000_u32 {
        harness.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(harness.metric("log_capturer_dispatcher_queue_length") <= 10.0);
    assert!(harness.metric(LAG) > 0.0);
    drop(stalled);
    harness
        .until("all lines", |harness| harness.lines("a").len() >= 1000)
        .await;
    assert_eq!(harness.lines("a"), numbers(0..1000));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(harness.metric(LAG), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_engine_trips_no_circuit_breaker_and_a_hanging_log_trips_its_own() {
    let harness = Harness::new(config());
    for id in ["a", "b", "hung"] {
        harness.engine.start(id);
        harness.engine.write(id, Stdout, "line");
    }
    harness.engine.set(EngineBehavior::Hanging);
    let mut finished: Vec<_> = ["a", "b"].map(|id| harness.follow(id, Position::default())).into();
    sleep(Duration::from_secs(20 * 60)).await;
    assert!(harness.errors("no_answer") >= 100.0, "{}", harness.errors("no_answer"));
    assert_eq!(harness.metric("log_capturer_circuit_breaker_trips_total"), 0.0);
    harness.engine.set(EngineBehavior::Normal);
    let back = tokio::time::Instant::now();
    harness
        .until("both are read", |harness| {
            harness.lines("a").len() + harness.lines("b").len() == 2
        })
        .await;
    // A pending request takes up to its deadline to fail, then its back-off.
    assert!(back.elapsed() < Duration::from_secs(20), "{:?}", back.elapsed());

    harness.engine.mute("hung");
    finished.push(harness.follow("hung", Position::default()));
    harness
        .until("the breaker", |harness| {
            harness.metric("log_capturer_circuit_breaker_trips_total") == 1.0
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_return_of_the_engine_ends_the_pause_of_a_circuit_breaker() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    harness.engine.set(EngineBehavior::LogsEndAtOnce);
    let _finished = harness.follow("a", Position::default());
    harness
        .until("the breaker", |harness| {
            harness.metric("log_capturer_circuit_breaker_trips_total") == 1.0
        })
        .await;
    harness.shared.engine_is_away();
    harness.engine.set(EngineBehavior::Normal);
    harness.engine.write("a", Stdout, "0");
    sleep(Duration::from_secs(1)).await;
    harness.shared.engine_is_available();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(harness.lines("a"), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn hanging_successors_do_not_delay_other_rotations() {
    let harness = Harness::new(Config {
        rotate_every: Duration::from_secs(10),
        read_timeout: Duration::from_secs(60),
        ..config()
    });
    let ids: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    for id in &ids {
        harness.engine.start(id);
        harness.engine.write(id, Stdout, "line");
    }
    let _finished: Vec<_> = ids.iter().map(|id| harness.follow(id, Position::default())).collect();
    harness
        .until("all are followed", |harness| {
            ids.iter().all(|id| harness.lines(id).len() == 1)
        })
        .await;
    // The hanging ones come first in every round.
    for id in &ids[..20] {
        harness.engine.mute(id);
    }
    sleep(Duration::from_secs(10 * 10 + 5)).await;
    let rotations = |id: &str| {
        harness.metric(&format!(
            "log_capturer_container_stream_rotations_total{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    for id in &ids[20..] {
        assert_eq!(rotations(id), 10.0, "{id}");
    }
    assert!(ids[..20].iter().all(|id| rotations(id) == 0.0));
    assert_eq!(harness.metric("log_capturer_container_streams_active"), 40.0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_bytes_returns_its_slot_after_its_turn() {
    let harness = Harness::new(Config {
        streams: Some(1),
        rotate_every: Duration::from_secs(5),
        queue_lines: 100,
        ..config()
    });
    harness.slow_sink(Duration::from_millis(500));
    for id in ["a", "b"] {
        harness.engine.start(id);
        for _ in 0..6_000 {
            harness.engine.write(id, Stdout, &"x".repeat(500));
        }
    }
    let _finished = ["a", "b"].map(|id| harness.follow(id, Position::default()));
    let start = tokio::time::Instant::now();
    harness
        .until("the other one's turn", |harness| {
            harness.count("a") > 0 && harness.count("b") > 0
        })
        .await;
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    harness
        .until("all lines", |harness| {
            ["a", "b"].iter().all(|id| harness.count(id) >= 6_000)
        })
        .await;
    assert!(["a", "b"].iter().all(|id| harness.count(id) == 6_000));
}

#[tokio::test(start_paused = true)]
async fn lag_is_the_age_of_the_oldest_undelivered_line() {
    const LAG: &str = r#"log_capturer_container_lag_seconds{container_id="a",container_name="name-a"}"#;
    let harness = Harness::new(config());
    harness.engine.start("a");
    let stalled = harness.stall_sink().await;
    let _finished = harness.follow("a", Position::default());
    sleep(Duration::from_secs(1)).await;
    for _ in 0..60 {
        harness.engine.write("a", Stdout, "line");
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(60)).await;
    assert!(
        (119.0..=121.0).contains(&harness.metric(LAG)),
        "{}",
        harness.metric(LAG)
    );
    drop(stalled);
    harness
        .until("all lines", |harness| harness.lines("a").len() == 60)
        .await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(harness.metric(LAG), 0.0);
}

#[tokio::test(start_paused = true)]
async fn lines_dropped_after_they_were_read_are_counted_and_are_not_a_gap() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    for number in 0..30 {
        harness.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(900)).await;
    }
    // The log begins within the lines of the last seconds.
    harness.engine.drop_lines("a", 29);
    sleep(Duration::from_secs(10)).await;
    harness.engine.write("a", Stdout, "30");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(harness.lines("a"), numbers(0..31));
    let counts = ["log_capturer_log_dropped_total", "log_capturer_log_gaps_total"].map(|name| harness.metric(name));
    assert_eq!(counts, [1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_repeats_itself_all_the_time_is_asked_less_often() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    for number in 0..600 {
        harness.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(50)).await;
        harness.engine.repeat("a", 1 + number % 7);
        sleep(Duration::from_millis(50)).await;
    }
    let asked = harness.request_count("/logs?");
    assert!(asked <= 60, "{asked} requests in a minute");
    harness
        .until("all lines", |harness| harness.lines("a").len() >= 600)
        .await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(harness.lines("a"), numbers(0..600));
    assert_eq!(harness.metric("log_capturer_log_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn lines_that_a_new_stream_skipped_and_repeats_are_not_delivered_again() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    for number in 0..10 {
        harness.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(100)).await;
    }
    // After the rotation, whose successor has shown those lines and no new one.
    sleep(Duration::from_secs(30)).await;
    assert_eq!(harness.metric("log_capturer_rotations_total"), 1.0);
    harness.engine.repeat("a", 5);
    sleep(Duration::from_secs(1)).await;
    harness.engine.write("a", Stdout, "10");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(harness.lines("a"), numbers(0..11));
    assert_eq!(
        (harness.errors("repeated"), harness.errors("seam_mismatch")),
        (1.0, 0.0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_sink_does_not_make_the_stream_look_dead() {
    let harness = Harness::new(Config {
        queue_lines: 1,
        ..config()
    });
    harness.engine.start("a");
    let stalled = harness.stall_sink().await;
    let _finished = harness.follow("a", Position::default());
    for number in 0..90 {
        harness.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_secs(1)).await;
    }
    drop(stalled);
    harness
        .until("all lines", |harness| harness.lines("a").len() >= 90)
        .await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(harness.lines("a"), numbers(0..90));
    assert_eq!(harness.errors("reader_timeout"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_with_a_pending_successor_is_listed_as_rotating() {
    let harness = Harness::new(config());
    harness.engine.start("a");
    let _finished = harness.follow("a", Position::default());
    sleep(Duration::from_secs(1)).await;
    harness.engine.mute("a");
    sleep(Duration::from_secs(30)).await;
    harness.engine.write("a", Stdout, "0");
    harness.until("the line", |harness| harness.lines("a").len() == 1).await;
    assert_eq!(harness.tasks.alive()[0].state(), crate::task::TaskState::Rotating);
}
