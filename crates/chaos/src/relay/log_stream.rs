//! One log stream and the faults that are meant for it.

use std::sync::Arc;
use std::time::Duration;

use leakcheck_model::scenario::{Fault, FaultKind};
use tokio::time::Instant;

use super::AT_A_TIME;
use super::frame::{LAST_CHUNK, half_a_frame};
use super::response::Response;
use crate::choice::{moment, strikes};
use crate::identity::Identity;
use crate::plan::{after, status};
use crate::weather::{Active, Weather};

/// Pieces of less than this could as well have come as fewer.
const SMALL: usize = AT_A_TIME / 2;

/// A piece that comes this long after the one before follows it without a pause. It is also how late a line can be for
/// rests: where many hot streams wait for each other's rests longer than this, none of them is hot any more.
const SOON: Duration = Duration::from_millis(1);

/// So many small pieces without a pause are a hot stream, and not an answer that happened to come in two or three.
const HOT: u8 = 8;

/// How the engine's bytes go on to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// Nothing is read: the engine is held up as by a client that does not read.
    Shut,
    /// The head, then nothing.
    HeadThenShut,
    /// The head, then a clean end.
    HeadThenEnd,
    /// A clean end as soon as HTTP allows one.
    EndAtBoundary,
    /// A clean end for HTTP in the middle of the next frame.
    EndInFrame,
    /// A byte, the next one not before this time.
    Drip(Instant),
    /// The connection is closed.
    Cut,
    /// The connection breaks, after half of what is there.
    Reset,
}

impl Flow {
    /// Whether bytes are taken from the engine.
    pub(super) fn moves(self) -> bool {
        match self {
            Self::Shut => false,
            Self::Drip(at) => at <= Instant::now(),
            _ => true,
        }
    }

    /// Whether nothing is delivered.
    pub(super) fn is_shut(self) -> bool {
        self == Self::Shut
    }
}

/// What becomes of some bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// So many go on as they are.
    pub(super) whole: usize,
    /// Then this.
    pub(super) instead: Vec<u8>,
    /// Then the connection is closed.
    pub(super) ends: bool,
}

/// A log stream.
#[derive(Debug)]
pub(super) struct LogStream {
    key: String,
    who: Option<Arc<Identity>>,
    /// The faults that are on and meant for it.
    faults: Vec<Active>,
    /// Those that have befallen it, by their index.
    struck: Vec<usize>,
    response: Response,
    opened: Instant,
    /// When the last bytes went by.
    last: Instant,
    /// How many small pieces have come one soon after the other.
    quick: u8,
    /// Read and not passed on, because a fault came between.
    held: Vec<u8>,
}

impl LogStream {
    pub(super) fn new(key: String, now: Instant) -> Self {
        Self {
            key,
            who: None,
            faults: Vec::new(),
            struck: Vec::new(),
            response: Response::default(),
            opened: now,
            last: now,
            quick: 0,
            held: Vec::new(),
        }
    }

    /// Whose log it is, as the client named it.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Its container is known now.
    pub(super) fn is_of(&mut self, who: Arc<Identity>) {
        self.who = Some(who);
    }

    /// Finds out which of the faults are meant for it. True if its container must be known for that and is not: until
    /// then it is under those faults that befall everybody, and under no other.
    pub(super) fn look_up(&mut self, weather: &Weather) -> bool {
        let of_logs = |fault: &Fault| !matches!(fault.kind, FaultKind::Delay | FaultKind::EngineGone);
        let chooses = |fault: &Fault| {
            fault.containers.is_some()
                || fault.share.is_some()
                || matches!(fault.kind, FaultKind::Reset | FaultKind::Truncate)
        };
        let is_mine = |active: &&Active| {
            of_logs(&active.fault)
                && match &self.who {
                    Some(who) => strikes(&active.fault, who),
                    None => !chooses(&active.fault),
                }
        };
        self.faults = weather.iter().filter(is_mine).cloned().collect();
        self.who.is_none()
            && weather
                .iter()
                .any(|active| of_logs(&active.fault) && chooses(&active.fault))
    }

    /// The error that its request is answered with, if a fault wants that.
    pub(super) fn refused(&mut self) -> Option<u16> {
        let is_error = |active: &&Active| active.fault.kind == FaultKind::ErrorStatus;
        let status = status(&self.faults.iter().find(is_error)?.fault);
        self.strike_as(FaultKind::ErrorStatus);
        Some(status)
    }

    /// Counts it for the faults of a kind.
    fn strike_as(&mut self, kind: FaultKind) {
        for place in 0..self.faults.len() {
            if self.faults[place].fault.kind == kind {
                self.strike(place);
            }
        }
    }

    /// Counts it for the fault of this place, once.
    fn strike(&mut self, place: usize) {
        let active = &self.faults[place];
        if !self.struck.contains(&active.index) {
            self.struck.push(active.index);
            active.strike();
        }
    }

    /// Whether it comes in small pieces without a pause, so that more will be there in a moment.
    pub(super) fn is_hot(&self) -> bool {
        self.quick >= HOT
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// How its bytes flow now, and when that changes by itself. Of several faults the hardest counts.
    pub(super) fn flow(&mut self, now: Instant) -> (Flow, Option<Instant>) {
        let mut flow = Flow::Open;
        let mut wake: Option<Instant> = None;
        for place in 0..self.faults.len() {
            let (next, at) = self.under(&self.faults[place], now);
            // One that waits for a frame to be cut strikes when it comes.
            if !matches!(next, Flow::Open | Flow::EndInFrame) {
                self.strike(place);
            }
            if next.hardness() > flow.hardness() {
                flow = next;
            }
            wake = [wake, at].into_iter().flatten().min();
        }
        (flow, wake)
    }

    fn under(&self, active: &Active, now: Instant) -> (Flow, Option<Instant>) {
        let fault = &active.fault;
        let in_head = self.response.is_in_head();
        match fault.kind {
            FaultKind::Stall if in_head => (Flow::HeadThenShut, None),
            FaultKind::Stall => (Flow::Shut, None),
            FaultKind::StallBeforeHeaders if in_head => (Flow::Shut, None),
            FaultKind::EofStorm if in_head => (Flow::HeadThenEnd, None),
            FaultKind::EofStorm => (Flow::EndAtBoundary, None),
            FaultKind::CutIdle => at_time(self.last + after(fault), now, Flow::Cut),
            FaultKind::Drip => {
                let next = self.last + after(fault);
                (Flow::Drip(next), (next > now).then_some(next))
            }
            FaultKind::Reset | FaultKind::Truncate => {
                let who = self.who.as_deref().cloned().unwrap_or_default();
                let strike = active.from + active.to.duration_since(active.from).mul_f64(moment(fault, &who));
                match fault.kind {
                    // A stream that was opened later is its successor, and spared.
                    _ if self.opened > strike => (Flow::Open, None),
                    FaultKind::Reset => at_time(strike, now, Flow::Reset),
                    _ => at_time(strike, now, Flow::EndInFrame),
                }
            }
            _ => (Flow::Open, None),
        }
    }

    /// Decides what becomes of bytes that came from the engine.
    pub(super) fn pass(&mut self, bytes: &[u8], flow: Flow, now: Instant) -> Passed {
        let is_quick = bytes.len() < SMALL && now.duration_since(self.last) < SOON;
        self.quick = if is_quick { self.quick.saturating_add(1) } else { 0 };
        self.last = now;
        let head = self.response.pass_head(bytes);
        if self.response.is_in_head() {
            return Passed {
                whole: bytes.len(),
                ..Passed::default()
            };
        }
        let body = &bytes[head..];
        match flow {
            Flow::HeadThenShut if head > 0 => {
                self.held = body.to_vec();
                Passed {
                    whole: head,
                    ..Passed::default()
                }
            }
            Flow::HeadThenEnd | Flow::EndAtBoundary => self.end_at_boundary(head, body),
            Flow::EndInFrame => self.end_in_frame(head, body),
            _ => {
                self.response.pass_body(body, false, |_| {});
                Passed {
                    whole: bytes.len(),
                    ..Passed::default()
                }
            }
        }
    }

    fn end_at_boundary(&mut self, head: usize, body: &[u8]) -> Passed {
        let whole = head + self.response.pass_body(body, true, |_| {});
        if self.response.is_at_boundary() {
            return Passed {
                whole,
                instead: LAST_CHUNK.to_vec(),
                ends: true,
            };
        }
        Passed {
            whole,
            ..Passed::default()
        }
    }

    /// Looks for a frame of which half can be delivered.
    fn end_in_frame(&mut self, head: usize, body: &[u8]) -> Passed {
        let mut at = 0;
        while at < body.len() {
            at += self.response.pass_body(&body[at..], true, |_| {});
            if !self.response.is_at_boundary() {
                break;
            }
            if let Some(half) = half_a_frame(&body[at..]) {
                self.strike_as(FaultKind::Truncate);
                return Passed {
                    whole: head + at,
                    instead: half,
                    ends: true,
                };
            }
            // Too short to be cut: over the first byte of its size, to the next boundary.
            if at < body.len() {
                at += self.response.pass_body(&body[at..=at], false, |_| {});
            }
        }
        Passed {
            whole: head + body.len(),
            ..Passed::default()
        }
    }

    /// Whether the engine has ended it.
    pub(super) fn is_done(&self) -> bool {
        self.held.is_empty() && matches!(&self.response, Response::Chunks(chunks) if chunks.is_done())
    }

    /// Whether it can be ended right now, without another byte from the engine.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.response.is_at_boundary()
    }
}

impl Flow {
    fn hardness(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Drip(_) => 1,
            Self::EndInFrame => 2,
            Self::HeadThenShut => 3,
            Self::Shut => 4,
            Self::HeadThenEnd => 5,
            Self::EndAtBoundary => 6,
            Self::Reset => 7,
            Self::Cut => 8,
        }
    }
}

/// `flow` from that time on, and a wake-up for it until then.
fn at_time(at: Instant, now: Instant, flow: Flow) -> (Flow, Option<Instant>) {
    if at <= now {
        (flow, None)
    } else {
        (Flow::Open, Some(at))
    }
}

#[cfg(test)]
mod tests;
