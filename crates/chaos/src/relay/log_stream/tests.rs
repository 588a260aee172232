//! Effects of faults on the bytes of a log stream.

use std::time::Duration;

use super::*;
use crate::script::FaultScript;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn frame(text: &str) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", text.len() + 8).into_bytes();
    out.extend_from_slice(&[1, 0, 0, 0]);
    out.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
    out
}

fn stream_under(kind: &str, more: &str, now: Instant) -> LogStream {
    let text = format!("[[fault]]\nat = \"0s\"\nfor = \"10s\"\nkind = \"{kind}\"\n{more}");
    let fault = FaultScript::parse(&text).expect("a script").faults[0].clone();
    let mut stream = LogStream::new("abc".into(), now);
    stream.faults = vec![ActiveFault::single(fault, now, Duration::from_secs(10))];
    stream
}

/// Returns what the client receives of `bytes` in pieces of `size`, and whether the stream ends.
fn forward(stream: &mut LogStream, bytes: &[u8], size: usize, now: Instant) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        let (flow, _) = stream.flow(now);
        if !flow.reads_engine() {
            break;
        }
        let forward = stream.forward(piece, flow, now);
        out.extend_from_slice(&piece[..forward.unchanged]);
        out.extend_from_slice(&forward.appended);
        if forward.closes {
            return (out, true);
        }
    }
    (out, false)
}

#[test]
fn without_a_fault_every_byte_is_forwarded() {
    let now = Instant::now();
    let bytes = [HEAD, &frame("one\n"), &frame("two\n"), LAST_CHUNK].concat();
    for size in [1, 3, 50, 1000] {
        let mut stream = LogStream::new("abc".into(), now);
        assert_eq!(
            forward(&mut stream, &bytes, size, now),
            (bytes.clone(), false),
            "in pieces of {size}"
        );
    }
}

#[test]
fn a_stalled_stream_sends_its_head_and_holds_the_rest() {
    let now = Instant::now();
    let mut stream = stream_under("stall", "", now);
    let bytes = [HEAD, &frame("one\n")].concat();
    assert_eq!(forward(&mut stream, &bytes, 1000, now), (HEAD.to_vec(), false));
    assert_eq!(stream.flow(now).0, Flow::Blocked);
    stream.faults.clear();
    assert_eq!(stream.flow(now).0, Flow::Open);
    let held = stream.take_held();
    assert_eq!(forward(&mut stream, &held, 1000, now).0, frame("one\n"));
}

#[test]
fn a_stall_before_headers_forwards_nothing() {
    let now = Instant::now();
    assert_eq!(stream_under("stall-before-headers", "", now).flow(now).0, Flow::Blocked);
}

#[test]
fn an_eof_storm_ends_a_stream_after_its_head_or_between_chunks() {
    let now = Instant::now();
    let bytes = [HEAD, &frame("one\n"), &frame("two\n")].concat();
    for size in [1, 20, 1000] {
        let (out, ends) = forward(&mut stream_under("eof-storm", "", now), &bytes, size, now);
        assert_eq!((out, ends), ([HEAD, LAST_CHUNK].concat(), true), "in pieces of {size}");
    }
    let mut stream = stream_under("eof-storm", "", now);
    let storm = std::mem::take(&mut stream.faults);
    let (before, after) = bytes.split_at(HEAD.len() + 4);
    forward(&mut stream, before, 1000, now);
    stream.faults = storm;
    let (out, ends) = forward(&mut stream, after, 1000, now);
    assert_eq!((out, ends), ([&frame("one\n")[4..], LAST_CHUNK].concat(), true));
}

#[test]
fn a_truncated_stream_ends_in_the_middle_of_a_frame_and_cleanly_for_http() {
    let now = Instant::now();
    let ends = now + Duration::from_secs(10);
    let bytes = [HEAD, &frame("hello world\n"), &frame("two\n")].concat();
    for size in [40, 1000] {
        let mut stream = stream_under("truncate", "", now);
        let (out, ends) = forward(&mut stream, &bytes, size, ends);
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
fn each_stream_is_hit_at_its_trigger_point_and_its_successor_is_spared() {
    let now = Instant::now();
    for kind in ["reset", "truncate"] {
        let mut stream = stream_under(kind, "", now);
        let (flow, wake) = stream.flow(now);
        let wake = wake.expect("the trigger point comes");
        assert_eq!(flow, Flow::Open);
        assert!(wake > now && wake < now + Duration::from_secs(10));
        assert_ne!(stream.flow(wake).0, Flow::Open);
        let mut successor = stream_under(kind, "", now);
        successor.opened = wake + Duration::from_millis(1);
        assert_eq!(successor.flow(wake + Duration::from_secs(1)), (Flow::Open, None));
    }
}

#[test]
fn a_fault_hits_a_stream_once_and_not_before_its_trigger_point() {
    let now = Instant::now();
    let late = now + Duration::from_secs(10);
    let bytes = [HEAD, &frame("hello world\n"), &frame("two\n")].concat();
    for kind in ["stall", "stall-before-headers", "eof-storm", "drip", "error-status"] {
        let mut stream = stream_under(kind, "", now);
        let fault = stream.faults[0].clone();
        for _ in 0..3 {
            stream.refusal_status();
            stream.flow(now);
        }
        assert_eq!(fault.hits(), 1, "{kind}");
    }
    for kind in ["reset", "cut-idle", "truncate"] {
        let mut stream = stream_under(kind, "", now);
        let fault = stream.faults[0].clone();
        stream.flow(now);
        assert_eq!(fault.hits(), 0, "{kind} waits");
        stream.flow(late);
        let waits_for_a_frame = kind == "truncate";
        assert_eq!(fault.hits(), u64::from(!waits_for_a_frame), "{kind}");
        if waits_for_a_frame {
            forward(&mut stream, &bytes, 1000, late);
        }
        assert_eq!(fault.hits(), 1, "{kind}");
    }
}

#[test]
fn only_silent_streams_are_cut() {
    let now = Instant::now();
    let mut stream = stream_under("cut-idle", "after = \"3s\"\n", now);
    assert_eq!(stream.flow(now), (Flow::Open, Some(now + Duration::from_secs(3))));
    stream.forward(HEAD, Flow::Open, now + Duration::from_secs(2));
    assert_eq!(
        stream.flow(now + Duration::from_secs(4)),
        (Flow::Open, Some(now + Duration::from_secs(5)))
    );
    assert_eq!(stream.flow(now + Duration::from_secs(5)).0, Flow::Close);
}

#[test]
fn a_stream_is_busy_while_it_arrives_line_by_line_without_a_gap() {
    let begin = Instant::now();
    let (line, large) = (frame("one\n"), vec![b'x'; SMALL_READ]);
    let mut stream = LogStream::new("abc".into(), begin);
    let mut now = begin;
    let mut after = |stream: &mut LogStream, pause: Duration, bytes: &[u8]| {
        now += pause;
        stream.forward(bytes, Flow::Open, now);
        stream.is_busy()
    };
    assert!(!after(&mut stream, MAX_GAP, HEAD));
    let becomes_busy = |stream: &mut LogStream, after: &mut dyn FnMut(&mut LogStream, Duration, &[u8]) -> bool| {
        let busy: Vec<bool> = (0..BUSY_READS).map(|_| after(stream, MAX_GAP / 2, &line)).collect();
        busy.iter().filter(|busy| **busy).count() == 1 && busy.last() == Some(&true)
    };
    assert!(becomes_busy(&mut stream, &mut after), "after so many reads, not before");
    assert!(!after(&mut stream, MAX_GAP, &line), "a gap");
    assert!(becomes_busy(&mut stream, &mut after));
    assert!(!after(&mut stream, MAX_GAP / 2, &large), "a large read");
}
