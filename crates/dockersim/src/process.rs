//! The process in a simulated container: noise, one of a few common test commands, or nothing.

use std::time::{Duration, Instant};

use leakcheck_model::scenario::Rate;
use leakcheck_model::stamp::Stream;
use leakcheck_noise::{Emitter, Pace, Settings};

use crate::clock;
use crate::log::Log;
use crate::script::{Script, Step};
use crate::signal::{SIGINT, SIGKILL, SIGTERM};

/// Lines that a `max` emitter writes per wakeup. With a wakeup every 5 ms that is 600 000 a second, the best rate of a real
/// engine (docs/benchmarks.md).
const MAX_LINES_PER_WAKEUP: u64 = 3000;

/// Lines of a paced emitter per wakeup, so that one that catches up does not block others.
const PACED_LINES_PER_WAKEUP: u64 = 5000;

/// Bytes per write to the log, so that the buffer fits the processor's cache and is reused by the allocator.
const WRITE_SIZE: usize = 32 << 10;

/// Largest delay that an emitter catches up, for example after a pause. As in the noise process, earlier lines are skipped.
const MAX_LAG: Duration = Duration::from_secs(1);

/// Steps of a script per wakeup, so that a loop without a pause does not block others.
const STEPS_PER_WAKEUP: usize = 100;

/// Longest time that a `max` emitter waits for its slowest reader.
const MAX_READER_WAIT: Duration = Duration::from_secs(5);

/// The next wakeup of a process.
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
    Script(Box<RunningScript>),
    /// Any other command: silent until it is stopped.
    Idle,
}

/// A running script.
#[derive(Debug)]
pub(crate) struct RunningScript {
    script: Script,
    /// The next step.
    at: usize,
    /// The exit code of the last step.
    code: i32,
    asleep_until: Option<Instant>,
}

/// A running emitter.
#[derive(Debug)]
pub(crate) struct NoiseProcess {
    emitter: Emitter,
    pace: Pace,
    is_max: bool,
    total: u64,
    written: u64,
    started: Instant,
    waiting_since: Option<Instant>,
}

impl Process {
    /// Starts the process of a container with this argument list.
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
        Self::Script(Box::new(RunningScript {
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
                total: settings.lines.unwrap_or(u64::MAX),
                written: 0,
                started: now,
                waiting_since: None,
            })),
            // As in the real command, usage errors go to standard error and the exit code is 2.
            Err(error) => Self::script(Script {
                steps: vec![
                    Step::Print(Stream::Stderr, format!("error: {error}\n").into_bytes()),
                    Step::Exit(2),
                ],
                is_loop: false,
            }),
        }
    }

    /// Runs the steps that are due.
    pub(crate) fn advance(&mut self, log: &Output<'_>, now: Instant) -> Next {
        match self {
            Self::Noise(noise) => noise.advance(log, now),
            Self::Script(running) => running.advance(log, now),
            Self::Idle => Next::Never,
        }
    }

    /// Handles a signal, and returns the exit code if it ends the process.
    pub(crate) fn signal(&mut self, signal: u8, log: &Output<'_>) -> Option<i32> {
        match (self, signal) {
            (_, SIGKILL) => Some(128 + i32::from(SIGKILL)),
            (Self::Noise(noise), SIGTERM | SIGINT) => {
                let mut last = Vec::new();
                noise.emitter.end(&mut last);
                log.write(Stream::Stdout, &last);
                Some(0)
            }
            // As in a real container, a shell or `sleep` as process 1 ignores signals that it does not handle.
            (Self::Idle, SIGTERM | SIGINT) => Some(128 + i32::from(signal)),
            _ => None,
        }
    }
}

impl RunningScript {
    fn advance(&mut self, log: &Output<'_>, now: Instant) -> Next {
        if let Some(until) = self.asleep_until.filter(|until| *until > now) {
            return Next::At(until);
        }
        self.asleep_until = None;
        for _ in 0..STEPS_PER_WAKEUP {
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
                Step::Print(stream, text) => {
                    log.write(*stream, text);
                    self.code = 0;
                }
                Step::Code(code) => self.code = *code,
                Step::Exit(code) => return Next::Exit(*code),
                Step::Sleep(None) => {
                    // After a pause the same sleep continues.
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
        let limit = if self.is_max {
            MAX_LINES_PER_WAKEUP
        } else {
            PACED_LINES_PER_WAKEUP
        };
        let due = self
            .pace
            .due(now.saturating_duration_since(self.started))
            .min(self.total);
        let end = due.min(self.written.saturating_add(limit));
        let (mut lines, mut stream) = (Vec::new(), Stream::Stdout);
        while self.written < end {
            if lines.len() >= WRITE_SIZE {
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
        if self.written >= self.total {
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
        if !self.is_max && now > at + MAX_LAG {
            self.started += now - at;
        }
        Next::At(at.max(now))
    }

    /// Returns true if a `max` emitter must wait, because the log would drop unread lines.
    fn must_wait(&mut self, log: &Log, now: Instant) -> bool {
        if log.backlog().unwrap_or(0) < log.max_backlog() {
            self.waiting_since = None;
            return false;
        }
        now.duration_since(*self.waiting_since.get_or_insert(now)) < MAX_READER_WAIT
    }
}

/// The output of a process.
pub(crate) struct Output<'a> {
    pub(crate) log: &'a Log,
    /// True for a terminal: one stream, with lines that end in `\r\n`.
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
