//! The line check: it compares the lines that the target delivered with those that the load wrote, and counts lost,
//! duplicated, reordered and torn ones.
//!
//! It finds stamps ([`leakcheck_model::stamp`]) anywhere in raw bytes, so that every output format works (NDJSON, plain text,
//! a dump of request bodies). Only stamps of its own run count. It needs memory for each gap, not for each line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leakcheck_model::lines::{EmitterLines, LineCounts, group_of};
use leakcheck_model::stamp::{self, MAX_LINE_BYTES, PREFIX, Sent, Stamp, Stream};
use memchr::memmem::Finder;

pub use files::DeliveryError;
use range_set::RangeSet;

mod files;
mod range_set;

/// The number of emitters with wrong lines that are listed (the limit of the report).
const MAX_WORST: usize = 100;

/// The number of emitters up to which all are listed. A longer table is not readable.
const MAX_EACH: usize = 200;

/// The number of missing ranges that are listed for an emitter and stream.
const MAX_MISSING: usize = 5;

/// The lines delivered so far, by emitter.
#[derive(Debug)]
pub struct LineChecker {
    /// Finds the prefix of each stamp, with the id of the run behind it.
    finder: Finder<'static>,
    emitters: HashMap<String, Emitter>,
    /// Torn lines whose emitter is unknown.
    torn_of_unknown: u64,
    files: u32,
}

#[derive(Debug, Default)]
struct Emitter {
    stdout: Arrivals,
    stderr: Arrivals,
    /// The numbers of sent lines, according to its own last line.
    end: Option<Sent>,
    torn: u64,
}

/// The delivered lines of one stream of an emitter.
#[derive(Debug, Default)]
struct Arrivals {
    seen: RangeSet,
    duplicated: u64,
    reordered: u64,
    /// The file of the last line.
    file: u32,
    /// The highest number in that file.
    highest: u64,
}

/// The position in one file, with the bytes that cannot be judged before more of them are read.
#[derive(Debug)]
pub struct FileCursor {
    id: u32,
    rest: Vec<u8>,
    /// The number of bytes of `rest` that were searched for the end of its first line.
    searched: usize,
}

impl LineChecker {
    /// Checks for the stamps of this run.
    #[must_use]
    pub fn new(run_id: &str) -> Self {
        let mark = [PREFIX, run_id.as_bytes(), b" "].concat();
        Self {
            finder: Finder::new(&mark).into_owned(),
            emitters: HashMap::new(),
            torn_of_unknown: 0,
            files: 0,
        }
    }

    /// Begins a file. The order of lines is checked within a file only.
    pub fn begin_file(&mut self) -> FileCursor {
        self.files += 1;
        FileCursor {
            id: self.files,
            rest: Vec::new(),
            searched: 0,
        }
    }

    /// Reads the next bytes of a file, cut anywhere.
    pub fn feed(&mut self, cursor: &mut FileCursor, bytes: &[u8]) {
        if cursor.rest.is_empty() {
            let (used, searched) = self.read(cursor.id, bytes, 0);
            cursor.rest.extend_from_slice(&bytes[used..]);
            cursor.searched = searched;
        } else {
            let mut rest = std::mem::take(&mut cursor.rest);
            rest.extend_from_slice(bytes);
            let (used, searched) = self.read(cursor.id, &rest, cursor.searched);
            rest.drain(..used);
            // Releases the memory of a long line.
            if rest.capacity() > 2 * MAX_LINE_BYTES {
                rest.shrink_to_fit();
            }
            cursor.rest = rest;
            cursor.searched = searched;
        }
    }

    /// Ends a file. An unfinished last line is torn.
    pub fn end_file(&mut self, cursor: &mut FileCursor) {
        let rest = std::mem::take(&mut cursor.rest);
        cursor.searched = 0;
        for at in self.finder.find_iter(&rest).collect::<Vec<_>>() {
            self.torn(&rest[at..]);
        }
    }

    /// Finds the stamps in `bytes`. The first `searched` bytes were already searched for the end of the first line. Returns the
    /// number of bytes that are finished, and the number of searched bytes behind them.
    fn read(&mut self, file: u32, bytes: &[u8], mut searched: usize) -> (usize, usize) {
        let length = self.finder.needle().len();
        let mut at = 0;
        while let Some(mark) = self.finder.find(&bytes[at..]).map(|i| at + i) {
            let from = (mark + length).max(searched);
            searched = 0;
            // A payload has neither a '#' nor a newline: the first of them ends the stamp, or shows that its end is missing.
            let end = memchr::memchr2(b'#', b'\n', &bytes[from..]).map(|i| from + i);
            let whole = end.map(|e| if bytes[e] == b'#' { e + 9 } else { e + 1 });
            match (end, whole) {
                (Some(end), Some(whole)) if whole <= bytes.len() => match stamp::read(&bytes[mark..whole]) {
                    Ok((stamp, _)) => {
                        self.add(file, &stamp);
                        at = whole;
                    }
                    Err(_) => at = self.without_end(bytes, mark, end),
                },
                _ if bytes.len() - mark > MAX_LINE_BYTES => {
                    at = self.without_end(bytes, mark, end.unwrap_or(bytes.len()))
                }
                _ => return (mark, end.unwrap_or(bytes.len()) - mark),
            }
        }
        // The mark itself may be cut.
        (at.max(bytes.len().saturating_sub(length - 1)), 0)
    }

    /// Counts the line at `mark` as torn, because it has no end before `end`. All other marks before `end` except the last
    /// are torn too; counting them here keeps hostile input linear. Returns the offset at which to continue.
    fn without_end(&mut self, bytes: &[u8], mark: usize, end: usize) -> usize {
        let first = mark + self.finder.needle().len();
        let others: Vec<usize> = self
            .finder
            .find_iter(&bytes[first..end.max(first)])
            .map(|i| first + i)
            .collect();
        self.torn(&bytes[mark..end.max(first)]);
        let Some((last, between)) = others.split_last() else {
            return first;
        };
        for at in between {
            self.torn(&bytes[*at..end]);
        }
        *last
    }

    fn add(&mut self, file: u32, stamp: &Stamp<'_>) {
        if !self.emitters.contains_key(stamp.emitter) {
            self.emitters.insert(stamp.emitter.to_owned(), Emitter::default());
        }
        let Some(emitter) = self.emitters.get_mut(stamp.emitter) else {
            return;
        };
        if stamp.end.is_some() {
            emitter.end = stamp.end;
        }
        let arrivals = match stamp.stream {
            Stream::Stdout => &mut emitter.stdout,
            Stream::Stderr => &mut emitter.stderr,
        };
        arrivals.add(file, stamp.sequence);
    }

    /// Counts a torn line for its emitter, if the name is complete: known from another line, or followed by the stream.
    fn torn(&mut self, head: &[u8]) {
        let name = head.get(self.finder.needle().len()..).unwrap_or_default();
        let mut words = name
            .get(..name.len().min(256))
            .unwrap_or_default()
            .split(|b| *b == b' ');
        let name = words
            .next()
            .and_then(|n| std::str::from_utf8(n).ok())
            .filter(|n| !n.is_empty());
        let is_whole = matches!(words.next(), Some(b"o" | b"e"));
        match name {
            Some(name) if is_whole || self.emitters.contains_key(name) => {
                self.emitters.entry(name.to_owned()).or_default().torn += 1;
            }
            _ => self.torn_of_unknown += 1,
        }
    }

    /// Returns the counts, compared with the lines that each emitter sent.
    ///
    /// The numbers come from `sent` (from the engine's own logs), else from the last line of the emitter. An emitter with
    /// neither is unaccounted: only the gaps before its last delivered line are certainly lost.
    #[must_use]
    pub fn counts(&self, sent: &BTreeMap<String, Sent>) -> LineCounts {
        let nothing = Emitter::default();
        let names: BTreeSet<&str> = sent.keys().chain(self.emitters.keys()).map(String::as_str).collect();
        let mut counts = LineCounts {
            torn: self.torn_of_unknown,
            ..LineCounts::default()
        };
        let (mut worst, mut each) = (Vec::new(), Vec::new());
        let mut groups = BTreeMap::<&str, EmitterLines>::new();
        for name in names {
            let emitter = self.emitters.get(name).unwrap_or(&nothing);
            let known = sent.get(name).copied().or(emitter.end);
            counts.unaccounted += u64::from(known.is_none());
            let known = known.unwrap_or_default();
            let mut lines = EmitterLines {
                emitter: name.to_owned(),
                torn: emitter.torn,
                ..EmitterLines::default()
            };
            for (letter, arrivals, sent) in [
                ('o', &emitter.stdout, known.stdout),
                ('e', &emitter.stderr, known.stderr),
            ] {
                // A delivered line was sent, even if the account has fewer.
                let sent = sent.max(arrivals.seen.highest());
                lines.sent += sent;
                lines.lost += sent - arrivals.seen.len();
                lines.duplicated += arrivals.duplicated;
                lines.reordered += arrivals.reordered;
                counts.delivered += arrivals.seen.len();
                lines
                    .missing
                    .extend(arrivals.seen.missing(sent).take(MAX_MISSING).map(|(first, last)| {
                        if first == last {
                            format!("{letter} {first}")
                        } else {
                            format!("{letter} {first}..{last}")
                        }
                    }));
            }
            counts.sent += lines.sent;
            counts.lost += lines.lost;
            counts.duplicated += lines.duplicated;
            counts.reordered += lines.reordered;
            counts.torn += lines.torn;
            groups.entry(group_of(name)).or_default().add(&lines);
            if !lines.is_clean() {
                worst.push(lines.clone());
            }
            if each.len() <= MAX_EACH {
                each.push(lines);
            }
        }
        if each.len() <= MAX_EACH {
            counts.each = each;
        }
        counts.groups = named(groups);
        worst.sort_by_key(|l| std::cmp::Reverse((l.lost + l.torn, l.duplicated, l.reordered)));
        worst.truncate(MAX_WORST);
        counts.worst = worst;
        counts
    }
}

/// Gives each sum the name of its group.
fn named(groups: BTreeMap<&str, EmitterLines>) -> Vec<EmitterLines> {
    let name = |(group, lines): (&str, EmitterLines)| EmitterLines {
        emitter: group.to_owned(),
        ..lines
    };
    groups.into_iter().map(name).collect()
}

impl Arrivals {
    fn add(&mut self, file: u32, sequence: u64) {
        if self.file != file {
            self.file = file;
            self.highest = 0;
        }
        if !self.seen.insert(sequence) {
            self.duplicated += 1;
        } else if sequence < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(sequence);
    }
}

#[cfg(test)]
mod tests;
