//! The life-cycle of a follower, on a scripted engine with a paused clock: hours pass in milliseconds, and each time the
//! same way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Follower, Outcome};
use crate::chunk::Identity;
use crate::config::Config;
use crate::frame::Stream::{Stderr, Stdout};
use crate::seam::Position;
use crate::testbed::{Mood, Rig};

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

#[tokio::test]
async fn a_follower_and_all_that_it_may_ever_hold_while_idle_is_a_few_kilobytes() {
    let rig = Rig::new(config());
    let (report, _finished) = mpsc::channel(1);
    let (measured, size) = std::sync::mpsc::channel();
    let (shared, identity) = (Arc::clone(&rig.shared), Identity::new("a".into(), "a".into()));
    rig.tasks.spawn("follower", None, move |entry| {
        let (position, cancel) = (Position::default(), CancellationToken::new());
        cancel.cancel();
        let follower = Follower::new(shared, Arc::new(identity), position, entry, cancel, Duration::ZERO);
        let running = follower.run(report);
        measured.send(size_of_val(&running)).unwrap();
        running
    });
    let size = size.recv().unwrap();
    // The README's 16 KiB for a stream have to hold this, the socket, names, series and the allocator's share.
    assert!(size <= 6 * 1024, "{size} bytes");
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
    assert_eq!(rig.errors("reader_timeout"), 1.0);
    // Silence alone is looked into as well, and is no error.
    sleep(Duration::from_secs(600)).await;
    assert!(rig.metric("log_capturer_stream_idle_reopens_total") >= 25.0);
    assert_eq!(rig.errors("reader_timeout"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn with_adaptive_rotation_a_quiet_container_is_rotated_a_third_as_often() {
    let rig = Rig::new(Config {
        adaptive_rotation: true,
        ..config()
    });
    for id in ["quiet", "lively"] {
        rig.engine.start(id);
    }
    let _finished = ["quiet", "lively"].map(|id| rig.follow(id, Position::default()));
    // Five lines a minute and twenty, on either side of ten.
    for second in (0..3600).step_by(3) {
        rig.engine.write("lively", Stdout, "line");
        if second % 12 == 0 {
            rig.engine.write("quiet", Stdout, "line");
        }
        sleep(Duration::from_secs(3)).await;
    }
    let rotations = |id: &str| {
        rig.metric(&format!(
            "log_capturer_container_stream_rotations_total{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    // The first is due after 30 s; an hour holds 120 intervals of 30 s, and 40 of 90 s.
    assert!(
        (119.0..=120.0).contains(&rotations("lively")),
        "{}",
        rotations("lively")
    );
    assert!((39.0..=41.0).contains(&rotations("quiet")), "{}", rotations("quiet"));
    assert_eq!(rig.lines("lively").len(), 1200);
    assert_eq!(rig.lines("quiet").len(), 300);
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
async fn lines_that_a_live_stream_brings_again_are_delivered_once_and_are_no_gap() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    for (round, again) in [1, 2, 7, 1].into_iter().enumerate() {
        for number in 0..10 {
            rig.engine.write("a", Stdout, &(round * 10 + number).to_string());
            sleep(Duration::from_millis(300)).await;
        }
        rig.engine.repeat("a", again);
        rig.until("it notices", |rig| rig.errors("repeated") == round as f64 + 1.0)
            .await;
    }
    rig.engine.write("a", Stdout, "40");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(rig.lines("a"), numbers(0..41));
    assert_eq!((rig.errors("repeated"), rig.errors("seam_mismatch")), (4.0, 0.0));
    assert_eq!(rig.metric("log_capturer_log_gaps_total"), 0.0);
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
    let waits = |rig: &Rig, id: &str| {
        rig.find(&format!(
            "log_capturer_container_slot_wait_seconds{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    let mut longest = [0.0_f64; 3];
    for number in 0..300_u32 {
        for id in ["a", "b", "c"] {
            rig.engine.write(id, Stdout, &number.to_string());
        }
        sleep(Duration::from_millis(100)).await;
        assert!(rig.metric("log_capturer_container_streams_active") <= 1.0);
        for (id, longest) in ["a", "b", "c"].iter().zip(&mut longest) {
            *longest = waits(&rig, id).unwrap_or(0.0).max(*longest);
            // Every turn is a second: whoever is behind by more than two and its own was left out.
            let behind = number as usize + 1 - rig.lines(id).len();
            assert!(behind <= 32, "{id} is {behind} lines behind");
        }
    }
    assert_eq!(rig.metric("log_capturer_pool_waiting"), 2.0);
    let waiting = ["a", "b", "c"].iter().filter(|id| waits(&rig, id).is_some()).count();
    assert_eq!(waiting, 2, "the metric says who waits");
    // Two turns of others, and the moment that it takes to open a stream.
    assert!(longest.iter().all(|wait| (1.8..2.2).contains(wait)), "{longest:?}");
    rig.until("all lines", |rig| {
        ["a", "b", "c"].iter().all(|id| rig.lines(id).len() >= 300)
    })
    .await;
    for id in ["a", "b", "c"] {
        assert_eq!(rig.lines(id), numbers(0..300), "{id}");
    }
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
    let stalled = rig.stall_sink().await;
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

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_trips_no_breaker_and_one_log_that_hangs_trips_its_own() {
    let rig = Rig::new(config());
    for id in ["a", "b", "hung"] {
        rig.engine.start(id);
        rig.engine.write(id, Stdout, "line");
    }
    rig.engine.set(Mood::Stopped);
    let mut finished: Vec<_> = ["a", "b"].map(|id| rig.follow(id, Position::default())).into();
    sleep(Duration::from_secs(20 * 60)).await;
    assert!(rig.errors("no_answer") >= 100.0, "{}", rig.errors("no_answer"));
    assert_eq!(rig.metric("log_capturer_circuit_breaker_trips_total"), 0.0);
    rig.engine.set(Mood::Well);
    let back = tokio::time::Instant::now();
    rig.until("both are read", |rig| rig.lines("a").len() + rig.lines("b").len() == 2)
        .await;
    // A request that is on its way may take its whole deadline to fail, then its back-off.
    assert!(back.elapsed() < Duration::from_secs(20), "{:?}", back.elapsed());

    rig.engine.mute("hung");
    finished.push(rig.follow("hung", Position::default()));
    rig.until("the breaker", |rig| {
        rig.metric("log_capturer_circuit_breaker_trips_total") == 1.0
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_comes_back_ends_a_breakers_pause() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    rig.engine.set(Mood::EndingLogs);
    let _finished = rig.follow("a", Position::default());
    rig.until("the breaker", |rig| {
        rig.metric("log_capturer_circuit_breaker_trips_total") == 1.0
    })
    .await;
    rig.shared.engine_is_away();
    rig.engine.set(Mood::Well);
    rig.engine.write("a", Stdout, "0");
    sleep(Duration::from_secs(1)).await;
    rig.shared.engine_answers();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.lines("a"), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn twenty_successors_that_hang_do_not_hold_back_the_rotations_of_twenty_others() {
    let rig = Rig::new(Config {
        rotate_every: Duration::from_secs(10),
        read_timeout: Duration::from_secs(60),
        ..config()
    });
    let ids: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    for id in &ids {
        rig.engine.start(id);
        rig.engine.write(id, Stdout, "line");
    }
    let _finished: Vec<_> = ids.iter().map(|id| rig.follow(id, Position::default())).collect();
    rig.until("all are followed", |rig| ids.iter().all(|id| rig.lines(id).len() == 1))
        .await;
    // The hung ones come first in every round.
    for id in &ids[..20] {
        rig.engine.mute(id);
    }
    sleep(Duration::from_secs(10 * 10 + 5)).await;
    let rotations = |id: &str| {
        rig.metric(&format!(
            "log_capturer_container_stream_rotations_total{{container_id=\"{id}\",container_name=\"name-{id}\"}}"
        ))
    };
    for id in &ids[20..] {
        assert_eq!(rotations(id), 10.0, "{id}");
    }
    assert!(ids[..20].iter().all(|id| rotations(id) == 0.0));
    assert_eq!(rig.metric("log_capturer_container_streams_active"), 40.0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_more_gives_its_slot_back_when_its_turn_is_over() {
    let rig = Rig::new(Config {
        streams: Some(1),
        rotate_every: Duration::from_secs(5),
        queue_lines: 100,
        ..config()
    });
    rig.slow_sink(Duration::from_millis(500));
    for id in ["a", "b"] {
        rig.engine.start(id);
        for _ in 0..6_000 {
            rig.engine.write(id, Stdout, &"x".repeat(500));
        }
    }
    let _finished = ["a", "b"].map(|id| rig.follow(id, Position::default()));
    let began = tokio::time::Instant::now();
    rig.until("the other one's turn", |rig| rig.count("a") > 0 && rig.count("b") > 0)
        .await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    rig.until("all lines", |rig| ["a", "b"].iter().all(|id| rig.count(id) >= 6_000))
        .await;
    assert!(["a", "b"].iter().all(|id| rig.count(id) == 6_000));
}

#[tokio::test(start_paused = true)]
async fn lag_is_the_age_of_the_oldest_line_that_was_not_delivered_even_if_the_queue_has_room() {
    const LAG: &str = r#"log_capturer_container_lag_seconds{container_id="a",container_name="name-a"}"#;
    let rig = Rig::new(config());
    rig.engine.start("a");
    let stalled = rig.stall_sink().await;
    let _finished = rig.follow("a", Position::default());
    sleep(Duration::from_secs(1)).await;
    for _ in 0..60 {
        rig.engine.write("a", Stdout, "line");
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(60)).await;
    assert!((119.0..=121.0).contains(&rig.metric(LAG)), "{}", rig.metric(LAG));
    drop(stalled);
    rig.until("all lines", |rig| rig.lines("a").len() == 60).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.metric(LAG), 0.0);
}

#[tokio::test(start_paused = true)]
async fn lines_that_the_engine_dropped_after_they_were_read_are_no_gap_and_are_told() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    for number in 0..30 {
        rig.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(900)).await;
    }
    // Its last lines are of the last seconds, and the log begins in the midst of them.
    rig.engine.drop_lines("a", 29);
    sleep(Duration::from_secs(10)).await;
    rig.engine.write("a", Stdout, "30");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.lines("a"), numbers(0..31));
    let told = ["log_capturer_log_dropped_total", "log_capturer_log_gaps_total"].map(|name| rig.metric(name));
    assert_eq!(told, [1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_nothing_but_repeat_is_not_asked_in_a_circle() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    for number in 0..600 {
        rig.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(50)).await;
        rig.engine.repeat("a", 1 + number % 7);
        sleep(Duration::from_millis(50)).await;
    }
    let asked = rig.asked("/logs?");
    assert!(asked <= 60, "{asked} requests in a minute");
    rig.until("all lines", |rig| rig.lines("a").len() >= 600).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.lines("a"), numbers(0..600));
    assert_eq!(rig.metric("log_capturer_log_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn lines_that_a_new_stream_skipped_and_then_brings_again_are_not_delivered_again() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    for number in 0..10 {
        rig.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_millis(100)).await;
    }
    // Past the rotation, whose successor has seen those lines and nothing new.
    sleep(Duration::from_secs(30)).await;
    assert_eq!(rig.metric("log_capturer_rotations_total"), 1.0);
    rig.engine.repeat("a", 5);
    sleep(Duration::from_secs(1)).await;
    rig.engine.write("a", Stdout, "10");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.lines("a"), numbers(0..11));
    assert_eq!((rig.errors("repeated"), rig.errors("seam_mismatch")), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stalled_does_not_make_the_stream_look_dead() {
    let rig = Rig::new(Config {
        queue_lines: 1,
        ..config()
    });
    rig.engine.start("a");
    let stalled = rig.stall_sink().await;
    let _finished = rig.follow("a", Position::default());
    for number in 0..90 {
        rig.engine.write("a", Stdout, &number.to_string());
        sleep(Duration::from_secs(1)).await;
    }
    drop(stalled);
    rig.until("all lines", |rig| rig.lines("a").len() >= 90).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.lines("a"), numbers(0..90));
    assert_eq!(rig.errors("reader_timeout"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_reads_while_its_successor_is_on_its_way_is_listed_as_rotating() {
    let rig = Rig::new(config());
    rig.engine.start("a");
    let _finished = rig.follow("a", Position::default());
    sleep(Duration::from_secs(1)).await;
    rig.engine.mute("a");
    sleep(Duration::from_secs(30)).await;
    rig.engine.write("a", Stdout, "0");
    rig.until("the line", |rig| rig.lines("a").len() == 1).await;
    assert_eq!(rig.tasks.alive()[0].doing(), crate::task::Doing::Rotating);
}
