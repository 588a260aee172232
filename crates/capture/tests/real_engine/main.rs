//! The capture daemon against a real Docker engine. Without one these tests are skipped, and say so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: a surprise is a failure, and a skipped test says so"
)]

mod breaking;
mod cage;
mod churn;
mod daemon;
mod dropped;
mod ledger;
mod private;
mod soak;

use breaking::BreakingWire;
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
    daemon.assert_no_errors();
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
    for (lines, fsync) in [
        (300.0, "never"),
        (700.0, "always"),
        (500.0, "every-second"),
        (500.0, "always"),
    ] {
        let options = ["--rotate-bytes", "200000", "--fsync", fsync];
        let daemon = Daemon::start(&cage, &[&EVERY_HALF_SECOND[..], &options].concat());
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
fn long_lines_of_a_terminal_with_a_character_across_each_cut_arrive_as_the_engine_kept_them() {
    let Some(cage) = Cage::open("wide") else {
        return;
    };
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    let name = cage.speak("wide", &["-t"], &["wide"]);
    until("all of it", || daemon.metric("log_capturer_lines_total", "") >= 3.0);
    until("it is left", || daemon.streams() == 0.0);
    daemon.assert_no_errors();
    daemon.stop();
    let lines = &delivered(&cage.output())[&(name, "stdout".to_owned())];
    // json-file cannot keep half a character: each of three cuts leaves one U+FFFD on either side.
    let half = |count: usize| "ä".repeat(count);
    let text = format!(
        "x{}\u{fffd}\u{fffd}{}\u{fffd}\u{fffd}{}\u{fffd}\u{fffd}{}",
        half(8191),
        half(8191),
        half(8191),
        half(424)
    );
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(line["line"] == text.as_str(), "{}", line["line"].to_string().len());
        assert_eq!((&line["pieces"], line.get("partial")), (&4.into(), None));
    }
}

#[test]
fn only_those_are_followed_whose_names_are_included_and_not_excluded() {
    let Some(cage) = Cage::open("names") else {
        return;
    };
    let early = cage.speak("web-1", &[], &["lines", "20", "100000", "100", "0"]);
    cage.speak("web-2-debug", &[], &["lines", "20", "100000", "100", "0"]);
    let options = ["--include", "*-web-*", "--exclude", "*-debug"];
    let daemon = Daemon::start(&cage, &[&EVERY_HALF_SECOND[..], &options].concat());
    // Found by event rather than by the first list.
    cage.speak("db-1", &[], &["brief"]);
    cage.speak("web-3-debug", &[], &["brief"]);
    let late = cage.speak("web-4", &[], &["brief"]);
    until("both speak", || {
        let all = delivered(&cage.output());
        [&early, &late]
            .iter()
            .all(|name| all.contains_key(&((*name).clone(), "stdout".to_owned())))
    });
    cage.silence();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    let heard: std::collections::BTreeSet<_> = delivered(&cage.output()).into_keys().map(|(name, _)| name).collect();
    assert_eq!(heard, [early.clone(), late.clone()].into());
    assert_complete(&cage, &[early, late]);
}

#[test]
fn events_that_are_cut_alone_and_streams_that_fall_silent_cost_no_line() {
    let Some(cage) = Cage::open("breaking") else {
        return;
    };
    let wire = BreakingWire::open(cage.folder.path());
    let mut names: Vec<String> = (0..3)
        .map(|n| cage.speak(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let host = wire.host();
    let options = [
        "--docker-host",
        &host,
        "--rotate-every",
        "1h",
        "--read-timeout",
        "2s",
        "--relist-every",
        "1s",
    ];
    let daemon = Daemon::start(&cage, &options);
    until("some lines", || daemon.metric("log_capturer_lines_total", "") >= 100.0);
    for number in 0..3 {
        wire.cut_events();
        // It comes, and may go, before the next subscription.
        names.push(cage.speak(&format!("unseen{number}"), &[], &["brief"]));
    }
    until("the unseen ones are read", || {
        let all = delivered(&cage.output());
        names
            .iter()
            .all(|name| all.contains_key(&(name.clone(), "stdout".to_owned())))
    });
    assert_eq!(daemon.metric("log_capturer_component_health", "\"events\""), 1.0);

    // Half-open: every connection stays, and nothing comes any more.
    let opened = daemon.metric("log_capturer_streams_opened_total", "");
    wire.silence();
    until("their streams are replaced", || {
        daemon.metric("log_capturer_streams_opened_total", "") >= opened + 3.0
    });
    until("it is known that they had died", || {
        daemon.metric("log_capturer_stream_errors_total", "\"reader_timeout\"") >= 3.0
    });
    cage.silence();
    until("all are read to the end", || {
        daemon.get("/debug/tasks").matches("\"follower\"").count() == 0
    });
    daemon.stop();
    assert_complete(&cage, &names);
}

#[test]
fn brief_lives_are_read_unreadable_ones_are_named_once_and_who_opted_out_is_left_alone() {
    let Some(cage) = Cage::open("brief") else {
        return;
    };
    let daemon = Daemon::start(&cage, &EVERY_HALF_SECOND);
    cage.speak("mute", &["--log-driver", "none"], &["lines", "10", "100000", "50", "0"]);
    let private = ["--label", "leakcheck.capture=false"];
    let left_alone = cage.speak("private", &private, &["brief"]);
    let names: Vec<String> = (0..8)
        .map(|number| cage.speak(&format!("brief{number}"), &[], &["brief"]))
        .collect();
    until("all words", || daemon.metric("log_capturer_lines_total", "") >= 8.0);
    until("no stream is left", || daemon.streams() == 0.0);
    assert_eq!(daemon.metric("log_capturer_stream_errors_total", "\"unreadable\""), 1.0);
    daemon.stop();
    assert_complete(&cage, &names);
    assert_eq!(cage.lines_kept(&left_alone), [1, 0]);
    assert!(!delivered(&cage.output()).contains_key(&(left_alone, "stdout".to_owned())));
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
fn an_engine_that_restarts_costs_no_line() {
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
    daemon.stop();
    assert_complete(&cage, &names);
}
