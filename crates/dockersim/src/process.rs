//! The process in a simulated container: noise, one of a few common test commands, or nothing.

use std::time::{Duration, Instant};

use leakcheck_model::scenario::Rate;
use leakcheck_model::stamp::Stream;
use leakcheck_noise::{Emitter, Pace, Settings};

use crate::clock;
use crate::log::Log;
use crate::script::{Script, Step};
use crate::signal::{SIGINT, SIGKILL, SIGTERM};

/// Lines that a `max` emitter writes at a turn: with a turn each 5 ms this is 600 000 a second, what a real engine
/// takes at best (docs/benchmarks.md).
const MAX_AT_A_TURN: u64 = 3000;

/// Lines of a paced emitter per turn, so that one that catches up does not block others.
const PACED_AT_A_TURN: u64 = 5000;

/// Bytes of lines that are handed to the log at one time: a buffer that stays in the processor's cache, and in the allocator's hands.
const WRITE: usize = 32 << 10;

/// An emitter that fell behind by more than this (it was paused) forgives the rest, as the noise process does.
const FORGIVE: Duration = Duration::from_secs(1);

/// Steps of a script per turn, so that a loop without a pause does not block others.
const STEPS_AT_A_TURN: usize = 100;

/// Longest time that a `max` emitter waits for its slowest reader.
const PATIENCE: Duration = Duration::from_secs(5);

/// The next turn of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    At(Instant),
    Exit(i32),
    Never,
}

/// The kind of process.
#[derive(Debug)]
pub(crate) enum Process {
    Noise(Box<NoiseProcess>),
    Script(Box<Running>),
    /// Any other command: silent until it is stopped.
    Idle,
}

/// A running script.
#[derive(Debug)]
pub(crate) struct Running {
    script: Script,
    /// The next step.
    at: usize,
    /// The exit code of what was done last.
    code: i32,
    asleep_until: Option<Instant>,
}

/// A running emitter.
#[derive(Debug)]
pub(crate) struct NoiseProcess {
    emitter: Emitter,
    pace: Pace,
    is_max: bool,
    wanted: u64,
    written: u64,
    started: Instant,
    waiting_since: Option<Instant>,
}

impl Process {
    /// The process of a container whose entrypoint and command are these words.
    pub(crate) fn spawn(words: &[String], now: Instant) -> Self {
        let name = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
        match (name, words.get(1..).unwrap_or_default()) {
            ("noise", arguments) => Self::noise(arguments, now),
            ("leakcheck", [word, arguments @ ..]) if word == "noise" => Self::noise(arguments, now),
            _ => Script::parse(words).map_or(Self::Idle, Self::script),
        }
    }

    /// Returns true if the command is not simulated: its container is silent until it is stopped.
    pub(crate) fn is_idle(words: &[String]) -> bool {
        matches!(Self::spawn(words, Instant::now()), Self::Idle)
    }

    fn script(script: Script) -> Self {
        Self::Script(Box::new(Running {
            script,
            at: 0,
            code: 0,
            asleep_until: None,
        }))
    }

    fn noise(arguments: &[String], now: Instant) -> Self {
        match Settings::from_arguments(arguments) {
            Ok(settings) => Self::Noise(Box::new(NoiseProcess {
                emitter: Emitter::new(&settings),
                pace: Pace::from_settings(&settings),
                is_max: settings.lines_per_second == Rate::Max,
                wanted: settings.lines.unwrap_or(u64::MAX),
                written: 0,
                started: now,
                waiting_since: None,
            })),
            // Usage errors go to standard error and exit with 2, as those of the real command.
            Err(error) => Self::script(Script {
                steps: vec![
                    Step::Say(Stream::Stderr, format!("error: {error}\n").into_bytes()),
                    Step::Exit(2),
                ],
                is_loop: false,
            }),
        }
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, log: &Output<'_>, now: Instant) -> Next {
        match self {
            Self::Noise(noise) => noise.advance(log, now),
            Self::Script(running) => running.advance(log, now),
            Self::Idle => Next::Never,
        }
    }

    /// Receives a signal; returns the exit code if it ends.
    pub(crate) fn signal(&mut self, signal: u8, log: &Output<'_>) -> Option<i32> {
        match (self, signal) {
            (_, SIGKILL) => Some(128 + i32::from(SIGKILL)),
            (Self::Noise(noise), SIGTERM | SIGINT) => {
                let mut last = Vec::new();
                noise.emitter.end(&mut last);
                log.write(Stream::Stdout, &last);
                Some(0)
            }
            // A shell or a sleep that is process 1 ignores what it does not handle, as in a real container.
            (Self::Idle, SIGTERM | SIGINT) => Some(128 + i32::from(signal)),
            _ => None,
        }
    }
}

impl Running {
    fn advance(&mut self, log: &Output<'_>, now: Instant) -> Next {
        if let Some(until) = self.asleep_until.filter(|until| *until > now) {
            return Next::At(until);
        }
        self.asleep_until = None;
        for _ in 0..STEPS_AT_A_TURN {
            if self.at == self.script.steps.len() {
                if !self.script.is_loop {
                    return Next::Exit(self.code);
                }
                self.at = 0;
            }
            let Some(step) = self.script.steps.get(self.at) else {
                return Next::Never;
            };
            self.at += 1;
            match step {
                Step::Say(stream, text) => {
                    log.write(*stream, text);
                    self.code = 0;
                }
                Step::Code(code) => self.code = *code,
                Step::Exit(code) => return Next::Exit(*code),
                Step::Sleep(None) => {
                    // Woken without a reason (it was paused), it sleeps on.
                    self.at -= 1;
                    return Next::Never;
                }
                Step::Sleep(Some(time)) => {
                    self.code = 0;
                    let Some(until) = now.checked_add(*time) else {
                        return Next::Never;
                    };
                    self.asleep_until = Some(until);
                    return Next::At(until);
                }
            }
        }
        Next::At(now)
    }
}

impl NoiseProcess {
    fn advance(&mut self, log: &Output<'_>, now: Instant) -> Next {
        if self.is_max && self.must_wait(log.log, now) {
            return Next::At(now);
        }
        let limit = if self.is_max { MAX_AT_A_TURN } else { PACED_AT_A_TURN };
        let due = self
            .pace
            .due(now.saturating_duration_since(self.started))
            .min(self.wanted);
        let end = due.min(self.written.saturating_add(limit));
        let (mut lines, mut stream) = (Vec::new(), Stream::Stdout);
        while self.written < end {
            if lines.len() >= WRITE {
                log.write(stream, &lines);
                lines.clear();
            }
            let before = lines.len();
            let next = self.emitter.next_line(&mut lines);
            if next != stream {
                let line = lines.split_off(before);
                log.write(stream, &lines);
                (lines, stream) = (line, next);
            }
            self.written += 1;
        }
        if self.written >= self.wanted {
            log.write(stream, &lines);
            let mut last = Vec::new();
            self.emitter.end(&mut last);
            log.write(Stream::Stdout, &last);
            return Next::Exit(0);
        }
        log.write(stream, &lines);
        self.next(now)
    }

    fn next(&mut self, now: Instant) -> Next {
        let Some(after) = self.pace.next_due(self.written) else {
            return Next::Never;
        };
        let at = self.started + after;
        if !self.is_max && now > at + FORGIVE {
            self.started += now - at;
        }
        Next::At(at.max(now))
    }

    /// Returns true if a `max` emitter must wait, because the log would drop unread lines.
    fn must_wait(&mut self, log: &Log, now: Instant) -> bool {
        if log.behind().unwrap_or(0) < log.room_ahead() {
            self.waiting_since = None;
            return false;
        }
        now.duration_since(*self.waiting_since.get_or_insert(now)) < PATIENCE
    }
}

/// The output of a process.
pub(crate) struct Output<'a> {
    pub(crate) log: &'a Log,
    /// A terminal has one stream, and ends its lines with `\r\n`.
    pub(crate) tty: bool,
}

impl Output<'_> {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !self.tty {
            return self.log.append(stream, bytes, clock::now());
        }
        let mut cooked = Vec::with_capacity(bytes.len() + 16);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => cooked.extend([text, b"\r\n"].concat()),
                None => cooked.extend_from_slice(line),
            }
        }
        self.log.append(Stream::Stdout, &cooked, clock::now());
    }
}
