//! A log stream and the faults that affect it.

use std::sync::Arc;
use std::time::Duration;

use leakcheck_http1::LAST_CHUNK;
use leakcheck_model::scenario::{Fault, FaultKind};
use tokio::time::Instant;

use super::flow::Flow;
use super::frame::half_a_frame;
use crate::fault_schedule::{ActiveFault, ActiveFaults};
use crate::http::ResponseScanner;
use crate::identity::Identity;
use crate::script::{after, status};
use crate::selection::{selects, trigger_point};

/// Reads of less than this are small.
const SMALL_READ: usize = 16 << 10;

/// Longest gap between two reads of a busy stream. It also bounds the delay that busy streams cause each other: when they
/// wait longer than this for each other's pauses, none of them is busy any more.
const MAX_GAP: Duration = Duration::from_millis(1);

/// Small reads without a gap that make a stream busy; an ordinary response arrives in two or three.
const BUSY_READS: u8 = 8;

/// A decision about bytes that were read from the engine.
#[derive(Debug, Default)]
pub(super) struct Forward {
    /// Number of bytes to forward unchanged.
    pub(super) unchanged: usize,
    /// Bytes to send after those.
    pub(super) appended: Vec<u8>,
    /// The connection is closed after that.
    pub(super) closes: bool,
}

impl Forward {
    fn unchanged(count: usize) -> Self {
        Self {
            unchanged: count,
            ..Self::default()
        }
    }
}

/// A log stream.
#[derive(Debug)]
pub(super) struct LogStream {
    /// The container's id or name, as in the request.
    container: String,
    identity: Option<Arc<Identity>>,
    /// The active faults that affect this stream.
    faults: Vec<ActiveFault>,
    /// Indices of the faults whose hit was counted.
    hit_by: Vec<usize>,
    response: ResponseScanner,
    opened: Instant,
    last_read: Instant,
    /// Number of small reads without a gap.
    quick_reads: u8,
    /// Bytes that were read but not forwarded, because of a fault.
    held: Vec<u8>,
}

impl LogStream {
    pub(super) fn new(container: String, now: Instant) -> Self {
        Self {
            container,
            identity: None,
            faults: Vec::new(),
            hit_by: Vec::new(),
            response: ResponseScanner::default(),
            opened: now,
            last_read: now,
            quick_reads: 0,
            held: Vec::new(),
        }
    }

    pub(super) fn container(&self) -> &str {
        &self.container
    }

    pub(super) fn set_identity(&mut self, identity: Arc<Identity>) {
        self.identity = Some(identity);
    }

    /// Selects the faults that affect this stream. Returns true if the container's identity is needed for that and
    /// missing. Until it is set, only faults that affect all streams apply.
    pub(super) fn refresh_faults(&mut self, active_faults: &ActiveFaults) -> bool {
        let affects_logs = |fault: &Fault| !matches!(fault.kind, FaultKind::Delay | FaultKind::EngineGone);
        let needs_identity = |fault: &Fault| {
            fault.containers.is_some()
                || fault.share.is_some()
                || matches!(fault.kind, FaultKind::Reset | FaultKind::Truncate)
        };
        let affects_this = |active: &&ActiveFault| {
            affects_logs(&active.fault)
                && match &self.identity {
                    Some(identity) => selects(&active.fault, identity),
                    None => !needs_identity(&active.fault),
                }
        };
        self.faults = active_faults.iter().filter(affects_this).cloned().collect();
        self.identity.is_none()
            && active_faults
                .iter()
                .any(|active| affects_logs(&active.fault) && needs_identity(&active.fault))
    }

    /// Returns the status code with which a fault refuses the request, and counts the hit.
    pub(super) fn refusal_status(&mut self) -> Option<u16> {
        let is_error = |active: &&ActiveFault| active.fault.kind == FaultKind::ErrorStatus;
        let status = status(&self.faults.iter().find(is_error)?.fault);
        self.count_hits(FaultKind::ErrorStatus);
        Some(status)
    }

    /// Counts a hit of each fault of a kind.
    fn count_hits(&mut self, kind: FaultKind) {
        for position in 0..self.faults.len() {
            if self.faults[position].fault.kind == kind {
                self.count_hit(position);
            }
        }
    }

    /// Counts a hit of the fault at this position, once for each stream.
    fn count_hit(&mut self, position: usize) {
        let active = &self.faults[position];
        if !self.hit_by.contains(&active.index) {
            self.hit_by.push(active.index);
            active.hit();
        }
    }

    /// Reports whether the stream arrives in small pieces without a gap, so that more is about to arrive.
    pub(super) fn is_busy(&self) -> bool {
        self.quick_reads >= BUSY_READS
    }

    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Returns how the bytes flow now, and when that changes by itself. Of several faults the most severe counts.
    pub(super) fn flow(&mut self, now: Instant) -> (Flow, Option<Instant>) {
        let mut flow = Flow::Open;
        let mut wake: Option<Instant> = None;
        for position in 0..self.faults.len() {
            let (next, at) = self.flow_under(&self.faults[position], now);
            // A truncation counts when a frame is cut.
            if !matches!(next, Flow::Open | Flow::EndInFrame) {
                self.count_hit(position);
            }
            if next.severity() > flow.severity() {
                flow = next;
            }
            wake = [wake, at].into_iter().flatten().min();
        }
        (flow, wake)
    }

    fn flow_under(&self, active: &ActiveFault, now: Instant) -> (Flow, Option<Instant>) {
        let fault = &active.fault;
        let in_head = self.response.is_in_head();
        match fault.kind {
            FaultKind::Stall if in_head => (Flow::HeadThenBlock, None),
            FaultKind::Stall => (Flow::Blocked, None),
            FaultKind::StallBeforeHeaders if in_head => (Flow::Blocked, None),
            FaultKind::EofStorm if in_head => (Flow::HeadThenEnd, None),
            FaultKind::EofStorm => (Flow::EndAtBoundary, None),
            FaultKind::CutIdle => at_time(self.last_read + after(fault), now, Flow::Close),
            FaultKind::Drip => {
                let next = self.last_read + after(fault);
                (Flow::Drip(next), (next > now).then_some(next))
            }
            FaultKind::Reset | FaultKind::Truncate => {
                let identity = self.identity.as_deref().cloned().unwrap_or_default();
                let length = active.to.duration_since(active.from);
                let trigger = active.from + length.mul_f64(trigger_point(fault, &identity));
                match fault.kind {
                    // A stream that was opened later is the successor, which is spared.
                    _ if self.opened > trigger => (Flow::Open, None),
                    FaultKind::Reset => at_time(trigger, now, Flow::Reset),
                    _ => at_time(trigger, now, Flow::EndInFrame),
                }
            }
            _ => (Flow::Open, None),
        }
    }

    /// Decides what to forward of `bytes` that were read from the engine.
    pub(super) fn forward(&mut self, bytes: &[u8], flow: Flow, now: Instant) -> Forward {
        let is_quick = bytes.len() < SMALL_READ && now.duration_since(self.last_read) < MAX_GAP;
        self.quick_reads = if is_quick {
            self.quick_reads.saturating_add(1)
        } else {
            0
        };
        self.last_read = now;
        let head = self.response.scan_head(bytes);
        if self.response.is_in_head() {
            return Forward::unchanged(bytes.len());
        }
        let body = &bytes[head..];
        match flow {
            Flow::HeadThenBlock if head > 0 => {
                self.held = body.to_vec();
                Forward::unchanged(head)
            }
            Flow::HeadThenEnd | Flow::EndAtBoundary => self.end_at_boundary(head, body),
            Flow::EndInFrame => self.end_in_frame(head, body),
            _ => {
                self.response.scan_body(body, |_| {});
                Forward::unchanged(bytes.len())
            }
        }
    }

    fn end_at_boundary(&mut self, head: usize, body: &[u8]) -> Forward {
        let unchanged = head + self.response.skip_to_boundary(body);
        if self.response.is_at_boundary() {
            return Forward {
                unchanged,
                appended: LAST_CHUNK.to_vec(),
                closes: true,
            };
        }
        Forward::unchanged(unchanged)
    }

    /// Ends the stream in the first frame of which half can be sent.
    fn end_in_frame(&mut self, head: usize, body: &[u8]) -> Forward {
        let mut at = 0;
        while at < body.len() {
            at += self.response.skip_to_boundary(&body[at..]);
            if !self.response.is_at_boundary() {
                break;
            }
            if let Some(half) = half_a_frame(&body[at..]) {
                self.count_hits(FaultKind::Truncate);
                return Forward {
                    unchanged: head + at,
                    appended: half,
                    closes: true,
                };
            }
            // Too short to be cut. Its first byte is skipped, so that the next scan stops at the boundary behind it.
            if at < body.len() {
                self.response.scan_body(&body[at..=at], |_| {});
                at += 1;
            }
        }
        Forward::unchanged(head + body.len())
    }

    /// Reports whether the engine has ended the stream and all of it was forwarded.
    pub(super) fn is_done(&self) -> bool {
        self.held.is_empty() && self.response.is_done()
    }

    /// Reports whether the stream can be ended cleanly now, without another byte from the engine.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.response.is_at_boundary()
    }
}

/// Returns `flow` from the time `at` on, and before that an open flow with a wake-up.
fn at_time(at: Instant, now: Instant, flow: Flow) -> (Flow, Option<Instant>) {
    if at <= now {
        (flow, None)
    } else {
        (Flow::Open, Some(at))
    }
}

#[cfg(test)]
mod tests;
