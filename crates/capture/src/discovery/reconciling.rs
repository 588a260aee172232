//! Discovery on a scripted engine with a paused clock: nobody is missed, nobody stays behind.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Config;
use crate::frame::Stream::Stdout;
use crate::seam::Position;
use crate::sink::Positions;
use crate::testbed::{Mood, Rig};

fn rig() -> Rig {
    Rig::new(Config {
        rotate_every: Duration::from_secs(30),
        ..Config::default()
    })
}

async fn ready() -> Rig {
    let rig = rig();
    rig.discover(Positions::new());
    rig.until("ready", Rig::is_ready).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn containers_from_before_and_from_after_the_start_are_followed() {
    let rig = rig();
    rig.engine.start("before");
    rig.engine.write("before", Stdout, "0");
    rig.discover(Positions::new());
    rig.until("ready", Rig::is_ready).await;
    rig.engine.start("after");
    rig.engine.write("after", Stdout, "1");
    rig.until("both lines", |rig| {
        rig.lines("before").len() + rig.lines("after").len() == 2
    })
    .await;
    assert_eq!(rig.metric("log_capturer_container_streams_active"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_lives_fifty_milliseconds_is_read_whole() {
    let rig = ready().await;
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "first and last words");
    sleep(Duration::from_millis(50)).await;
    rig.engine.stop("a");
    rig.until("its line", |rig| !rig.lines("a").is_empty()).await;
    rig.until("its task's end", |rig| rig.tasks.alive().len() == 1).await;
    assert_eq!(rig.lines("a"), ["first and last words"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_came_and_went_while_events_were_cut_is_read_all_the_same() {
    let rig = ready().await;
    rig.engine.cut_events();
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "unseen");
    rig.engine.stop("a");
    rig.until("its line", |rig| !rig.lines("a").is_empty()).await;
    assert_eq!(rig.lines("a"), ["unseen"]);
}

#[tokio::test(start_paused = true)]
async fn a_known_container_that_ran_again_while_events_were_cut_is_read_on_from_where_it_was() {
    let rig = ready().await;
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    rig.engine.stop("a");
    rig.until("its task's end", |rig| {
        !rig.lines("a").is_empty() && rig.tasks.alive().len() == 1
    })
    .await;
    rig.engine.cut_events();
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "1");
    rig.engine.stop("a");
    rig.until("the unseen line", |rig| rig.lines("a").len() >= 2).await;
    assert_eq!(rig.lines("a"), ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_thousand_starts_and_stops_the_counts_are_where_they_began() {
    let rig = ready().await;
    rig.until("quiet", |rig| rig.engine.connections() == 1).await;
    for number in 0..1000 {
        let id = format!("c{number}");
        rig.engine.start(&id);
        rig.engine.write(&id, Stdout, "line");
        rig.until("its line", |rig| rig.lines(&id).len() == 1).await;
        rig.engine.stop(&id);
        rig.engine.remove(&id);
    }
    rig.until("quiet again", |rig| {
        rig.tasks.alive().len() == 1 && rig.engine.connections() == 1
    })
    .await;
    rig.until("all forgotten", |rig| rig.forgotten().len() == 1000).await;
    assert!(
        !rig.shared.metrics.encode().contains("container_name=\""),
        "series of containers that are gone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_restarted_at_once_is_followed_again_without_a_line_twice() {
    let rig = ready().await;
    rig.engine.start("a");
    for round in 0..20 {
        rig.engine.write("a", Stdout, &round.to_string());
        rig.engine.stop("a");
        rig.engine.start("a");
    }
    rig.until("all lines", |rig| rig.lines("a").len() >= 20).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        rig.lines("a"),
        (0..20).map(|round| round.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(rig.metric("log_capturer_container_streams_active"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_renamed_container_is_followed_under_its_new_name() {
    let rig = ready().await;
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.rename("a", "new");
    rig.until("the new name", |rig| {
        rig.shared.metrics.encode().contains("container_name=\"new\"")
    })
    .await;
    rig.engine.write("a", Stdout, "1");
    rig.until("the second line", |rig| rig.lines("a").len() == 2).await;
    assert_eq!(rig.lines("a"), ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_comes_back_is_followed_again_within_seconds() {
    let rig = ready().await;
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    rig.until("the first line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.set(Mood::Away);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        rig.metric("log_capturer_component_health{component_type=\"engine\",component_name=\"events\"}"),
        0.0
    );
    rig.engine.write("a", Stdout, "1");
    rig.engine.start("b");
    rig.engine.write("b", Stdout, "2");
    rig.engine.set(Mood::Well);
    let back = tokio::time::Instant::now();
    rig.until("both", |rig| rig.lines("a").len() == 2 && rig.lines("b").len() == 1)
        .await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stopped_containers_of_an_earlier_run_are_read_to_their_end_and_strangers_are_not() {
    let rig = rig();
    for id in ["known", "stranger"] {
        rig.engine.start(id);
        rig.engine.write(id, Stdout, "written while we were away");
        rig.engine.stop(id);
    }
    rig.discover(Positions::from([("known".to_owned(), Position::default())]));
    rig.until("ready", Rig::is_ready).await;
    rig.until("the line", |rig| rig.lines("known").len() == 1).await;
    sleep(Duration::from_secs(120)).await;
    assert!(rig.lines("stranger").is_empty());
}

#[tokio::test(start_paused = true)]
async fn positions_of_containers_that_are_gone_are_forgotten() {
    let rig = rig();
    rig.discover(Positions::from([("gone".to_owned(), Position::default())]));
    rig.until("forgotten", |rig| rig.forgotten() == ["gone"]).await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_ends_everything_at_once_even_if_the_engine_says_nothing() {
    for mood in [Mood::Well, Mood::Stopped, Mood::Away] {
        let rig = rig();
        for number in 0..55 {
            rig.engine.start(&format!("c{number}"));
        }
        rig.discover(Positions::new());
        rig.until("all followed", |rig| {
            rig.metric("log_capturer_container_streams_active") == 55.0
        })
        .await;
        rig.engine.set(mood);
        sleep(Duration::from_secs(45)).await;
        let before = tokio::time::Instant::now();
        rig.cancel.cancel();
        rig.tasks.ended().await;
        assert_eq!(before.elapsed(), Duration::ZERO, "{mood:?}");
        rig.until("no connection", |rig| rig.engine.connections() == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_of_what_was_over_before_the_daemon_began_is_not_read_even_after_events_were_cut() {
    let rig = rig();
    rig.engine.start("stranger");
    rig.engine.write("stranger", Stdout, "old");
    rig.engine.stop("stranger");
    sleep(Duration::from_secs(1)).await;
    rig.discover(Positions::new());
    rig.until("ready", Rig::is_ready).await;
    rig.engine.cut_events();
    sleep(Duration::from_secs(600)).await;
    assert!(rig.lines("stranger").is_empty(), "{:?}", rig.lines("stranger"));
    // What it says when it runs again is new.
    rig.engine.start("stranger");
    rig.engine.write("stranger", Stdout, "new");
    rig.until("the new line", |rig| !rig.lines("stranger").is_empty()).await;
    assert_eq!(rig.lines("stranger"), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn one_cut_is_made_up_for_once_and_ten_quiet_minutes_after_it_ask_for_no_log() {
    let rig = ready().await;
    for number in 0..5 {
        let id = format!("c{number}");
        rig.engine.start(&id);
        rig.engine.write(&id, Stdout, "line");
        rig.engine.stop(&id);
    }
    rig.until("all are read", |rig| {
        (0..5).all(|n| rig.lines(&format!("c{n}")).len() == 1)
    })
    .await;
    rig.engine.cut_events();
    sleep(Duration::from_secs(90)).await;
    let logs = rig.asked("/logs?");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(rig.asked("/logs?") - logs, 0);
    assert!(rig.asked("/events?") >= 10, "silent events are asked for anew");
}

#[tokio::test(start_paused = true)]
async fn lists_that_fail_are_asked_for_one_at_a_time_however_often_events_are_cut() {
    let rig = ready().await;
    rig.engine.set(Mood::FailingLists);
    for _ in 0..30 {
        rig.engine.cut_events();
        sleep(Duration::from_secs(10)).await;
        let lists = rig.tasks.alive().len() - 1;
        assert!(lists <= 1, "{lists} lists at one time");
    }
    let lists = rig.asked("/containers/json");
    sleep(Duration::from_secs(60)).await;
    let asked = rig.asked("/containers/json") - lists;
    assert!((20..=31).contains(&asked), "every two seconds: {asked} in a minute");
    rig.engine.set(Mood::Well);
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "line");
    rig.until("its line", |rig| rig.lines("a").len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn events_that_break_at_once_are_tried_ever_less_often() {
    let rig = ready().await;
    let before = rig.asked("/events?");
    for _ in 0..6_000 {
        rig.engine.cut_events();
        sleep(Duration::from_millis(10)).await;
    }
    // A minute of pauses of 1 to 3 s, and the first short ones.
    let asked = rig.asked("/events?") - before;
    assert!(asked <= 70, "{asked} subscriptions in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_is_read_once_and_looked_at_once_more_and_that_is_all() {
    let rig = ready().await;
    rig.engine.start("a");
    // Long enough for the list to have shown it while it was followed.
    sleep(Duration::from_secs(95)).await;
    let before = rig.asked("/a/logs?");
    rig.engine.stop("a");
    let ended = tokio::time::Instant::now();
    rig.until("its task's end", |rig| rig.tasks.alive().len() == 1).await;
    assert!(ended.elapsed() <= Duration::from_millis(20), "{:?}", ended.elapsed());
    sleep(Duration::from_secs(100)).await;
    assert_eq!(rig.asked("/a/logs?") - before, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_stalled_sink_cannot_be_told_of_is_told_later() {
    let rig = ready().await;
    let stalled = rig.stall_sink().await;
    for number in 0..11_000 {
        let id = format!("c{number}");
        rig.engine.start(&id);
        rig.engine.stop(&id);
        rig.engine.remove(&id);
        if number % 100 == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }
    sleep(Duration::from_secs(60)).await;
    drop(stalled);
    rig.until("all are told", |rig| rig.forgotten().len() == 11_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_refused_for_a_while_is_read_on_from_where_it_was_also_if_its_container_died_meanwhile() {
    let rig = ready().await;
    rig.engine.start("a");
    rig.engine.write("a", Stdout, "0");
    rig.until("its line", |rig| rig.lines("a").len() == 1).await;
    rig.engine.set(Mood::Refusing);
    rig.engine.write("a", Stdout, "1");
    rig.engine.stop("a");
    rig.until("a refusal", |rig| rig.errors("status") >= 1.0).await;
    rig.engine.set(Mood::Well);
    rig.until("the rest", |rig| rig.tasks.alive().len() == 1).await;
    // Two lists later nothing has come twice.
    sleep(Duration::from_secs(70)).await;
    assert_eq!(rig.lines("a"), ["0", "1"]);
}
