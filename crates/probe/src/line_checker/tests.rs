//! Tests of the line check, on chunks of any size.

use super::*;
use leakcheck_model::stamp::Writer;
use proptest::prelude::*;

const RUN: &str = "k3v9";

fn line(emitter: &str, sequence: u64) -> Vec<u8> {
    let mut line = Vec::new();
    Writer::new(RUN, emitter, Stream::Stdout).line(&mut line, sequence, 90, b"abcdefghij");
    line.pop();
    line
}

fn end(emitter: &str, stdout: u64, stderr: u64) -> Vec<u8> {
    let mut line = Vec::new();
    Writer::new(RUN, emitter, Stream::Stdout).end(&mut line, Sent { stdout, stderr });
    line.pop();
    line
}

/// Wraps lines as the capture daemon writes them.
fn ndjson(lines: &[Vec<u8>]) -> Vec<u8> {
    let wrap = |l: &Vec<u8>| [b"{\"ts\":\"2026\",\"line\":\"", l.as_slice(), b"\"}\n"].concat();
    lines.iter().flat_map(wrap).collect()
}

fn counts(body: &[u8], sent: &[(&str, u64)]) -> LineCounts {
    let mut checker = LineChecker::new(RUN);
    let mut cursor = checker.begin_file();
    checker.feed(&mut cursor, body);
    checker.end_file(&mut cursor);
    checker.counts(
        &sent
            .iter()
            .map(|(n, stdout)| {
                (
                    (*n).to_owned(),
                    Sent {
                        stdout: *stdout,
                        stderr: 0,
                    },
                )
            })
            .collect(),
    )
}

fn whole(counts: &LineCounts) -> (u64, u64, u64, u64, u64, u64) {
    (
        counts.sent,
        counts.delivered,
        counts.lost,
        counts.duplicated,
        counts.reordered,
        counts.torn,
    )
}

#[test]
fn all_lines_once_and_in_order_have_no_findings() {
    let body = ndjson(&[line("a", 1), line("b", 1), line("a", 2), end("a", 3, 0)]);
    let counts = counts(&body, &[("b", 1)]);
    assert_eq!(whole(&counts), (4, 4, 0, 0, 0, 0));
    assert_eq!((counts.unaccounted, counts.worst.len()), (0, 0));
}

#[test]
fn each_emitter_and_each_group_has_its_own_count() {
    let body = ndjson(&[
        line("noisy-01", 1),
        line("noisy-02", 1),
        line("noisy-02", 2),
        line("idle-1", 1),
    ]);
    let counts = counts(&body, &[("noisy-01", 4), ("noisy-02", 2), ("idle-1", 1)]);
    let of = |lines: &[EmitterLines]| -> Vec<(String, u64, u64)> {
        lines.iter().map(|l| (l.emitter.clone(), l.sent, l.lost)).collect()
    };
    assert_eq!(of(&counts.groups), [("idle".into(), 1, 0), ("noisy".into(), 6, 3)]);
    assert_eq!(
        of(&counts.each),
        [
            ("idle-1".into(), 1, 0),
            ("noisy-01".into(), 4, 3),
            ("noisy-02".into(), 2, 0)
        ]
    );
}

#[test]
fn lost_duplicated_and_reordered_lines_are_counted() {
    let body = ndjson(&[line("a", 1), line("a", 3), line("a", 2), line("a", 3), line("a", 6)]);
    let counts = counts(&body, &[("a", 9)]);
    assert_eq!(whole(&counts), (9, 4, 5, 1, 1, 0));
    assert_eq!(counts.worst[0].missing, ["o 4..5", "o 7..9"]);
}

#[test]
fn a_line_in_two_pieces_is_torn_once_and_lost() {
    let whole_line = line("a", 2);
    let (head, tail) = whole_line.split_at(50);
    let body = ndjson(&[line("a", 1), head.to_vec(), tail.to_vec(), line("a", 3)]);
    assert_eq!(whole(&counts(&body, &[("a", 3)])), (3, 2, 1, 0, 0, 1));
}

#[test]
fn a_line_that_only_began_when_the_file_ended_is_torn() {
    let mut body = ndjson(&[line("a", 1)]);
    body.extend_from_slice(&line("a", 2)[..60]);
    assert_eq!(whole(&counts(&body, &[("a", 2)])), (2, 1, 1, 0, 0, 1));
}

#[test]
fn heads_without_ends_on_one_line_are_each_torn_and_the_whole_one_counts() {
    let body = [
        &line("a", 1)[..40],
        &line("a", 2)[..40],
        &line("a", 3)[..40],
        &line("a", 4),
    ]
    .concat();
    assert_eq!(whole(&counts(&body, &[("a", 4)])), (4, 1, 3, 0, 0, 3));
}

#[test]
fn lines_of_another_run_do_not_count() {
    let mut body = Vec::new();
    Writer::new("other", "a", Stream::Stdout).line(&mut body, 1, 90, b"x");
    assert_eq!(counts(&body, &[]), LineCounts::default());
}

#[test]
fn an_emitter_without_an_account_is_unaccounted_and_its_gaps_are_lost() {
    let counts = counts(&ndjson(&[line("a", 2), line("a", 5)]), &[]);
    assert_eq!((whole(&counts), counts.unaccounted), ((5, 2, 3, 0, 0, 0), 1));
}

#[test]
fn an_emitter_that_delivered_nothing_lost_everything() {
    let counts = counts(b"", &[("silent", 7)]);
    assert_eq!(whole(&counts), (7, 0, 7, 0, 0, 0));
    assert_eq!(counts.worst[0].missing, ["o 1..7"]);
}

#[test]
fn the_order_between_two_files_is_not_checked() {
    let mut checker = LineChecker::new(RUN);
    for n in [[3, 4], [1, 2]] {
        let mut cursor = checker.begin_file();
        checker.feed(&mut cursor, &ndjson(&[line("a", n[0]), line("a", n[1])]));
    }
    assert_eq!(whole(&checker.counts(&BTreeMap::new())), (4, 4, 0, 0, 0, 0));
}

#[test]
fn the_longest_line_is_found_in_small_pieces_and_marks_without_end_need_bounded_memory() {
    let mut long = Vec::new();
    Writer::new(RUN, "a", Stream::Stdout).line(&mut long, 1, 1 << 20, b"abcdefghij");
    let mut checker = LineChecker::new(RUN);
    let mut cursor = checker.begin_file();
    for piece in long.chunks(10_000) {
        checker.feed(&mut cursor, piece);
    }
    assert_eq!(checker.counts(&BTreeMap::new()).delivered, 1);
    // Only marks: each is torn, and the bytes that are kept stay within the length of a line.
    for _ in 0..64 {
        checker.feed(&mut cursor, "lc1 k3v9 ".repeat(10_000).as_bytes());
        assert!(cursor.rest.len() <= MAX_LINE_BYTES + 90_000);
    }
    checker.end_file(&mut cursor);
    assert_eq!(checker.counts(&BTreeMap::new()).torn, 640_000);
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_the_cuts(cuts in proptest::collection::vec(1usize..300, 1..40), torn in 10usize..80) {
        let mut body = ndjson(&[line("a", 1), line("b", 1), line("a", 3), line("a", 2), line("b", 1)]);
        body.extend_from_slice(&line("c", 1)[..torn]);
        body.push(b'\n');
        body.extend(ndjson(&[end("a", 4, 0), line("b", 2)]));
        let mut checker = LineChecker::new(RUN);
        let mut cursor = checker.begin_file();
        let (mut at, mut cut) = (0, cuts.iter().cycle());
        while at < body.len() {
            let to = (at + cut.next().expect("endless")).min(body.len());
            checker.feed(&mut cursor, &body[at..to]);
            at = to;
        }
        checker.end_file(&mut cursor);
        prop_assert_eq!(checker.counts(&BTreeMap::new()), counts(&body, &[]));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in r#"(lc1 |k3v9 | o 1 |#|[0-9a-f]{8}|x|\n){0,60}"#) {
        let mut checker = LineChecker::new(RUN);
        let mut cursor = checker.begin_file();
        for byte in bytes.as_bytes().chunks(3) {
            checker.feed(&mut cursor, byte);
        }
        checker.end_file(&mut cursor);
        let _ = checker.counts(&BTreeMap::new());
    }
}
