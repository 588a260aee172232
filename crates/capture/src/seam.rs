//! The seam: where in a container's log the delivered lines end, and how a new stream is joined to them exactly.
//!
//! A container's log is a sequence of frames in the order in which the engine appended them. Timestamps rise within each
//! output (one engine thread stamps and appends them) but not between the two: a stdout frame can be stamped first and
//! appended second. `since` filters by timestamp, so "everything since the last line" can lose the late one. A position is
//! therefore a *mark* some seconds back (a timestamp at which a new highest one was seen) with how many frames of each output
//! were delivered since. A new stream asks for everything since the mark; for each output the first `n` frames are the
//! delivered ones, and a chain over their timestamps proves it. Pure arithmetic: no clock, no I/O.

use serde::{Deserialize, Serialize};

use crate::frame::Stream;
use crate::timestamp::Timestamp;

/// Least distance between two marks, and so the least time that a frame of one output may be appended behind a later-stamped
/// one of the other without being lost. The engine stamps a line and takes the log's lock in adjacent statements; only a
/// descheduled thread or a stalled disk puts time between them.
const MARK_DISTANCE_NANOS: i64 = 2_000_000_000;

/// Frames asked for beyond those already delivered, for what the container wrote meanwhile. If it wrote more, the join
/// notices, and everything since the mark is asked for.
const TAIL_ROOM: u64 = 128;

/// A timestamp, and what was delivered at or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) since: Timestamp,
    /// The first frame of the log at or after `since`, where it is known: the proof that a new stream begins here.
    first: Option<Timestamp>,
    counted: [u64; 2],
    chain: [u64; 2],
}

impl Mark {
    const fn at(since: Timestamp) -> Self {
        Self {
            since,
            first: None,
            counted: [0; 2],
            chain: [0; 2],
        }
    }

    /// `quiet`: nothing before this line in the log is undelivered.
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
            // Any mixing function does that depends on order; this is splitmix64's increment as a multiplier.
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

/// The last timestamp delivered of one output, and how many frames carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    time: Timestamp,
    frames: u64,
}

/// Where a container's delivered lines end. A constant number of bytes, however many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The mark to resume from, and a younger one that takes its place. `None`: the counts cannot be trusted, because the
    /// engine itself dropped lines; only [`Self::last`] can.
    marks: Option<[Mark; 2]>,
    last: [Last; 2],
}

impl Default for Position {
    /// Nothing delivered yet.
    fn default() -> Self {
        Self::starting_at(Timestamp::BEGINNING)
    }
}

impl Position {
    /// Nothing delivered yet, and nothing wanted from before `since`.
    pub(crate) fn starting_at(since: Timestamp) -> Self {
        let last = Last {
            time: Timestamp::BEGINNING,
            frames: 0,
        };
        Self {
            marks: Some([Mark::at(since); 2]),
            last: [last; 2],
        }
    }

    /// Takes note of a delivered line of `pieces` frames. `quiet`: no line is unfinished that began before this one; only
    /// then is everything before it in the log delivered, so that a mark may be set here.
    pub(crate) fn record(&mut self, stream: Stream, time: Timestamp, pieces: u32, quiet: bool) {
        if quiet && time > self.newest() {
            match &mut self.marks {
                Some([resume, fresh]) => {
                    let far = fresh.since.is_beginning() || fresh.since.behind(time) >= MARK_DISTANCE_NANOS;
                    if far && (fresh.frames() > 0 || !fresh.since.is_beginning()) {
                        *resume = *fresh;
                        *fresh = Mark::at(time);
                    }
                }
                None => self.marks = Some([Mark::at(time); 2]),
            }
        }
        self.note(stream, time, pieces, quiet);
    }

    /// Takes note of a delivered line without ever setting a mark: for lines read back from a sink, where nobody knows which
    /// other lines were unfinished then.
    pub(crate) fn replay(&mut self, stream: Stream, time: Timestamp, pieces: u32) {
        self.note(stream, time, pieces, false);
    }

    fn note(&mut self, stream: Stream, time: Timestamp, pieces: u32, quiet: bool) {
        for mark in self.marks.iter_mut().flatten() {
            mark.count(stream, time, pieces, quiet);
        }
        let last = &mut self.last[stream.index()];
        if time > last.time {
            *last = Last { time, frames: 0 };
        }
        if time == last.time {
            last.frames += u64::from(pieces);
        }
    }

    /// The highest timestamp delivered.
    pub(crate) fn newest(&self) -> Timestamp {
        self.last[0].time.max(self.last[1].time)
    }

    /// Forgets the marks: the log and the counts no longer agree.
    pub(crate) fn distrust_marks(&mut self) {
        self.marks = None;
    }

    /// How a new stream should be asked for and joined.
    pub(crate) fn join(&self, approach: Approach) -> Join {
        let target = match (approach, self.marks) {
            (Approach::Tail | Approach::Since, Some([resume, _])) => resume,
            _ => Mark::at(self.newest().saturating_sub(MARK_DISTANCE_NANOS)),
        };
        let approach = if self.marks.is_none() {
            Approach::Watermark
        } else {
            approach
        };
        let approach = match approach {
            // Without a mark there is nothing that could prove that the tail was long enough.
            Approach::Tail if target.since.is_beginning() || target.first.is_none() => Approach::Since,
            other => other,
        };
        Join {
            approach,
            target,
            seen: Mark::at(target.since),
            last: self.last,
            equal: [0; 2],
            passed: false,
        }
    }
}

/// How a new stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approach {
    /// Only the last frames, as many as were delivered since the mark and some more: the engine reads its log from the
    /// end. Refused by [`Join::see`] if that was too few.
    Tail,
    /// Everything since the mark: the engine reads all that it retained.
    Since,
    /// As [`Self::Since`], but each frame is judged by its own timestamp against the last delivered one of its output:
    /// the way out where the engine dropped lines that were counted.
    Watermark,
}

/// What a frame of the new stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Delivered already.
    Known,
    /// The next one to deliver.
    New,
    /// The log does not contain what was delivered: ask again with another approach.
    Mismatch {
        /// Lines that were not delivered may be gone too.
        lost: bool,
    },
}

/// The part of a log that a new stream asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Only frames with this timestamp or a later one.
    pub(crate) since: Timestamp,
    /// Only so many of the last frames.
    pub(crate) tail: Option<u64>,
}

/// A new stream on its way from the mark to the end of what was delivered.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    approach: Approach,
    /// What was delivered; grows while the old stream still delivers.
    target: Mark,
    /// What the new stream has shown of it.
    seen: Mark,
    last: [Last; 2],
    /// By watermark: how many frames with exactly the last timestamp were seen.
    equal: [u64; 2],
    /// By watermark: the new stream is well past everything delivered.
    passed: bool,
}

impl Join {
    pub(crate) fn approach(&self) -> Approach {
        self.approach
    }

    /// The last timestamps that were delivered, by output.
    pub(crate) fn delivered_until(&self) -> [Timestamp; 2] {
        self.last.map(|last| last.time)
    }

    /// What to ask the engine for.
    pub(crate) fn ask(&self) -> Ask {
        let tail = (self.approach == Approach::Tail).then(|| self.target.frames() + TAIL_ROOM);
        Ask {
            since: self.target.since,
            tail,
        }
    }

    /// The old stream has delivered one more line.
    pub(crate) fn delivered(&mut self, stream: Stream, time: Timestamp, pieces: u32, position: &Position) {
        self.target.count(stream, time, pieces, false);
        self.last = position.last;
    }

    /// Judges the next frame of the new stream.
    pub(crate) fn see(&mut self, stream: Stream, time: Timestamp) -> Seen {
        if time < self.target.since {
            // An engine that only knows whole seconds.
            return Seen::Known;
        }
        if self.approach == Approach::Watermark {
            return self.see_by_time(stream, time);
        }
        let of = stream.index();
        let younger = time > self.last[of].time;
        if self.seen.frames() == 0 && self.target.first.is_some_and(|first| first != time) {
            return Seen::Mismatch { lost: younger };
        }
        if self.seen.counted[of] == self.target.counted[of] {
            return Seen::New;
        }
        if younger {
            // Nothing this young was delivered, so the frames that were counted are gone.
            return Seen::Mismatch { lost: true };
        }
        self.seen.count(stream, time, 1, true);
        if self.seen.counted[of] == self.target.counted[of] && !self.seen.agrees_with(&self.target, stream) {
            return Seen::Mismatch { lost: true };
        }
        Seen::Known
    }

    fn see_by_time(&mut self, stream: Stream, time: Timestamp) -> Seen {
        let newest = self.last[0].time.max(self.last[1].time);
        self.passed |= newest.behind(time) > MARK_DISTANCE_NANOS;
        let last = self.last[stream.index()];
        let equal = &mut self.equal[stream.index()];
        if time < last.time {
            return Seen::Known;
        }
        if time == last.time && *equal < last.frames {
            *equal += 1;
            return Seen::Known;
        }
        Seen::New
    }

    /// True once every delivered frame was seen: whatever comes now is new.
    pub(crate) fn is_done(&self) -> bool {
        match self.approach {
            Approach::Watermark => self.passed,
            Approach::Tail | Approach::Since => self.seen.counted == self.target.counted,
        }
    }

    /// True if the old stream may be closed now: the new one alone misses nothing.
    pub(crate) fn can_take_over(&self) -> bool {
        self.approach == Approach::Watermark || self.is_done()
    }
}

#[cfg(test)]
mod properties;
