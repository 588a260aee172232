//! Counts of patterns in the growing output of the target: `deadline_errors = { log = "context deadline exceeded" }`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use regex_lite::Regex;

use crate::tail::{CHUNK, Outcome, Tail};

/// The number of bytes of one read, so that a target that floods its log does not delay the samples.
const MAX_READ_BYTES: usize = 4 << 20;

/// The time of one read, for the same reason: a pattern costs up to a microsecond for each ten bytes.
const MAX_READ_TIME: Duration = Duration::from_millis(50);

/// The length of an unfinished line from which it is searched before its end is known.
const MAX_LINE_BYTES: usize = 64 << 10;

/// A growing file and the patterns that are counted in it.
#[derive(Debug)]
pub struct LogMatcher {
    path: PathBuf,
    tail: Option<Tail>,
    patterns: Vec<CountedPattern>,
    /// The unfinished last line.
    rest: Vec<u8>,
}

#[derive(Debug)]
struct CountedPattern {
    pattern: Pattern,
    count: u64,
}

#[derive(Debug)]
enum Pattern {
    /// A pattern without special characters: a plain search, fifty times as fast.
    Literal(Box<Finder<'static>>),
    Regex(Regex),
}

/// An invalid pattern.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a regular expression: {why}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// The reason.
    pub why: String,
}

impl LogMatcher {
    /// Creates a matcher for a file that need not exist yet.
    ///
    /// # Errors
    /// An error if a pattern is no regular expression.
    pub fn new<'p>(path: &Path, patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        let patterns = patterns.into_iter().map(|p| {
            Ok(CountedPattern {
                pattern: Pattern::new(p)?,
                count: 0,
            })
        });
        Ok(Self {
            path: path.to_owned(),
            tail: None,
            patterns: patterns.collect::<Result<_, _>>()?,
            rest: Vec::new(),
        })
    }

    /// Reads on for a bounded time. Returns the number of bytes left for the next read, or `None` if there is no file yet.
    pub fn read_on(&mut self) -> Option<u64> {
        if self.tail.as_ref().is_none_or(|t| t.behind() == 0 && t.is_replaced()) {
            // After a rotation, the new file of this name is read; the counts stay.
            if let Ok(tail) = Tail::open(&self.path) {
                self.tail = Some(tail);
                self.rest.clear();
            }
        }
        let mut tail = self.tail.take()?;
        let began = Instant::now();
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while read < MAX_READ_BYTES && began.elapsed() < MAX_READ_TIME && tail.has_changed() {
            match tail.read(&mut buffer) {
                Ok(Outcome::Read(0)) | Err(_) => break,
                Ok(Outcome::Read(length)) => {
                    self.add(&buffer[..length]);
                    read += length;
                }
                Ok(Outcome::Truncated) => self.rest.clear(),
            }
        }
        let behind = tail.behind();
        self.tail = Some(tail);
        Some(behind)
    }

    /// Returns the number of matches of each pattern, in the order in which they were given.
    pub fn counts(&self) -> impl Iterator<Item = u64> {
        self.patterns.iter().map(|p| p.count)
    }

    fn add(&mut self, bytes: &[u8]) {
        let Some(end) = memchr::memrchr(b'\n', bytes) else {
            self.rest.extend_from_slice(bytes);
            if self.rest.len() > MAX_LINE_BYTES {
                let rest = std::mem::take(&mut self.rest);
                self.patterns.iter_mut().for_each(|p| p.search(&rest));
            }
            return;
        };
        if self.rest.is_empty() {
            self.patterns.iter_mut().for_each(|p| p.search(&bytes[..end]));
        } else {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(&bytes[..end]);
            self.patterns.iter_mut().for_each(|p| p.search(&whole));
        }
        self.rest.extend_from_slice(&bytes[end + 1..]);
    }
}

impl CountedPattern {
    /// Searches whole lines. A match never spans two.
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
            return Err(bad("it is empty and would match everywhere".into()));
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

    fn counts(matcher: &mut LogMatcher) -> Vec<u64> {
        while matcher.read_on().is_some_and(|behind| behind > 0) {}
        matcher.counts().collect()
    }

    #[test]
    fn a_match_is_counted_once_despite_cut_writes_truncation_and_rotation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        let mut matcher = LogMatcher::new(&path, ["deadline exceeded", r"^E\d+ "]).expect("patterns");
        assert_eq!(matcher.read_on(), None);
        let mut out = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .expect("created");
        out.write_all(b"E12 deadline exc").expect("written");
        assert_eq!(counts(&mut matcher), [0, 0]);
        out.write_all(b"eeded, deadline exceeded\nW1 fine\nE3 \xff\n")
            .expect("written");
        assert_eq!(counts(&mut matcher), [2, 2]);
        assert_eq!(counts(&mut matcher), [2, 2]);
        // When the log is truncated, and then replaced
        out.set_len(0).expect("truncated");
        out.write_all(b"E4 x\n").expect("written");
        assert_eq!(counts(&mut matcher), [2, 3]);
        std::fs::rename(&path, folder.path().join("old")).expect("renamed");
        out.write_all(b"E5 last line\n").expect("written");
        assert_eq!(counts(&mut matcher), [2, 4]);
        File::create(&path)
            .and_then(|mut f| f.write_all(b"E6 new file\n"))
            .expect("written");
        counts(&mut matcher);
        assert_eq!(counts(&mut matcher), [2, 5]);
    }

    #[test]
    fn an_unfinished_long_line_is_searched_and_released() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        std::fs::write(&path, "x".repeat(10 * MAX_LINE_BYTES) + "needle").expect("written");
        let mut matcher = LogMatcher::new(&path, ["needle"]).expect("pattern");
        assert_eq!(counts(&mut matcher), [1]);
        assert!(matcher.rest.len() <= MAX_LINE_BYTES + CHUNK);
    }

    #[test]
    fn an_invalid_pattern_is_refused_with_its_text() {
        let error = LogMatcher::new(Path::new("x"), ["a(b"]).expect_err("refused");
        assert!(error.to_string().contains("a(b"), "{error}");
        assert!(LogMatcher::new(Path::new("x"), [""]).is_err());
    }
}
