//! What faults do to the bytes of a log stream.

use std::time::Duration;

use super::*;
use crate::plan::Plan;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn frame(text: &str) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", text.len() + 8).into_bytes();
    out.extend_from_slice(&[1, 0, 0, 0]);
    out.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
    out
}

fn under(kind: &str, more: &str, now: Instant) -> LogStream {
    let text = format!("[[fault]]\nat = \"0s\"\nfor = \"10s\"\nkind = \"{kind}\"\n{more}");
    let fault = Plan::parse(&text).expect("a script").faults[0].clone();
    let mut stream = LogStream::new("abc".into(), now);
    stream.faults = vec![Active::alone(fault, now, Duration::from_secs(10))];
    stream
}

/// Everything that the client gets of `bytes` in pieces of `size`, and whether it ends.
fn through(stream: &mut LogStream, bytes: &[u8], size: usize, now: Instant) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        let (flow, _) = stream.flow(now);
        if !flow.moves() {
            break;
        }
        let passed = stream.pass(piece, flow, now);
        out.extend_from_slice(&piece[..passed.whole]);
        out.extend_from_slice(&passed.instead);
        if passed.ends {
            return (out, true);
        }
    }
    (out, false)
}

#[test]
fn without_a_fault_every_byte_passes() {
    let now = Instant::now();
    let bytes = [HEAD, &frame("one\n"), &frame("two\n"), LAST_CHUNK].concat();
    for size in [1, 3, 50, 1000] {
        let mut stream = LogStream::new("abc".into(), now);
        assert_eq!(
            through(&mut stream, &bytes, size, now),
            (bytes.clone(), false),
            "in pieces of {size}"
        );
    }
}

#[test]
fn a_stalled_stream_has_its_head_and_keeps_the_rest_for_later() {
    let now = Instant::now();
    let mut stream = under("stall", "", now);
    let bytes = [HEAD, &frame("one\n")].concat();
    assert_eq!(through(&mut stream, &bytes, 1000, now), (HEAD.to_vec(), false));
    assert_eq!(stream.flow(now).0, Flow::Shut);
    stream.faults.clear();
    assert_eq!(stream.flow(now).0, Flow::Open);
    let held = stream.take_held();
    assert_eq!(through(&mut stream, &held, 1000, now).0, frame("one\n"));
}

#[test]
fn before_headers_nothing_passes() {
    let now = Instant::now();
    assert_eq!(under("stall-before-headers", "", now).flow(now).0, Flow::Shut);
}

#[test]
fn a_storm_ends_a_stream_behind_its_head_and_an_open_one_between_chunks() {
    let now = Instant::now();
    let bytes = [HEAD, &frame("one\n"), &frame("two\n")].concat();
    for size in [1, 20, 1000] {
        let (out, ends) = through(&mut under("eof-storm", "", now), &bytes, size, now);
        assert_eq!((out, ends), ([HEAD, LAST_CHUNK].concat(), true), "in pieces of {size}");
    }
    let mut stream = under("eof-storm", "", now);
    let storm = std::mem::take(&mut stream.faults);
    let (before, after) = bytes.split_at(HEAD.len() + 4);
    through(&mut stream, before, 1000, now);
    stream.faults = storm;
    let (out, ends) = through(&mut stream, after, 1000, now);
    assert_eq!((out, ends), ([&frame("one\n")[4..], LAST_CHUNK].concat(), true));
}

#[test]
fn a_truncated_stream_ends_in_the_middle_of_a_frame_and_cleanly_for_http() {
    let now = Instant::now();
    let struck = now + Duration::from_secs(10);
    let bytes = [HEAD, &frame("hello world\n"), &frame("two\n")].concat();
    for size in [40, 1000] {
        let mut stream = under("truncate", "", now);
        let (out, ends) = through(&mut stream, &bytes, size, struck);
        assert!(ends, "in pieces of {size}");
        let body = out.strip_prefix(HEAD).expect("the head");
        let chunk = body.strip_suffix(LAST_CHUNK).expect("a clean end");
        let line = chunk.iter().position(|byte| *byte == b'\n').expect("a size") + 1;
        let size = usize::from_str_radix(std::str::from_utf8(&chunk[..line]).expect("text").trim(), 16).expect("hex");
        assert_eq!(chunk.len(), line + size + 2);
        // The frame promises twelve bytes and has fewer.
        assert_eq!(chunk[line..line + 8], [1, 0, 0, 0, 0, 0, 0, 12]);
        assert!((9..20).contains(&size), "{size}");
    }
}

#[test]
fn each_stream_has_its_moment_and_a_successor_is_spared() {
    let now = Instant::now();
    for kind in ["reset", "truncate"] {
        let mut stream = under(kind, "", now);
        let (flow, wake) = stream.flow(now);
        let wake = wake.expect("its moment comes");
        assert_eq!(flow, Flow::Open);
        assert!(wake > now && wake < now + Duration::from_secs(10));
        assert_ne!(stream.flow(wake).0, Flow::Open);
        let mut successor = under(kind, "", now);
        successor.opened = wake + Duration::from_millis(1);
        assert_eq!(successor.flow(wake + Duration::from_secs(1)), (Flow::Open, None));
    }
}

#[test]
fn a_fault_strikes_a_stream_once_and_not_before_its_moment() {
    let now = Instant::now();
    let late = now + Duration::from_secs(10);
    let bytes = [HEAD, &frame("hello world\n"), &frame("two\n")].concat();
    for kind in ["stall", "stall-before-headers", "eof-storm", "drip", "error-status"] {
        let mut stream = under(kind, "", now);
        let fault = stream.faults[0].clone();
        for _ in 0..3 {
            stream.refused();
            stream.flow(now);
        }
        assert_eq!(fault.struck(), 1, "{kind}");
    }
    for kind in ["reset", "cut-idle", "truncate"] {
        let mut stream = under(kind, "", now);
        let fault = stream.faults[0].clone();
        stream.flow(now);
        assert_eq!(fault.struck(), 0, "{kind} has its moment");
        stream.flow(late);
        let waits_for_a_frame = kind == "truncate";
        assert_eq!(fault.struck(), u64::from(!waits_for_a_frame), "{kind}");
        if waits_for_a_frame {
            through(&mut stream, &bytes, 1000, late);
        }
        assert_eq!(fault.struck(), 1, "{kind}");
    }
}

#[test]
fn only_silence_is_cut() {
    let now = Instant::now();
    let mut stream = under("cut-idle", "after = \"3s\"\n", now);
    assert_eq!(stream.flow(now), (Flow::Open, Some(now + Duration::from_secs(3))));
    stream.pass(HEAD, Flow::Open, now + Duration::from_secs(2));
    assert_eq!(
        stream.flow(now + Duration::from_secs(4)),
        (Flow::Open, Some(now + Duration::from_secs(5)))
    );
    assert_eq!(stream.flow(now + Duration::from_secs(5)).0, Flow::Cut);
}

#[test]
fn a_log_is_hot_while_it_comes_line_by_line_without_a_pause() {
    let begin = Instant::now();
    let (line, many) = (frame("one\n"), vec![b'x'; SMALL]);
    let mut stream = LogStream::new("abc".into(), begin);
    let mut now = begin;
    let mut after = |stream: &mut LogStream, pause: Duration, bytes: &[u8]| {
        now += pause;
        stream.pass(bytes, Flow::Open, now);
        stream.is_hot()
    };
    assert!(!after(&mut stream, SOON, HEAD));
    let heats = |stream: &mut LogStream, after: &mut dyn FnMut(&mut LogStream, Duration, &[u8]) -> bool| {
        let told: Vec<bool> = (0..HOT).map(|_| after(stream, SOON / 2, &line)).collect();
        told.iter().filter(|hot| **hot).count() == 1 && told.last() == Some(&true)
    };
    assert!(heats(&mut stream, &mut after), "after so many pieces, not before");
    assert!(!after(&mut stream, SOON, &line), "a pause");
    assert!(heats(&mut stream, &mut after));
    assert!(!after(&mut stream, SOON / 2, &many), "a large piece");
}
