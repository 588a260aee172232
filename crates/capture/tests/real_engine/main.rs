//! The capture daemon against a real Docker engine. Without one these tests are skipped, and say so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: a surprise is a failure, and a skipped test says so"
)]

mod cage;
mod daemon;
mod ledger;
mod private;

use std::time::Duration;

use cage::{Cage, until};
use daemon::Daemon;
use ledger::{assert_complete, delivered};
use private::PrivateEngine;

const EVERY_HALF_SECOND: [&str; 2] = ["--rotate-every", "500ms"];

#[test]
#[ignore = "the other tests run it, as a process of its own"]
fn the_daemon_itself() {
    daemon::run_as_daemon().unwrap();
}

#[test]
fn every_line_comes_once_and_in_order_through_two_rotations_a_second() {
    let Some(cage) = Cage::open("rotations") else {
        return;
    };
    let mut names = Vec::new();
    for number in 0..4 {
        names.push(cage.speak(&format!("noisy{number}"), &[], &["lines", "50", "100000", "200", "20"]));
    }
    names.push(cage.speak("long", &[], &["lines", "5", "100000", "70000", "30"]));
    names.push(cage.speak("terminal", &["-t"], &["lines", "20", "100000", "100", "0"]));
    let idle = cage.speak("idle", &[], &["idle"]);
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    until("eight rotations of each", || {
        daemon.metric("log_capturer_rotations_total", "") >= 8.0 * 7.0
    });
    assert_eq!(daemon.streams(), 7.0);
    assert!(daemon.metric("log_capturer_container_stream_rotations_total", &idle) >= 7.0);
    let idle_fds = daemon.fds() - 7;
    cage.silence();
    until("no stream is open", || daemon.streams() == 0.0);
    until("their descriptors are closed", || daemon.fds() <= idle_fds);
    assert_eq!(daemon.metric("log_capturer_stream_errors_total", ""), 0.0);
    daemon.stop();
    assert_complete(&cage, &names);
}

#[test]
fn a_killed_daemon_resumes_behind_its_last_record() {
    let Some(cage) = Cage::open("killed") else {
        return;
    };
    let mut names = vec![cage.speak("long", &[], &["lines", "5", "100000", "40000", "30"])];
    for number in 0..3 {
        names.push(cage.speak(&format!("noisy{number}"), &[], &["lines", "300", "100000", "150", "20"]));
    }
    for lines in [300.0, 700.0, 500.0] {
        let daemon = Daemon::start(&cage, &[&EVERY_HALF_SECOND[..], &["--rotate-bytes", "200000"]].concat());
        until("some lines", || daemon.metric("log_capturer_lines_total", "") >= lines);
        daemon.kill();
    }
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    until("all are followed", || daemon.streams() == 4.0);
    cage.silence();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    assert_complete(&cage, &names);
}

#[test]
fn what_is_hard_to_carry_arrives_as_it_was_said() {
    let Some(cage) = Cage::open("odd") else {
        return;
    };
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    // The local driver keeps bytes as they are; json-file itself puts U+FFFD for those that are no UTF-8.
    let name = cage.speak("odd", &["--log-driver", "local"], &["odd"]);
    until("all of it", || daemon.metric("log_capturer_lines_total", "") >= 6.0);
    daemon.stop();
    let all = delivered(&cage.output());
    let lines = &all[&(name, "stdout".to_owned())];
    let text: Vec<&str> = lines.iter().map(|line| line["line"].as_str().unwrap()).collect();
    assert!(
        text[0] == format!("{}äö", "x".repeat(16 * 1024 - 1)),
        "a character cut by the engine"
    );
    assert_eq!(text[1], "binary \u{fffd}\u{0}\u{1} end");
    assert_eq!(text[2], "quote \" backslash \\ tab \t");
    assert_eq!(
        (text[3], text[4].len(), text[5]),
        ("", 1024 * 1024, "no newline at the end")
    );
    assert_eq!(lines[4]["pieces"], 65);
    assert_eq!(text.len(), 6);
}

#[test]
fn brief_lives_are_read_and_unreadable_ones_are_named_once() {
    let Some(cage) = Cage::open("brief") else {
        return;
    };
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    cage.speak("mute", &["--log-driver", "none"], &["lines", "10", "100000", "50", "0"]);
    let names: Vec<String> = (0..8)
        .map(|number| cage.speak(&format!("brief{number}"), &[], &["brief"]))
        .collect();
    until("all words", || daemon.metric("log_capturer_lines_total", "") >= 8.0);
    until("no stream is left", || daemon.streams() == 0.0);
    assert_eq!(daemon.metric("log_capturer_stream_errors_total", "\"unreadable\""), 1.0);
    daemon.stop();
    assert_complete(&cage, &names);
}

#[test]
fn more_containers_than_slots_take_turns_and_lose_nothing() {
    let Some(cage) = Cage::open("turns") else {
        return;
    };
    let names: Vec<String> = (0..6)
        .map(|n| cage.speak(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let daemon = Daemon::start(&cage, &["--rotate-every", "300ms", "--streams", "2"]);
    until("every one had its turn twice", || {
        daemon.metric("log_capturer_streams_opened_total", "") >= 12.0
    });
    assert!(daemon.streams() <= 2.0);
    assert!(daemon.metric("log_capturer_pool_waiting", "") >= 3.0);
    cage.silence();
    until("all are read to the end", || {
        daemon.get("/debug/tasks").matches("\"follower\"").count() == 0
    });
    daemon.stop();
    assert_complete(&cage, &names);
}

#[test]
fn an_engine_that_restarts_costs_no_line_and_one_that_freezes_does_not_hold_the_shut_down() {
    let Some(mut engine) = PrivateEngine::start() else {
        return;
    };
    let cage = Cage::on(Some(engine.host()), "restarts");
    let mut names: Vec<String> = (0..3)
        .map(|n| cage.speak(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    until("some lines", || daemon.metric("log_capturer_lines_total", "") >= 100.0);
    for _ in 0..2 {
        engine.down();
        until("it notices", || {
            daemon.metric("log_capturer_component_health", "events") == 0.0
        });
        engine.up();
        until("all are followed again", || daemon.streams() == 3.0);
    }
    names.push(cage.speak("young", &[], &["lines", "50", "100000", "120", "10"]));
    until("the young one too", || daemon.streams() == 4.0);
    cage.silence();
    until("all are read to the end", || daemon.streams() == 0.0);
    assert_complete(&cage, &names);

    for number in 0..10 {
        cage.speak(&format!("hung{number}"), &[], &["lines", "20", "100000", "120", "10"]);
    }
    until("ten streams", || daemon.streams() == 10.0);
    engine.freeze();
    // Long enough for rotations to be under way against the frozen engine.
    std::thread::sleep(Duration::from_secs(2));
    let took = daemon.stop();
    engine.thaw();
    assert!(took < Duration::from_secs(3), "{took:?}");
}
