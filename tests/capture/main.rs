//! The capture daemon against a real Docker engine. Without one, these tests are skipped with a message.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: an unexpected value is a failure, and a skipped test prints a message"
)]

mod churn;
mod daemon;
mod delivered;
mod dropped;
mod faulty_socket;
mod harness;
mod private_engine;
mod soak;

use daemon::Daemon;
use delivered::{assert_complete, delivered};
use faulty_socket::FaultySocket;
use harness::{Harness, until};
use private_engine::PrivateEngine;

const EVERY_HALF_SECOND: [&str; 2] = ["--rotate-every", "500ms"];

#[test]
#[ignore = "the other tests run it, as a process of its own"]
fn the_daemon_itself() {
    daemon::run_as_daemon().unwrap();
}

#[test]
fn each_line_is_delivered_once_and_in_order_at_two_rotations_a_second() {
    let Some(harness) = Harness::open("rotations") else {
        return;
    };
    let mut names = Vec::new();
    for number in 0..4 {
        names.push(harness.start_writer(&format!("noisy{number}"), &[], &["lines", "50", "100000", "200", "20"]));
    }
    names.push(harness.start_writer("long", &[], &["lines", "5", "100000", "70000", "30"]));
    names.push(harness.start_writer("terminal", &["-t"], &["lines", "20", "100000", "100", "0"]));
    let idle = harness.start_writer("idle", &[], &["idle"]);
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    until("eight rotations of each", || {
        daemon.metric("log_capturer_rotations_total", "") >= 8.0 * 7.0
    });
    assert_eq!(daemon.streams(), 7.0);
    assert!(daemon.metric("log_capturer_container_stream_rotations_total", &idle) >= 7.0);
    let idle_fds = daemon.fds() - 7;
    harness.kill_writers();
    until("no stream is open", || daemon.streams() == 0.0);
    until("their descriptors are closed", || daemon.fds() <= idle_fds);
    daemon.assert_no_errors();
    daemon.stop();
    assert_complete(&harness, &names);
}

#[test]
fn a_killed_daemon_resumes_behind_its_last_record() {
    let Some(harness) = Harness::open("killed") else {
        return;
    };
    let mut names = vec![harness.start_writer("long", &[], &["lines", "5", "100000", "40000", "30"])];
    for number in 0..3 {
        names.push(harness.start_writer(&format!("noisy{number}"), &[], &["lines", "300", "100000", "150", "20"]));
    }
    for (lines, fsync) in [
        (300.0, "never"),
        (700.0, "always"),
        (500.0, "every-second"),
        (500.0, "always"),
    ] {
        let options = ["--rotate-bytes", "200000", "--fsync", fsync];
        let daemon = Daemon::start(&harness, &[&EVERY_HALF_SECOND[..], &options].concat());
        until("some lines", || daemon.metric("log_capturer_lines_total", "") >= lines);
        daemon.kill();
    }
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    until("all are followed", || daemon.streams() == 4.0);
    harness.kill_writers();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    assert_complete(&harness, &names);
}

#[test]
fn unusual_lines_are_delivered_exactly() {
    let Some(harness) = Harness::open("odd") else {
        return;
    };
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    // The local driver keeps all bytes; json-file replaces invalid UTF-8 with U+FFFD.
    let name = harness.start_writer("odd", &["--log-driver", "local"], &["odd"]);
    until("all of it", || daemon.metric("log_capturer_lines_total", "") >= 6.0);
    daemon.stop();
    let all = delivered(&harness.output());
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
fn long_terminal_lines_with_characters_across_the_cuts_are_delivered_as_the_engine_logged_them() {
    let Some(harness) = Harness::open("wide") else {
        return;
    };
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    let name = harness.start_writer("wide", &["-t"], &["wide"]);
    until("all of it", || daemon.metric("log_capturer_lines_total", "") >= 3.0);
    until("its stream has ended", || daemon.streams() == 0.0);
    daemon.assert_no_errors();
    daemon.stop();
    let lines = &delivered(&harness.output())[&(name, "stdout".to_owned())];
    // json-file replaces each half of a cut character with U+FFFD.
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
fn only_containers_with_included_and_not_excluded_names_are_followed() {
    let Some(harness) = Harness::open("names") else {
        return;
    };
    let early = harness.start_writer("web-1", &[], &["lines", "20", "100000", "100", "0"]);
    harness.start_writer("web-2-debug", &[], &["lines", "20", "100000", "100", "0"]);
    let options = ["--include", "*-web-*", "--exclude", "*-debug"];
    let daemon = Daemon::start(&harness, &[&EVERY_HALF_SECOND[..], &options].concat());
    // Found by event and not by the first list.
    harness.start_writer("db-1", &[], &["brief"]);
    harness.start_writer("web-3-debug", &[], &["brief"]);
    let late = harness.start_writer("web-4", &[], &["brief"]);
    until("lines of both", || {
        let all = delivered(&harness.output());
        [&early, &late]
            .iter()
            .all(|name| all.contains_key(&((*name).clone(), "stdout".to_owned())))
    });
    harness.kill_writers();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    let followed: std::collections::BTreeSet<_> =
        delivered(&harness.output()).into_keys().map(|(name, _)| name).collect();
    assert_eq!(followed, [early.clone(), late.clone()].into());
    assert_complete(&harness, &[early, late]);
}

#[test]
fn broken_event_streams_and_silent_streams_lose_no_line() {
    let Some(harness) = Harness::open("breaking") else {
        return;
    };
    let socket = FaultySocket::open(harness.folder.path());
    let mut names: Vec<String> = (0..3)
        .map(|n| harness.start_writer(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let host = socket.host();
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
    let daemon = Daemon::start(&harness, &options);
    until("some lines", || daemon.metric("log_capturer_lines_total", "") >= 100.0);
    for number in 0..3 {
        socket.cut_events();
        // It may start and stop before the next subscription.
        names.push(harness.start_writer(&format!("unseen{number}"), &[], &["brief"]));
    }
    until("the unseen ones are read", || {
        let all = delivered(&harness.output());
        names
            .iter()
            .all(|name| all.contains_key(&(name.clone(), "stdout".to_owned())))
    });
    assert_eq!(daemon.metric("log_capturer_component_health", "\"events\""), 1.0);

    // Half-open connections: they stay, and send nothing any more.
    let opened = daemon.metric("log_capturer_streams_opened_total", "");
    socket.silence();
    until("their streams are replaced", || {
        daemon.metric("log_capturer_streams_opened_total", "") >= opened + 3.0
    });
    until("dead streams are reported", || {
        daemon.metric("log_capturer_stream_errors_total", "\"reader_timeout\"") >= 3.0
    });
    harness.kill_writers();
    until("all are read to the end", || {
        daemon.get("/debug/tasks").matches("\"follower\"").count() == 0
    });
    daemon.stop();
    assert_complete(&harness, &names);
}

#[test]
fn brief_containers_are_read_unreadable_ones_reported_once_and_opted_out_ones_ignored() {
    let Some(harness) = Harness::open("brief") else {
        return;
    };
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    harness.start_writer("mute", &["--log-driver", "none"], &["lines", "10", "100000", "50", "0"]);
    let private = ["--label", "leakcheck.capture=false"];
    let ignored = harness.start_writer("private", &private, &["brief"]);
    let names: Vec<String> = (0..8)
        .map(|number| harness.start_writer(&format!("brief{number}"), &[], &["brief"]))
        .collect();
    until("all lines", || daemon.metric("log_capturer_lines_total", "") >= 8.0);
    until("no stream is left", || daemon.streams() == 0.0);
    assert_eq!(daemon.metric("log_capturer_stream_errors_total", "\"unreadable\""), 1.0);
    daemon.stop();
    assert_complete(&harness, &names);
    assert_eq!(harness.logged_lines(&ignored), [1, 0]);
    assert!(!delivered(&harness.output()).contains_key(&(ignored, "stdout".to_owned())));
}

#[test]
fn containers_share_fewer_slots_without_loss() {
    let Some(harness) = Harness::open("turns") else {
        return;
    };
    let names: Vec<String> = (0..6)
        .map(|n| harness.start_writer(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let daemon = Daemon::start(&harness, &["--rotate-every", "300ms", "--streams", "2"]);
    until("two turns of each", || {
        daemon.metric("log_capturer_streams_opened_total", "") >= 12.0
    });
    assert!(daemon.streams() <= 2.0);
    assert!(daemon.metric("log_capturer_pool_waiting", "") >= 3.0);
    harness.kill_writers();
    until("all are read to the end", || {
        daemon.get("/debug/tasks").matches("\"follower\"").count() == 0
    });
    daemon.stop();
    assert_complete(&harness, &names);
}

#[test]
fn a_restart_of_the_engine_loses_no_line() {
    let Some(mut engine) = PrivateEngine::start() else {
        return;
    };
    let harness = Harness::on(Some(engine.host()), "restarts");
    let mut names: Vec<String> = (0..3)
        .map(|n| harness.start_writer(&format!("n{n}"), &[], &["lines", "50", "100000", "120", "10"]))
        .collect();
    let daemon = Daemon::start(&harness, &EVERY_HALF_SECOND);
    until("some lines", || daemon.metric("log_capturer_lines_total", "") >= 100.0);
    for _ in 0..2 {
        engine.down();
        until("the interruption is noticed", || {
            daemon.metric("log_capturer_component_health", "events") == 0.0
        });
        engine.up();
        until("all are followed again", || daemon.streams() == 3.0);
    }
    names.push(harness.start_writer("new", &[], &["lines", "50", "100000", "120", "10"]));
    until("the new one too", || daemon.streams() == 4.0);
    harness.kill_writers();
    until("all are read to the end", || daemon.streams() == 0.0);
    daemon.stop();
    assert_complete(&harness, &names);
}
