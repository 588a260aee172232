//! The event stream with delays. Each event has its own delay, so that events overtake each other.

use std::collections::BTreeMap;

use leakcheck_http1::{LAST_CHUNK, encode_chunk};
use leakcheck_model::scenario::FaultKind;
use tokio::time::Instant;

use crate::fault_schedule::{ActiveFault, ActiveFaults};
use crate::http::ResponseScanner;
use crate::script::after;
use crate::selection::delay_factor;

/// Events held back; when there are more, the first are released early.
const MAX_HELD: usize = 10_000;

/// Longest event that is collected; Docker's have at most 8 KiB. The bytes of a longer one are forwarded as they come.
const MAX_EVENT: usize = 1 << 20;

/// An event stream.
#[derive(Debug, Default)]
pub(super) struct DelayedEvents {
    response: ResponseScanner,
    fault: Option<ActiveFault>,
    /// The beginning of an incomplete event.
    partial: Vec<u8>,
    /// Events by the time of their release and their number.
    held: BTreeMap<(Instant, u64), Vec<u8>>,
    number: u64,
}

impl DelayedEvents {
    pub(super) fn refresh_faults(&mut self, active_faults: &ActiveFaults) {
        let delay = active_faults
            .iter()
            .find(|active| active.fault.kind == FaultKind::Delay);
        self.fault = delay.cloned();
    }

    /// Returns the time at which the next event is released.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes bytes of the engine, and appends to `out` those to forward at once.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<u8>) {
        let head = self.response.scan_head(bytes);
        out.extend_from_slice(&bytes[..head]);
        let body = &bytes[head..];
        if !self.response.is_chunked() {
            out.extend_from_slice(body);
            return;
        }
        let mut data = std::mem::take(&mut self.partial);
        self.response.scan_body(body, |piece| data.extend_from_slice(piece));
        let mut rest = &data[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.hold(&rest[..=end], now, out);
            rest = &rest[end + 1..];
        }
        if rest.len() > MAX_EVENT {
            encode_chunk(rest, out);
            rest = &[];
        }
        self.partial = rest.to_vec();
        if self.response.is_done() {
            // The engine has ended the stream (`until`), so nothing may follow.
            self.release_all(out);
            out.extend_from_slice(LAST_CHUNK);
        }
    }

    fn hold(&mut self, event: &[u8], now: Instant, out: &mut Vec<u8>) {
        self.number += 1;
        let Some(delay) = &self.fault else {
            return encode_chunk(event, out);
        };
        delay.hit();
        let due = now + after(&delay.fault).mul_f64(delay_factor(&delay.fault, self.number));
        self.held.insert((due, self.number), event.to_vec());
        if self.held.len() > MAX_HELD
            && let Some((_, first)) = self.held.pop_first()
        {
            encode_chunk(&first, out);
        }
    }

    /// Appends the events that are due to `out`.
    pub(super) fn release(&mut self, now: Instant, out: &mut Vec<u8>) {
        while let Some(first) = self.held.first_entry().filter(|first| first.key().0 <= now) {
            encode_chunk(&first.remove(), out);
        }
    }

    fn release_all(&mut self, out: &mut Vec<u8>) {
        while let Some((_, event)) = self.held.pop_first() {
            encode_chunk(&event, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::script::FaultScript;

    fn event_chunks(numbers: std::ops::Range<u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        numbers.for_each(|n| encode_chunk(format!("{{\"n\":{n}}}\n").as_bytes(), &mut bytes));
        bytes
    }

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn without_a_fault_events_are_forwarded_at_once_and_in_order() {
        let bytes = [HEAD, &event_chunks(0..20)].concat();
        for size in [1, 5, 1000] {
            let (mut events, mut out) = (DelayedEvents::default(), Vec::new());
            bytes
                .chunks(size)
                .for_each(|piece| events.receive(piece, Instant::now(), &mut out));
            assert_eq!(out, bytes, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_collected_without_limit() {
        let (mut events, mut out) = (DelayedEvents::default(), Vec::new());
        events.receive(HEAD, Instant::now(), &mut out);
        let mut chunk = Vec::new();
        encode_chunk(&[b'x'; 64 << 10], &mut chunk);
        for _ in 0..40 {
            events.receive(&chunk, Instant::now(), &mut out);
            assert!(events.partial.len() <= MAX_EVENT, "{}", events.partial.len());
        }
        assert!(out.len() > 2 << 20, "it was forwarded: {}", out.len());
    }

    #[test]
    fn delayed_events_all_arrive_but_out_of_order() {
        let script = FaultScript::parse("[[fault]]\nat = \"0s\"\nfor = \"9s\"\nkind = \"delay\"\nafter = \"1s\"\n")
            .expect("a script");
        let now = Instant::now();
        let delay = ActiveFault::single(script.faults[0].clone(), now, Duration::from_secs(9));
        let (mut events, mut out) = (DelayedEvents::default(), Vec::new());
        events.refresh_faults(&Arc::new(vec![delay.clone()]));
        events.receive(&[HEAD, &event_chunks(0..20)].concat(), now, &mut out);
        assert_eq!(out, HEAD, "nothing is forwarded at once");
        assert!(
            events
                .next_release()
                .is_some_and(|at| at >= now + Duration::from_millis(500))
        );
        out.clear();
        events.release(now + Duration::from_millis(1500), &mut out);
        assert_eq!(out.len(), event_chunks(0..20).len(), "all arrive");
        assert_ne!(out, event_chunks(0..20), "but not in order");
        assert_eq!(events.next_release(), None);
        assert_eq!(delay.hits(), 20);
    }
}
