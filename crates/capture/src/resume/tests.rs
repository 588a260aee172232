//! Properties of resuming: each line once and in order on any log, through rotations, cuts and restarts.
//!
//! A model of the engine answers `since` and `tail` over logs with everything that makes joining hard: timestamps shared by
//! several lines, lines of one output appended behind younger ones of the other, pieces interleaved with lines.

use proptest::prelude::*;

use super::{FrameStatus, Join, LogRequest, Position, ResumeStrategy};
use crate::assemble::{Assembler, Line};
use crate::frame::{Frame, Stream};
use crate::timestamp::Timestamp;

/// The largest delay between the timestamp of a frame and its append, according to decision record 0002.
const LATEST_NANOS: i64 = 2_000_000_000;

/// A frame in the engine's log.
#[derive(Clone, Debug)]
struct Kept {
    stream: Stream,
    time: Timestamp,
    text: String,
    ends_line: bool,
}

/// A delivered line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delivered {
    stream: Stream,
    time: Timestamp,
    text: String,
    pieces: u32,
}

/// A step in generating a log: output, time since the step before, delay of the append, pieces if a line begins.
#[derive(Clone, Copy, Debug)]
struct Step {
    stderr: bool,
    later: i64,
    lag: i64,
    pieces: u32,
}

fn step() -> impl Strategy<Value = Step> {
    let later = prop_oneof![
        3 => Just(0),
        3 => Just(1),
        3 => Just(1_000_000),
        2 => Just(700_000_000),
        1 => Just(5_000_000_000),
    ];
    let lag = prop_oneof![4 => Just(0), 1 => 0..LATEST_NANOS];
    let pieces = prop_oneof![6 => Just(1_u32), 1 => 2..5_u32];
    (prop::bool::weighted(0.4), later, lag, pieces).prop_map(|(stderr, later, lag, pieces)| Step {
        stderr,
        later,
        lag,
        pieces,
    })
}

/// Generates a log. Timestamps rise within each output; pieces of a line share one, and the other output may interleave.
fn log(steps: &[Step]) -> Vec<Kept> {
    let mut now = 1_000_000_000_000;
    let mut last = [i64::MIN; 2];
    let mut open: [Option<(i64, u32)>; 2] = [None; 2];
    let mut log = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let stream = Stream::ALL[usize::from(step.stderr)];
        now += step.later;
        let (time, left) = open[stream.index()]
            .take()
            .unwrap_or_else(|| ((now - step.lag).max(last[stream.index()]), step.pieces));
        last[stream.index()] = time;
        open[stream.index()] = (left > 1).then_some((time, left - 1));
        let text = format!("[{number}]");
        log.push(Kept {
            stream,
            time: Timestamp::from_nanos(time),
            text,
            ends_line: left == 1,
        });
    }
    log
}

/// Returns all complete lines of a log in the order of their ends.
fn lines(log: &[Kept]) -> Vec<Delivered> {
    let mut assembler = Assembler::new(usize::MAX);
    let mut lines = Vec::new();
    for kept in log {
        assembler.push(&kept.frame(), |line, _| lines.push(Delivered::from(&line)));
    }
    lines
}

impl Kept {
    fn frame(&self) -> Frame<'_> {
        Frame {
            stream: self.stream,
            time: self.time,
            text: self.text.as_bytes(),
            ends_line: self.ends_line,
        }
    }
}

impl From<&Line<'_>> for Delivered {
    fn from(line: &Line<'_>) -> Self {
        let text = String::from_utf8_lossy(line.text).into_owned();
        Self {
            stream: line.stream,
            time: line.time,
            text,
            pieces: line.pieces,
        }
    }
}

/// A stream of the engine.
struct Served {
    at: usize,
    since: Timestamp,
    assembler: Assembler,
    join: Option<Join>,
}

/// A model of the engine and a follower.
struct World {
    log: Vec<Kept>,
    /// Frames before this index were dropped.
    dropped: usize,
    /// Frames before this index are written.
    written: usize,
    position: Position,
    current: Option<Served>,
    successor: Option<Served>,
    escalated: Option<ResumeStrategy>,
    delivered: Vec<Delivered>,
    /// A stored position, and the number of lines delivered before it.
    snapshot: (Position, usize),
}

/// A step of a schedule.
#[derive(Clone, Copy, Debug)]
enum Act {
    Write(usize),
    Read(usize),
    Rotate(ResumeStrategy),
    SuccessorReads(usize),
    Cut,
    Store,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..12_usize).prop_map(Act::Write),
        4 => (1..12_usize).prop_map(Act::Read),
        3 => prop_oneof![Just(ResumeStrategy::Tail), Just(ResumeStrategy::Since)].prop_map(Act::Rotate),
        4 => (1..12_usize).prop_map(Act::SuccessorReads),
        1 => Just(Act::Cut),
        1 => Just(Act::Store),
        1 => Just(Act::Restart),
    ]
}

impl World {
    fn new(log: Vec<Kept>) -> Self {
        let position = Position::default();
        Self {
            log,
            dropped: 0,
            written: 0,
            position,
            current: None,
            successor: None,
            escalated: None,
            delivered: Vec::new(),
            snapshot: (position, 0),
        }
    }

    fn serve(&self, join: Join) -> Served {
        let LogRequest { since, tail } = join.request();
        // A short margin, so that tails that are too short occur.
        let tail = tail.map_or(usize::MAX, |_| usize::try_from(join.target.frames() + 3).unwrap());
        let at = self.dropped.max(self.written.saturating_sub(tail));
        let join = (!join.is_done()).then_some(join);
        Served {
            at,
            since,
            assembler: Assembler::new(usize::MAX),
            join,
        }
    }

    fn open(&mut self, usual: ResumeStrategy) -> Served {
        let join = self.position.join(self.escalated.take().unwrap_or(usual));
        self.serve(join)
    }

    fn escalate(&mut self, failed: ResumeStrategy) {
        self.escalated = Some(match failed {
            ResumeStrategy::Tail => ResumeStrategy::Since,
            ResumeStrategy::Since | ResumeStrategy::Watermark => {
                self.position.invalidate_anchors();
                ResumeStrategy::Watermark
            }
        });
    }

    /// Returns the next frame of `served`, if there is one.
    fn send(log: &[Kept], written: usize, served: &mut Served) -> Option<Kept> {
        while served.at < written {
            served.at += 1;
            let kept = &log[served.at - 1];
            if kept.time >= served.since {
                return Some(kept.clone());
            }
        }
        None
    }

    fn take(&mut self, served: &mut Served, kept: &Kept) {
        let other = &mut self.successor;
        let (position, delivered) = (&mut self.position, &mut self.delivered);
        served.assembler.push(&kept.frame(), |line, quiet| {
            position.record(line.stream, line.time, line.pieces, quiet);
            if let Some(join) = other.as_mut().and_then(|served| served.join.as_mut()) {
                join.delivered(line.stream, line.time, line.pieces, position);
            }
            delivered.push(Delivered::from(&line));
        });
    }

    /// Reads up to `count` frames of the current stream; a mismatch ends it.
    fn read(&mut self, count: usize) {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.open(ResumeStrategy::Since),
        };
        for _ in 0..count {
            let Some(kept) = Self::send(&self.log, self.written, &mut current) else {
                break;
            };
            match see(&mut current, &kept) {
                FrameStatus::Known => {}
                FrameStatus::New => self.take(&mut current, &kept),
                FrameStatus::Mismatch { .. } => {
                    let failed = current.join.as_ref().unwrap().strategy();
                    self.escalate(failed);
                    return;
                }
            }
        }
        self.current = Some(current);
    }

    fn rotate(&mut self, strategy: ResumeStrategy) {
        if self.current.is_none() || self.successor.is_some() {
            return;
        }
        let successor = self.open(strategy);
        if successor.join.as_ref().is_none_or(Join::can_take_over) {
            self.current = Some(successor);
        } else {
            self.successor = Some(successor);
        }
    }

    fn successor_reads(&mut self, count: usize) {
        for _ in 0..count {
            let Some(mut successor) = self.successor.take() else {
                return;
            };
            let Some(kept) = Self::send(&self.log, self.written, &mut successor) else {
                self.successor = Some(successor);
                return;
            };
            let failed = successor.join.as_ref().map(Join::strategy);
            match see(&mut successor, &kept) {
                FrameStatus::Known if successor.join.is_none() => self.current = Some(successor),
                FrameStatus::Known => self.successor = Some(successor),
                FrameStatus::New => {
                    self.take(&mut successor, &kept);
                    self.current = Some(successor);
                }
                FrameStatus::Mismatch { .. } => {
                    self.escalate(failed.unwrap());
                    self.rotate(ResumeStrategy::Tail);
                }
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write(count) => self.written = (self.written + count).min(self.log.len()),
            Act::Read(count) => self.read(count),
            Act::Rotate(strategy) => self.rotate(strategy),
            Act::SuccessorReads(count) => self.successor_reads(count),
            Act::Cut => (self.current, self.successor) = (None, None),
            Act::Store => self.snapshot = (self.position, self.delivered.len()),
            Act::Restart => {
                (self.current, self.successor, self.escalated) = (None, None, None);
                self.position = self.snapshot.0;
                for line in &self.delivered[self.snapshot.1..] {
                    self.position.replay(line.stream, line.time, line.pieces);
                }
            }
        }
    }

    /// Writes the rest of the log and reads it to the end.
    fn finish(&mut self) {
        self.written = self.log.len();
        for _ in 0..4 {
            self.successor_reads(usize::MAX);
            self.read(usize::MAX);
        }
    }
}

fn see(served: &mut Served, kept: &Kept) -> FrameStatus {
    let Some(join) = &mut served.join else {
        return FrameStatus::New;
    };
    let seen = join.check(kept.stream, kept.time);
    if join.is_done() && !matches!(seen, FrameStatus::Mismatch { .. }) {
        served.join = None;
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_line_is_delivered_once_and_in_order_in_any_schedule(
        steps in prop::collection::vec(step(), 1..120),
        acts in prop::collection::vec(act(), 1..80),
    ) {
        let mut world = World::new(log(&steps));
        for act in acts {
            world.act(act);
        }
        world.finish();
        prop_assert_eq!(&world.delivered, &lines(&world.log));
    }

    #[test]
    fn dropped_lines_cause_neither_repeated_nor_lost_lines(
        steps in prop::collection::vec(step(), 1..120),
        acts in prop::collection::vec(act(), 1..60),
        drop in any::<prop::sample::Index>(),
    ) {
        // A partly dropped line cannot be delivered whole, and lines with one timestamp cannot be told apart. (The engine's
        // timestamps have nanoseconds; two lines of an output never shared one.)
        let steps: Vec<Step> = steps
            .into_iter()
            .map(|step| Step { pieces: 1, lag: 0, later: step.later + 1, ..step })
            .collect();
        let mut world = World::new(log(&steps));
        for act in acts {
            world.act(act);
        }
        let before = world.delivered.len();
        world.dropped = drop.index(world.written + 1);
        world.act(Act::Cut);
        world.finish();
        let all = lines(&world.log);
        let expected: Vec<_> = all[..before].iter().chain(&all[before.max(world.dropped)..]).cloned().collect();
        prop_assert_eq!(&world.delivered, &expected);
    }
}

#[test]
fn the_rotation_of_an_idle_container_reads_few_frames() {
    let mut position = Position::default();
    for second in 0..1000 {
        position.record(Stream::Stdout, Timestamp::from_nanos(second * 1_000_000_000), 1, true);
    }
    let join = position.join(ResumeStrategy::Tail);
    assert_eq!(join.strategy(), ResumeStrategy::Tail);
    assert!(join.target.frames() <= 5, "{}", join.target.frames());
}

#[test]
fn a_position_has_the_documented_size() {
    assert_eq!(std::mem::size_of::<Position>(), 144);
}
