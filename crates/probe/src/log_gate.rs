//! Counts patterns in the target's own output as it grows: `deadline_errors = { log = "context deadline exceeded" }`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use regex_lite::Regex;

use crate::tail::{CHUNK, Looked, Tail};

/// Most bytes read in one look, so that a target that floods its log does not hold up the sampling.
const LOOK_BYTES: usize = 4 << 20;

/// Longest time of one look, for the same reason: patterns cost up to a microsecond for each ten bytes.
const LOOK_TIME: Duration = Duration::from_millis(50);

/// Longest part of a line without its end that is kept; the beginning of a longer one is searched by itself.
const LINE_BYTES: usize = 64 << 10;

/// One growing file and the patterns counted in it.
#[derive(Debug)]
pub struct LogGate {
    path: PathBuf,
    tail: Option<Tail>,
    gates: Vec<Gate>,
    /// The last line, of which the end has not been written.
    rest: Vec<u8>,
}

#[derive(Debug)]
struct Gate {
    pattern: Pattern,
    count: u64,
}

#[derive(Debug)]
enum Pattern {
    /// Without any special character: a plain search, fifty times as fast.
    Literal(Box<Finder<'static>>),
    Regex(Regex),
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a regular expression: {why}")]
pub struct PatternError {
    /// As given.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl LogGate {
    /// For a file that need not exist yet.
    ///
    /// # Errors
    /// If a pattern is no regular expression.
    pub fn new<'p>(path: &Path, patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        let gates = patterns.into_iter().map(|p| {
            Ok(Gate {
                pattern: Pattern::new(p)?,
                count: 0,
            })
        });
        Ok(Self {
            path: path.to_owned(),
            tail: None,
            gates: gates.collect::<Result<_, _>>()?,
            rest: Vec::new(),
        })
    }

    /// Reads on for a bounded time. Returns how many bytes are left for the next look, or `None` if there is no file (yet).
    pub fn look(&mut self) -> Option<u64> {
        if self.tail.as_ref().is_none_or(|t| t.behind() == 0 && t.is_replaced()) {
            // A log that was rotated away is read on under its name; what was counted stays.
            if let Ok(tail) = Tail::open(&self.path) {
                self.tail = Some(tail);
                self.rest.clear();
            }
        }
        let mut tail = self.tail.take()?;
        let began = Instant::now();
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while read < LOOK_BYTES && began.elapsed() < LOOK_TIME && tail.behind_or_shorter() {
            match tail.read(&mut buffer) {
                Ok(Looked::Read(0)) | Err(_) => break,
                Ok(Looked::Read(length)) => {
                    self.take(&buffer[..length]);
                    read += length;
                }
                Ok(Looked::Truncated) => self.rest.clear(),
            }
        }
        let behind = tail.behind();
        self.tail = Some(tail);
        Some(behind)
    }

    /// How often each pattern was seen, in the order in which they were given.
    pub fn counts(&self) -> impl Iterator<Item = u64> {
        self.gates.iter().map(|g| g.count)
    }

    fn take(&mut self, bytes: &[u8]) {
        let Some(end) = memchr::memrchr(b'\n', bytes) else {
            self.rest.extend_from_slice(bytes);
            if self.rest.len() > LINE_BYTES {
                let rest = std::mem::take(&mut self.rest);
                self.gates.iter_mut().for_each(|g| g.search(&rest));
            }
            return;
        };
        if self.rest.is_empty() {
            self.gates.iter_mut().for_each(|g| g.search(&bytes[..end]));
        } else {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(&bytes[..end]);
            self.gates.iter_mut().for_each(|g| g.search(&whole));
        }
        self.rest.extend_from_slice(&bytes[end + 1..]);
    }
}

impl Gate {
    /// Searches whole lines; a match never spans two.
    fn search(&mut self, lines: &[u8]) {
        self.count += match &self.pattern {
            Pattern::Literal(finder) => finder.find_iter(lines).count() as u64,
            Pattern::Regex(regex) => lines
                .split(|b| *b == b'\n')
                .map(|line| regex.find_iter(&String::from_utf8_lossy(line)).count() as u64)
                .sum(),
        };
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, PatternError> {
        let bad = |why: String| PatternError {
            pattern: pattern.to_owned(),
            why,
        };
        if pattern.is_empty() {
            return Err(bad("it is empty, and would match everywhere".into()));
        }
        let regex = Regex::new(pattern).map_err(|e| bad(e.to_string()))?;
        Ok(if regex_lite::escape(pattern) == pattern && !pattern.contains('\n') {
            Self::Literal(Box::new(Finder::new(pattern).into_owned()))
        } else {
            Self::Regex(regex)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;

    fn counts(gate: &mut LogGate) -> Vec<u64> {
        while gate.look().is_some_and(|behind| behind > 0) {}
        gate.counts().collect()
    }

    #[test]
    fn a_pattern_is_counted_once_wherever_the_writes_are_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        let mut gate = LogGate::new(&path, ["deadline exceeded", r"^E\d+ "]).expect("patterns");
        assert_eq!(gate.look(), None);
        let mut out = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .expect("created");
        out.write_all(b"E12 deadline exc").expect("written");
        assert_eq!(counts(&mut gate), [0, 0]);
        out.write_all(b"eeded, deadline exceeded\nW1 fine\nE3 \xff\n")
            .expect("written");
        assert_eq!(counts(&mut gate), [2, 2]);
        assert_eq!(counts(&mut gate), [2, 2]);
        // When the log is truncated, and then replaced
        out.set_len(0).expect("truncated");
        out.write_all(b"E4 x\n").expect("written");
        assert_eq!(counts(&mut gate), [2, 3]);
        std::fs::rename(&path, folder.path().join("old")).expect("renamed");
        out.write_all(b"E5 last words\n").expect("written");
        assert_eq!(counts(&mut gate), [2, 4]);
        File::create(&path)
            .and_then(|mut f| f.write_all(b"E6 new file\n"))
            .expect("written");
        counts(&mut gate);
        assert_eq!(counts(&mut gate), [2, 5]);
    }

    #[test]
    fn a_line_without_end_is_searched_and_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        std::fs::write(&path, "x".repeat(10 * LINE_BYTES) + "needle").expect("written");
        let mut gate = LogGate::new(&path, ["needle"]).expect("pattern");
        assert_eq!(counts(&mut gate), [1]);
        assert!(gate.rest.len() <= LINE_BYTES + CHUNK);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_with_its_text() {
        let error = LogGate::new(Path::new("x"), ["a(b"]).expect_err("refused");
        assert!(error.to_string().contains("a(b"), "{error}");
        assert!(LogGate::new(Path::new("x"), [""]).is_err());
    }
}
