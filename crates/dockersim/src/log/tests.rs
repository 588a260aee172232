//! Tests of the bounds and the readers of a log.

use super::*;
use crate::container::Container;

const BOTH: Select = Select {
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    timestamps: false,
    details: None,
    tail: None,
    raw: true,
    unchunked: false,
};

fn container(retention: Retention, budget: &Arc<Budget>) -> Arc<Container> {
    Arc::new(Container::for_tests(Log::new(retention, budget)))
}

/// Returns bounds that a container was created with.
fn configured(file: u64, files: usize) -> Retention {
    Retention {
        file,
        files,
        configured: true,
    }
}

/// The options of `leakcheck run`: json-file drops nothing.
const EVERYTHING: Retention = Retention {
    file: 1000 << 30,
    files: 1,
    configured: true,
};

/// Returns the selected text without its chunks.
fn text(container: &Arc<Container>, select: &Select) -> String {
    let mut reader = Reader::new(Arc::clone(container), select);
    drain(&mut reader, select)
}

fn drain(reader: &mut Reader, select: &Select) -> String {
    let mut out = Vec::new();
    while reader.read(select, &mut out, usize::MAX) == Progress::More {}
    let mut text = Vec::new();
    let mut rest = &out[..];
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).expect("hex"), 16).expect("hex");
        text.extend_from_slice(&rest[at + 2..at + 2 + length]);
        rest = &rest[at + 2 + length + 2..];
    }
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn the_tail_is_counted_before_streams_are_left_out() {
    let container = container(Retention::default(), &Budget::new(1 << 20));
    container.log.append(Stream::Stdout, b"one\ntwo\n", 1);
    container.log.append(Stream::Stderr, b"three\nfour\n", 1);
    let tail = |tail, stderr| Select {
        tail: Some(tail),
        stderr,
        ..BOTH
    };
    assert_eq!(text(&container, &tail(3, true)), "two\nthree\nfour\n");
    assert_eq!(text(&container, &tail(3, false)), "two\n");
    assert_eq!(text(&container, &tail(0, true)), "");
    assert_eq!(text(&container, &tail(99, true)), "one\ntwo\nthree\nfour\n");
}

#[test]
fn since_and_until_include_their_own_nanosecond() {
    let container = container(Retention::default(), &Budget::new(1 << 20));
    for (at, line) in [(10, "a\n"), (20, "b\n"), (30, "c\n")] {
        container.log.append(Stream::Stdout, line.as_bytes(), at);
    }
    let between = |since, until| Select {
        since: Some(since),
        until: Some(until),
        ..BOTH
    };
    assert_eq!(text(&container, &between(20, 20)), "b\n");
    assert_eq!(text(&container, &between(11, 30)), "b\nc\n");
    assert_eq!(text(&container, &between(21, 29)), "");
}

#[test]
fn lines_written_at_once_have_times_of_their_own_and_pieces_of_one_line_share_theirs() {
    let container = container(Retention::default(), &Budget::new(1 << 20));
    container.log.append(Stream::Stdout, b"a\nb\n", 5);
    let long = [vec![b'x'; 40_000], b"\n".to_vec()].concat();
    container.log.append(Stream::Stdout, &long, 5);
    let select = Select {
        timestamps: true,
        ..BOTH
    };
    let shown = text(&container, &select);
    let stamps: Vec<&str> = shown
        .match_indices("1970-")
        .map(|(at, _)| &shown[at..at + 30])
        .collect();
    assert_eq!(stamps.len(), 5, "two lines and three pieces");
    assert_ne!(stamps[0], stamps[1]);
    assert_eq!(stamps[2..], [stamps[2]; 3]);
}

#[test]
fn a_newline_after_a_full_piece_is_an_entry_of_its_own() {
    let container = container(Retention::default(), &Budget::new(1 << 20));
    container
        .log
        .append(Stream::Stdout, &[vec![b'x'; MAX_ENTRY], b"\n".to_vec()].concat(), 5);
    assert_eq!(text(&container, &Select { tail: Some(1), ..BOTH }), "\n");
}

#[test]
fn the_oldest_file_goes_when_there_are_too_many() {
    let container = container(configured(300, 2), &Budget::new(1 << 20));
    for n in 0..10 {
        container
            .log
            .append(Stream::Stdout, format!("line {n} {}\n", "x".repeat(60)).as_bytes(), n);
    }
    // A file is full with three lines of 145 bytes as json-file writes them, so the last begins at line 9.
    let shown = text(&container, &BOTH);
    let numbers: Vec<&str> = shown.lines().map(|line| &line[5..6]).collect();
    assert_eq!(numbers, ["6", "7", "8", "9"]);
}

#[test]
fn a_reader_whose_entries_were_dropped_continues_with_the_oldest_left() {
    let container = container(configured(100, 2), &Budget::new(1 << 20));
    let mut reader = Reader::new(Arc::clone(&container), &BOTH);
    for n in 0..9 {
        container
            .log
            .append(Stream::Stdout, format!("{n}{}\n", "x".repeat(60)).as_bytes(), n);
    }
    assert!(drain(&mut reader, &BOTH).starts_with('7'));
}

#[test]
fn the_budget_of_all_logs_is_met_and_released() {
    let budget = Budget::new(10_000);
    let one = container(configured(1000, 1000), &budget);
    for n in 0..1000 {
        one.log.append(Stream::Stdout, &[b'x'; 100], n);
    }
    assert!(budget.held() < 13_000, "{}", budget.held());
    drop(one);
    assert_eq!(budget.held(), 0);
}

#[test]
fn a_log_without_bounds_of_its_own_is_kept_within_the_budget_piece_by_piece() {
    let budget = Budget::new(4 << 20);
    let one = container(EVERYTHING, &budget);
    for n in 0..100_000 {
        one.log
            .append(Stream::Stdout, &[[b'x'; 99].as_slice(), b"\n"].concat(), n);
        assert!(budget.held() <= 4 << 20, "{}", budget.held());
    }
    assert!(
        budget.held() > 3 << 20,
        "no more is dropped than necessary: {}",
        budget.held()
    );
    let kept = text(&one, &BOTH).lines().count() as u64;
    assert_eq!(budget.dropped(), (100_000 - kept, 0), "without followers");
    let longest = one.log.files().segments.iter().map(Segment::len).max();
    assert!(longest <= Some(SEGMENT_SIZE as u64 + 200), "{longest:?}");
}

#[test]
fn a_quiet_log_keeps_its_lines_next_to_noisy_ones() {
    let budget = Budget::new(1 << 20);
    let quiet = container(EVERYTHING, &budget);
    quiet.log.append(Stream::Stdout, b"the only line\n", 1);
    let noisy: Vec<_> = (0..100).map(|_| container(EVERYTHING, &budget)).collect();
    // A hundred logs of 20 KB are twice the budget, and none of them fills a piece.
    for n in 0..200 {
        for one in &noisy {
            one.log.append(Stream::Stdout, &[b'x'; 100], n);
        }
        assert!(budget.held() <= 1 << 20, "{}", budget.held());
    }
    assert_eq!(text(&quiet, &BOTH), "the only line\n");
    drop((quiet, noisy));
    assert_eq!(budget.held(), 0);
}

#[test]
fn dropped_unread_lines_are_counted_and_a_follower_continues_with_the_rest() {
    let budget = Budget::new(10_000);
    let one = container(configured(1000, 1000), &budget);
    let mut reader = Reader::new(Arc::clone(&one), &BOTH);
    one.log.append(Stream::Stdout, b"read\n", 1);
    drain(&mut reader, &BOTH);
    for n in 0..200 {
        one.log
            .append(Stream::Stdout, &[[b'x'; 99].as_slice(), b"\n"].concat(), n);
    }
    let kept = drain(&mut reader, &BOTH).lines().count() as u64;
    assert_eq!(budget.dropped(), (201 - kept, 200 - kept));
    // Lines that the container's own bounds drop are not counted, as with json-file.
    let bounded = container(configured(300, 2), &Budget::new(1 << 20));
    (0..10).for_each(|n| bounded.log.append(Stream::Stdout, &[b'x'; 100], n));
    assert_eq!(bounded.log.budget.dropped(), (0, 0));
}

#[test]
fn the_backlog_is_that_of_the_slowest_reader_until_it_is_dropped() {
    let container = container(Retention::default(), &Budget::new(1 << 20));
    assert_eq!(container.log.backlog(), None);
    let mut reader = Reader::new(Arc::clone(&container), &BOTH);
    container.log.append(Stream::Stdout, b"abc\n", 1);
    assert_eq!(container.log.backlog(), Some(16));
    drain(&mut reader, &BOTH);
    assert_eq!(container.log.backlog(), Some(0));
    drop(reader);
    assert_eq!(container.log.backlog(), None);
}
