//! `/events` with delays: each event is held back a little differently, so that they also overtake each other.

use leakcheck_model::scenario::FaultKind;
use std::collections::BTreeMap;
use tokio::time::Instant;

use super::response::Response;
use crate::choice::lateness;
use crate::plan::after;
use crate::weather::{Active, Weather};

/// Events held back at most; when there are more, the first go on early.
const MOST: usize = 10_000;

/// The longest event that is waited for: one of Docker's is under 8 KiB with the longest labels; what is longer and has
/// no end is passed on as it comes.
const LONGEST: usize = 1 << 20;

/// An event stream.
#[derive(Debug, Default)]
pub(super) struct LateEvents {
    response: Response,
    fault: Option<Active>,
    /// The beginning of an event whose end has not come yet.
    partial: Vec<u8>,
    held: BTreeMap<(Instant, u64), Vec<u8>>,
    number: u64,
}

impl LateEvents {
    pub(super) fn look_up(&mut self, weather: &Weather) {
        let delay = weather.iter().find(|active| active.fault.kind == FaultKind::Delay);
        self.fault = delay.cloned();
    }

    /// When the next event goes on.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes bytes from the engine; appends to `out` what goes on at once.
    pub(super) fn take(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<u8>) {
        let head = self.response.pass_head(bytes);
        out.extend_from_slice(&bytes[..head]);
        let body = &bytes[head..];
        if !matches!(self.response, Response::Chunks(_)) {
            out.extend_from_slice(body);
            return;
        }
        let mut data = std::mem::take(&mut self.partial);
        self.response
            .pass_body(body, false, |piece| data.extend_from_slice(piece));
        let mut rest = &data[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.hold(&rest[..=end], now, out);
            rest = &rest[end + 1..];
        }
        if rest.len() > LONGEST {
            push(rest, out);
            rest = &[];
        }
        self.partial = rest.to_vec();
        if matches!(&self.response, Response::Chunks(chunks) if chunks.is_done()) {
            // The engine has ended the stream (`until`): nothing may come after its end.
            self.release_all(out);
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }

    fn hold(&mut self, event: &[u8], now: Instant, out: &mut Vec<u8>) {
        self.number += 1;
        let Some(delay) = &self.fault else {
            return push(event, out);
        };
        delay.strike();
        let due = now + after(&delay.fault).mul_f64(lateness(&delay.fault, self.number));
        self.held.insert((due, self.number), event.to_vec());
        if self.held.len() > MOST
            && let Some((_, first)) = self.held.pop_first()
        {
            push(&first, out);
        }
    }

    /// Appends the events whose time has come.
    pub(super) fn release(&mut self, now: Instant, out: &mut Vec<u8>) {
        while let Some(first) = self.held.first_entry().filter(|first| first.key().0 <= now) {
            push(&first.remove(), out);
        }
    }

    fn release_all(&mut self, out: &mut Vec<u8>) {
        while let Some((_, event)) = self.held.pop_first() {
            push(&event, out);
        }
    }
}

/// One chunk for each event, as Docker sends them.
fn push(event: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", event.len()).as_bytes());
    out.extend_from_slice(event);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use std::sync::Arc;
    use std::time::Duration;

    fn events(numbers: std::ops::Range<u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        numbers.for_each(|n| push(format!("{{\"n\":{n}}}\n").as_bytes(), &mut bytes));
        bytes
    }

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn without_a_fault_events_go_on_at_once_and_in_order() {
        let bytes = [HEAD, &events(0..20)].concat();
        for size in [1, 5, 1000] {
            let (mut late, mut out) = (LateEvents::default(), Vec::new());
            bytes
                .chunks(size)
                .for_each(|piece| late.take(piece, Instant::now(), &mut out));
            assert_eq!(out, bytes, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_kept_for_ever() {
        let (mut late, mut out) = (LateEvents::default(), Vec::new());
        late.take(HEAD, Instant::now(), &mut out);
        let mut chunk = Vec::new();
        push(&[b'x'; 64 << 10], &mut chunk);
        for _ in 0..40 {
            late.take(&chunk, Instant::now(), &mut out);
            assert!(late.partial.len() <= LONGEST, "{}", late.partial.len());
        }
        assert!(out.len() > 2 << 20, "it has gone on: {}", out.len());
    }

    #[test]
    fn late_events_all_come_and_out_of_order() {
        let plan =
            Plan::parse("[[fault]]\nat = \"0s\"\nfor = \"9s\"\nkind = \"delay\"\nafter = \"1s\"\n").expect("a script");
        let now = Instant::now();
        let delay = Active::alone(plan.faults[0].clone(), now, Duration::from_secs(9));
        let (mut late, mut out) = (LateEvents::default(), Vec::new());
        late.look_up(&Arc::new(vec![delay.clone()]));
        late.take(&[HEAD, &events(0..20)].concat(), now, &mut out);
        assert_eq!(out, HEAD, "nothing goes on at once");
        assert!(late.wake().is_some_and(|at| at >= now + Duration::from_millis(500)));
        out.clear();
        late.release(now + Duration::from_millis(1500), &mut out);
        assert_eq!(out.len(), events(0..20).len(), "all come");
        assert_ne!(out, events(0..20), "but not in order");
        assert_eq!(late.wake(), None);
        assert_eq!(delay.struck(), 20);
    }
}
