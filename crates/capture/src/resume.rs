//! Resuming a log: the position behind the delivered lines, and the exact join of a new stream to it.
//!
//! A log is a sequence of frames in the order in which the engine appended them. Timestamps rise within each output, because
//! one engine thread stamps and appends them, but not between the two: a stdout frame can be stamped first and appended
//! second. `since` filters by timestamp, so a request for everything since the last line can lose the late one.
//!
//! A position is therefore an *anchor*, a timestamp some seconds back at which a new highest one was seen, and the number of
//! frames per output delivered since. A new stream requests everything since the anchor. The first `n` frames of each output
//! are the delivered ones, and a chain over their timestamps proves it. This is pure arithmetic without clock or I/O.

use serde::{Deserialize, Serialize};

use crate::frame::Stream;
use crate::timestamp::Timestamp;

/// The smallest distance between two anchors. A frame may be appended this late behind a later-stamped frame of the other
/// output without being lost. The engine stamps a line and takes the log's lock in adjacent statements; only a descheduled
/// thread or a stalled disk separates them.
const ANCHOR_DISTANCE_NANOS: i64 = 2_000_000_000;

/// Frames requested beyond the delivered ones, for lines written in the meantime. If there are more, the join notices, and
/// everything since the anchor is requested.
const TAIL_MARGIN: u64 = 128;

/// A timestamp and the frames delivered at or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pub(crate) since: Timestamp,
    /// The first frame of the log at or after `since`, if known. It proves that a new stream begins here.
    first: Option<Timestamp>,
    counted: [u64; 2],
    chain: [u64; 2],
}

impl Anchor {
    const fn at(since: Timestamp) -> Self {
        Self {
            since,
            first: None,
            counted: [0; 2],
            chain: [0; 2],
        }
    }

    /// Counts a delivered line. `quiet`: everything before it in the log is delivered.
    fn count(&mut self, stream: Stream, time: Timestamp, pieces: u32, quiet: bool) {
        if time < self.since {
            return;
        }
        if quiet && self.frames() == 0 {
            self.first = Some(time);
        }
        let of = stream.index();
        for _ in 0..pieces {
            self.counted[of] += 1;
            // Any mixing function that depends on the order will do; this is splitmix64's increment as a multiplier.
            let mixed = (self.chain[of] ^ time.as_nanos().cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.chain[of] = mixed.rotate_left(23);
        }
    }

    pub(crate) fn frames(&self) -> u64 {
        self.counted.iter().sum()
    }

    fn agrees_with(&self, other: &Self, stream: Stream) -> bool {
        self.chain[stream.index()] == other.chain[stream.index()]
    }
}

/// The last delivered timestamp of one output, and the number of delivered frames with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    time: Timestamp,
    frames: u64,
}

/// The position behind the delivered lines of a container. Its size does not depend on their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The anchor to resume from, and a younger one that will replace it. `None` if the counts are invalid, because the engine
    /// dropped lines; then only [`Self::last`] counts.
    #[serde(rename = "marks")]
    anchors: Option<[Anchor; 2]>,
    last: [Last; 2],
}

impl Default for Position {
    /// Returns the position before the first line.
    fn default() -> Self {
        Self::starting_at(Timestamp::BEGINNING)
    }
}

impl Position {
    /// Returns the position before the first line at or after `since`.
    pub(crate) fn starting_at(since: Timestamp) -> Self {
        let last = Last {
            time: Timestamp::BEGINNING,
            frames: 0,
        };
        Self {
            anchors: Some([Anchor::at(since); 2]),
            last: [last; 2],
        }
    }

    /// Records a delivered line of `pieces` frames. `quiet`: no line that began before it is unfinished. Only then is everything
    /// before it delivered, so that an anchor may be set here.
    pub(crate) fn record(&mut self, stream: Stream, time: Timestamp, pieces: u32, quiet: bool) {
        if quiet && time > self.newest() {
            match &mut self.anchors {
                Some([resume, fresh]) => {
                    let far = fresh.since.is_beginning() || fresh.since.behind(time) >= ANCHOR_DISTANCE_NANOS;
                    if far && (fresh.frames() > 0 || !fresh.since.is_beginning()) {
                        *resume = *fresh;
                        *fresh = Anchor::at(time);
                    }
                }
                None => self.anchors = Some([Anchor::at(time); 2]),
            }
        }
        self.note(stream, time, pieces, quiet);
    }

    /// Records a delivered line without setting an anchor, for lines read back from a sink: it is not known which other lines
    /// were unfinished.
    pub(crate) fn replay(&mut self, stream: Stream, time: Timestamp, pieces: u32) {
        self.note(stream, time, pieces, false);
    }

    fn note(&mut self, stream: Stream, time: Timestamp, pieces: u32, quiet: bool) {
        for anchor in self.anchors.iter_mut().flatten() {
            anchor.count(stream, time, pieces, quiet);
        }
        let last = &mut self.last[stream.index()];
        if time > last.time {
            *last = Last { time, frames: 0 };
        }
        if time == last.time {
            last.frames += u64::from(pieces);
        }
    }

    /// Returns the highest delivered timestamp.
    pub(crate) fn newest(&self) -> Timestamp {
        self.last[0].time.max(self.last[1].time)
    }

    /// Drops the anchors, because the log does not match the counts.
    pub(crate) fn invalidate_anchors(&mut self) {
        self.anchors = None;
    }

    /// Returns the join of a new stream to this position.
    pub(crate) fn join(&self, strategy: ResumeStrategy) -> Join {
        let target = match (strategy, self.anchors) {
            (ResumeStrategy::Tail | ResumeStrategy::Since, Some([resume, _])) => resume,
            _ => Anchor::at(self.newest().saturating_sub(ANCHOR_DISTANCE_NANOS)),
        };
        let strategy = if self.anchors.is_none() {
            ResumeStrategy::Watermark
        } else {
            strategy
        };
        let strategy = match strategy {
            // Only an anchor with a first frame can prove that the tail was long enough.
            ResumeStrategy::Tail if target.since.is_beginning() || target.first.is_none() => ResumeStrategy::Since,
            other => other,
        };
        Join {
            strategy,
            target,
            seen: Anchor::at(target.since),
            last: self.last,
            equal: [0; 2],
            passed: false,
        }
    }
}

/// The way in which a new stream is requested and joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResumeStrategy {
    /// The last frames only: as many as were delivered since the anchor, and [`TAIL_MARGIN`]. The engine reads its log from the
    /// end. [`Join::check`] reports a mismatch if they are too few.
    Tail,
    /// Everything since the anchor. The engine reads all of its log.
    Since,
    /// Everything since the anchor, but each frame is compared with the last delivered timestamp of its output. This is the
    /// fallback if the engine dropped counted lines.
    Watermark,
}

/// The status of a frame of a new stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameStatus {
    /// It was delivered already.
    Known,
    /// It is the next one to deliver.
    New,
    /// The log does not contain the delivered frames. Another strategy is needed.
    Mismatch {
        /// Undelivered lines may be gone too.
        lost: bool,
    },
}

/// The part of a log that a new stream requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRequest {
    /// Only frames with this timestamp or a later one.
    pub(crate) since: Timestamp,
    /// Only this many of the last frames.
    pub(crate) tail: Option<u64>,
}

/// The progress of a new stream from the anchor to the end of the delivered frames.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    strategy: ResumeStrategy,
    /// The delivered frames; more are added while the old stream delivers.
    target: Anchor,
    /// Those of them that the new stream has shown.
    seen: Anchor,
    last: [Last; 2],
    /// With [`ResumeStrategy::Watermark`]: the number of frames with exactly the last timestamp.
    equal: [u64; 2],
    /// With [`ResumeStrategy::Watermark`]: the new stream is well behind everything delivered.
    passed: bool,
}

impl Join {
    pub(crate) fn strategy(&self) -> ResumeStrategy {
        self.strategy
    }

    /// Returns the last delivered timestamp of each output.
    pub(crate) fn delivered_until(&self) -> [Timestamp; 2] {
        self.last.map(|last| last.time)
    }

    /// Returns the part of the log to request.
    pub(crate) fn request(&self) -> LogRequest {
        let tail = (self.strategy == ResumeStrategy::Tail).then(|| self.target.frames() + TAIL_MARGIN);
        LogRequest {
            since: self.target.since,
            tail,
        }
    }

    /// Records a line that the old stream has delivered in the meantime.
    pub(crate) fn delivered(&mut self, stream: Stream, time: Timestamp, pieces: u32, position: &Position) {
        self.target.count(stream, time, pieces, false);
        self.last = position.last;
    }

    /// Checks the next frame of the new stream.
    pub(crate) fn check(&mut self, stream: Stream, time: Timestamp) -> FrameStatus {
        if time < self.target.since {
            // The engine supports whole seconds only.
            return FrameStatus::Known;
        }
        if self.strategy == ResumeStrategy::Watermark {
            return self.check_by_time(stream, time);
        }
        let of = stream.index();
        let younger = time > self.last[of].time;
        if self.seen.frames() == 0 && self.target.first.is_some_and(|first| first != time) {
            return FrameStatus::Mismatch { lost: younger };
        }
        if self.seen.counted[of] == self.target.counted[of] {
            return FrameStatus::New;
        }
        if younger {
            // The frame is younger than all delivered ones, so the counted ones are gone.
            return FrameStatus::Mismatch { lost: true };
        }
        self.seen.count(stream, time, 1, true);
        if self.seen.counted[of] == self.target.counted[of] && !self.seen.agrees_with(&self.target, stream) {
            return FrameStatus::Mismatch { lost: true };
        }
        FrameStatus::Known
    }

    fn check_by_time(&mut self, stream: Stream, time: Timestamp) -> FrameStatus {
        let newest = self.last[0].time.max(self.last[1].time);
        self.passed |= newest.behind(time) > ANCHOR_DISTANCE_NANOS;
        let last = self.last[stream.index()];
        let equal = &mut self.equal[stream.index()];
        if time < last.time {
            return FrameStatus::Known;
        }
        if time == last.time && *equal < last.frames {
            *equal += 1;
            return FrameStatus::Known;
        }
        FrameStatus::New
    }

    /// Returns `true` once every delivered frame was shown, so that all further ones are new.
    pub(crate) fn is_done(&self) -> bool {
        match self.strategy {
            ResumeStrategy::Watermark => self.passed,
            ResumeStrategy::Tail | ResumeStrategy::Since => self.seen.counted == self.target.counted,
        }
    }

    /// Returns `true` if the old stream may be closed: the new one alone misses nothing.
    pub(crate) fn can_take_over(&self) -> bool {
        self.strategy == ResumeStrategy::Watermark || self.is_done()
    }
}

#[cfg(test)]
mod tests;
