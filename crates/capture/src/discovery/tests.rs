//! Discovery on a scripted engine with a paused clock.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Config;
use crate::frame::Stream::Stdout;
use crate::resume::Position;
use crate::sink::positions::Positions;
use crate::test_support::{EngineBehavior, Harness};

fn harness() -> Harness {
    Harness::new(Config {
        rotate_every: Duration::from_secs(30),
        ..Config::default()
    })
}

async fn ready() -> Harness {
    let harness = harness();
    harness.discover(Positions::new());
    harness.until("ready", Harness::is_ready).await;
    harness
}

#[tokio::test(start_paused = true)]
async fn containers_from_before_and_from_after_the_start_are_followed() {
    let harness = harness();
    harness.engine.start("before");
    harness.engine.write("before", Stdout, "0");
    harness.discover(Positions::new());
    harness.until("ready", Harness::is_ready).await;
    harness.engine.start("after");
    harness.engine.write("after", Stdout, "1");
    harness
        .until("both lines", |harness| {
            harness.lines("before").len() + harness.lines("after").len() == 2
        })
        .await;
    assert_eq!(harness.metric("log_capturer_container_streams_active"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_runs_for_fifty_milliseconds_is_read_completely() {
    let harness = ready().await;
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "only line");
    sleep(Duration::from_millis(50)).await;
    harness.engine.stop("a");
    harness
        .until("its line", |harness| !harness.lines("a").is_empty())
        .await;
    harness
        .until("its task's end", |harness| harness.tasks.alive().len() == 1)
        .await;
    assert_eq!(harness.lines("a"), ["only line"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ran_while_events_were_lost_is_read() {
    let harness = ready().await;
    harness.engine.cut_events();
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "unseen");
    harness.engine.stop("a");
    harness
        .until("its line", |harness| !harness.lines("a").is_empty())
        .await;
    assert_eq!(harness.lines("a"), ["unseen"]);
}

#[tokio::test(start_paused = true)]
async fn a_known_container_that_ran_while_events_were_lost_is_resumed() {
    let harness = ready().await;
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    harness.engine.stop("a");
    harness
        .until("its task's end", |harness| {
            !harness.lines("a").is_empty() && harness.tasks.alive().len() == 1
        })
        .await;
    harness.engine.cut_events();
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "1");
    harness.engine.stop("a");
    harness
        .until("the unseen line", |harness| harness.lines("a").len() >= 2)
        .await;
    assert_eq!(harness.lines("a"), ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_containers_leave_no_task_connection_or_series() {
    let harness = ready().await;
    harness
        .until("quiet", |harness| harness.engine.connections() == 1)
        .await;
    for number in 0..1000 {
        let id = format!("c{number}");
        harness.engine.start(&id);
        harness.engine.write(&id, Stdout, "line");
        harness.until("its line", |harness| harness.lines(&id).len() == 1).await;
        harness.engine.stop(&id);
        harness.engine.remove(&id);
    }
    harness
        .until("quiet again", |harness| {
            harness.tasks.alive().len() == 1 && harness.engine.connections() == 1
        })
        .await;
    harness
        .until("all forgotten", |harness| harness.forgotten().len() == 1000)
        .await;
    assert!(
        !harness.shared.metrics.encode().contains("container_name=\""),
        "series of containers that are gone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restarted_container_is_followed_again_without_repeated_lines() {
    let harness = ready().await;
    harness.engine.start("a");
    for round in 0..20 {
        harness.engine.write("a", Stdout, &round.to_string());
        harness.engine.stop("a");
        harness.engine.start("a");
    }
    harness
        .until("all lines", |harness| harness.lines("a").len() >= 20)
        .await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        harness.lines("a"),
        (0..20).map(|round| round.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(harness.metric("log_capturer_container_streams_active"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_renamed_container_is_followed_under_its_new_name() {
    let harness = ready().await;
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.rename("a", "new");
    harness
        .until("the new name", |harness| {
            harness.shared.metrics.encode().contains("container_name=\"new\"")
        })
        .await;
    harness.engine.write("a", Stdout, "1");
    harness
        .until("the second line", |harness| harness.lines("a").len() == 2)
        .await;
    assert_eq!(harness.lines("a"), ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn containers_are_followed_again_within_seconds_of_the_engines_return() {
    let harness = ready().await;
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    harness
        .until("the first line", |harness| harness.lines("a").len() == 1)
        .await;
    harness.engine.set(EngineBehavior::NotListening);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        harness.metric("log_capturer_component_health{component_type=\"engine\",component_name=\"events\"}"),
        0.0
    );
    harness.engine.write("a", Stdout, "1");
    harness.engine.start("b");
    harness.engine.write("b", Stdout, "2");
    harness.engine.set(EngineBehavior::Normal);
    let back = tokio::time::Instant::now();
    harness
        .until("both", |harness| {
            harness.lines("a").len() == 2 && harness.lines("b").len() == 1
        })
        .await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_stopped_containers_of_an_earlier_run_are_read() {
    let harness = harness();
    for id in ["known", "unknown"] {
        harness.engine.start(id);
        harness.engine.write(id, Stdout, "written before the start");
        harness.engine.stop(id);
    }
    harness.discover(Positions::from([("known".to_owned(), Position::default())]));
    harness.until("ready", Harness::is_ready).await;
    harness
        .until("the line", |harness| harness.lines("known").len() == 1)
        .await;
    sleep(Duration::from_secs(120)).await;
    assert!(harness.lines("unknown").is_empty());
}

#[tokio::test(start_paused = true)]
async fn positions_of_removed_containers_are_dropped() {
    let harness = harness();
    harness.discover(Positions::from([("gone".to_owned(), Position::default())]));
    harness
        .until("forgotten", |harness| harness.forgotten() == ["gone"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_all_tasks_at_once_even_if_the_engine_hangs() {
    for behavior in [
        EngineBehavior::Normal,
        EngineBehavior::Hanging,
        EngineBehavior::NotListening,
    ] {
        let harness = harness();
        for number in 0..55 {
            harness.engine.start(&format!("c{number}"));
        }
        harness.discover(Positions::new());
        harness
            .until("all followed", |harness| {
                harness.metric("log_capturer_container_streams_active") == 55.0
            })
            .await;
        harness.engine.set(behavior);
        sleep(Duration::from_secs(45)).await;
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
async fn a_container_that_stopped_before_the_daemon_started_is_not_read_even_after_lost_events() {
    let harness = harness();
    harness.engine.start("unknown");
    harness.engine.write("unknown", Stdout, "old");
    harness.engine.stop("unknown");
    sleep(Duration::from_secs(1)).await;
    harness.discover(Positions::new());
    harness.until("ready", Harness::is_ready).await;
    harness.engine.cut_events();
    sleep(Duration::from_secs(600)).await;
    assert!(harness.lines("unknown").is_empty(), "{:?}", harness.lines("unknown"));
    // Lines of a later run are new.
    harness.engine.start("unknown");
    harness.engine.write("unknown", Stdout, "new");
    harness
        .until("the new line", |harness| !harness.lines("unknown").is_empty())
        .await;
    assert_eq!(harness.lines("unknown"), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn one_interruption_is_reconciled_once_and_causes_no_later_log_requests() {
    let harness = ready().await;
    for number in 0..5 {
        let id = format!("c{number}");
        harness.engine.start(&id);
        harness.engine.write(&id, Stdout, "line");
        harness.engine.stop(&id);
    }
    harness
        .until("all are read", |harness| {
            (0..5).all(|n| harness.lines(&format!("c{n}")).len() == 1)
        })
        .await;
    harness.engine.cut_events();
    sleep(Duration::from_secs(90)).await;
    let logs = harness.request_count("/logs?");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(harness.request_count("/logs?") - logs, 0);
    assert!(
        harness.request_count("/events?") >= 10,
        "silent events are asked for anew"
    );
}

#[tokio::test(start_paused = true)]
async fn failing_lists_are_requested_one_at_a_time() {
    let harness = ready().await;
    harness.engine.set(EngineBehavior::ListsFail);
    for _ in 0..30 {
        harness.engine.cut_events();
        sleep(Duration::from_secs(10)).await;
        let lists = harness.tasks.alive().len() - 1;
        assert!(lists <= 1, "{lists} lists at one time");
    }
    let lists = harness.request_count("/containers/json");
    sleep(Duration::from_secs(60)).await;
    let asked = harness.request_count("/containers/json") - lists;
    assert!((20..=31).contains(&asked), "every two seconds: {asked} in a minute");
    harness.engine.set(EngineBehavior::Normal);
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "line");
    harness.until("its line", |harness| harness.lines("a").len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn subscriptions_that_break_at_once_are_repeated_less_and_less_often() {
    let harness = ready().await;
    let before = harness.request_count("/events?");
    for _ in 0..6_000 {
        harness.engine.cut_events();
        sleep(Duration::from_millis(10)).await;
    }
    // A minute of pauses of 1 to 3 s, and the first short ones.
    let asked = harness.request_count("/events?") - before;
    assert!(asked <= 70, "{asked} subscriptions in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_container_is_read_once_more_and_not_again() {
    let harness = ready().await;
    harness.engine.start("a");
    // Long enough for the list to have shown it while it was followed.
    sleep(Duration::from_secs(95)).await;
    let before = harness.request_count("/a/logs?");
    harness.engine.stop("a");
    let ended = tokio::time::Instant::now();
    harness
        .until("its task's end", |harness| harness.tasks.alive().len() == 1)
        .await;
    assert!(ended.elapsed() <= Duration::from_millis(20), "{:?}", ended.elapsed());
    sleep(Duration::from_secs(100)).await;
    assert_eq!(harness.request_count("/a/logs?") - before, 1);
}

#[tokio::test(start_paused = true)]
async fn removals_during_a_stalled_sink_are_queued_later() {
    let harness = ready().await;
    let stalled = harness.stall_sink().await;
    for number in 0..11_000 {
        let id = format!("c{number}");
        harness.engine.start(&id);
        harness.engine.stop(&id);
        harness.engine.remove(&id);
        if number % 100 == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }
    sleep(Duration::from_secs(60)).await;
    drop(stalled);
    harness
        .until("all removals", |harness| harness.forgotten().len() == 11_000)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_temporarily_refused_log_is_resumed_even_if_its_container_stopped() {
    let harness = ready().await;
    harness.engine.start("a");
    harness.engine.write("a", Stdout, "0");
    harness.until("its line", |harness| harness.lines("a").len() == 1).await;
    harness.engine.set(EngineBehavior::LogsRefused);
    harness.engine.write("a", Stdout, "1");
    harness.engine.stop("a");
    harness
        .until("a refusal", |harness| harness.errors("status") >= 1.0)
        .await;
    harness.engine.set(EngineBehavior::Normal);
    harness
        .until("the rest", |harness| harness.tasks.alive().len() == 1)
        .await;
    // Two lists later nothing has come twice.
    sleep(Duration::from_secs(70)).await;
    assert_eq!(harness.lines("a"), ["0", "1"]);
}
