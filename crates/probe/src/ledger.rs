//! The line check: which of the lines that the load wrote did the target deliver, and how often, in which order, whole or torn?
//!
//! It looks for stamps ([`leakcheck_model::stamp`]) in raw bytes, wherever in a line they stand, so that any target's
//! format will do (NDJSON, plain text, a dump of bodies). Only stamps of its own run count.
//! Memory: a range for each gap in the numbers of an emitter, not a bit for each line.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use leakcheck_model::lines::{EmitterLines, LineCounts, group_of};
use leakcheck_model::stamp::{self, MAX_LINE_BYTES, PREFIX, Sent, Stamp, Stream};
use memchr::memmem::Finder;

pub use delivered::{Delivered, DeliveredError, Progress};
use seen::Seen;

mod delivered;
mod seen;

/// Emitters named in the outcome (the report's cap).
const WORST: usize = 100;

/// Emitters that are all named in the outcome: a table of more is not read, and `worst` names what matters.
const EACH: usize = 200;

/// Missing ranges named for an emitter and stream.
const MISSING: usize = 5;

/// What was delivered so far, by emitter.
#[derive(Debug)]
pub struct Ledger {
    /// The mark with the run's id behind it.
    finder: Finder<'static>,
    emitters: HashMap<String, Emitter>,
    /// Torn lines whose emitter cannot be told.
    torn_of_nobody: u64,
    strands: u32,
}

#[derive(Debug, Default)]
struct Emitter {
    stdout: Arrivals,
    stderr: Arrivals,
    /// By its own last line.
    end: Option<Sent>,
    torn: u64,
}

/// What arrived of one emitter's stream.
#[derive(Debug, Default)]
struct Arrivals {
    seen: Seen,
    duplicated: u64,
    reordered: u64,
    /// In which strand the last one arrived, and the highest number in it since.
    strand: u32,
    highest: u64,
}

/// One file's place in the ledger: the bytes of it that cannot be judged before more of them come.
#[derive(Debug)]
pub struct Strand {
    id: u32,
    rest: Vec<u8>,
    /// How much of `rest` was searched already for the end of the line that it begins with.
    searched: usize,
}

impl Ledger {
    /// For the stamps of this run.
    #[must_use]
    pub fn new(run_id: &str) -> Self {
        let mark = [PREFIX, run_id.as_bytes(), b" "].concat();
        Self::with(Finder::new(&mark).into_owned())
    }

    fn with(finder: Finder<'static>) -> Self {
        Self {
            finder,
            emitters: HashMap::new(),
            torn_of_nobody: 0,
            strands: 0,
        }
    }

    /// Begins a file. The order of lines is judged within a strand: between files there is none.
    pub fn strand(&mut self) -> Strand {
        self.strands += 1;
        Strand {
            id: self.strands,
            rest: Vec::new(),
            searched: 0,
        }
    }

    /// Takes the next bytes of a file, cut wherever.
    pub fn feed(&mut self, strand: &mut Strand, bytes: &[u8]) {
        if strand.rest.is_empty() {
            let (used, searched) = self.read(strand.id, bytes, 0);
            strand.rest.extend_from_slice(&bytes[used..]);
            strand.searched = searched;
        } else {
            let mut rest = std::mem::take(&mut strand.rest);
            rest.extend_from_slice(bytes);
            let (used, searched) = self.read(strand.id, &rest, strand.searched);
            rest.drain(..used);
            // A long line's room is not kept for good.
            if rest.capacity() > 2 * MAX_LINE_BYTES {
                rest.shrink_to_fit();
            }
            strand.rest = rest;
            strand.searched = searched;
        }
    }

    /// Ends a file: a line that only began is torn.
    pub fn finish(&mut self, strand: &mut Strand) {
        let rest = std::mem::take(&mut strand.rest);
        strand.searched = 0;
        for at in self.finder.find_iter(&rest).collect::<Vec<_>>() {
            self.torn(&rest[at..]);
        }
    }

    /// Reads every file that matches a pattern ([`crate::glob::files`]) from beginning to end, after the target has stopped.
    ///
    /// # Errors
    /// If the folder is not there, or a file cannot be read: then nothing is known of the lines.
    pub fn read_all(&mut self, pattern: impl AsRef<Path>) -> Result<Progress, DeliveredError> {
        let pattern = pattern.as_ref();
        let folder = pattern
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !pattern.exists() && !folder.is_dir() {
            return Err(DeliveredError::NoFolder {
                folder: folder.to_owned(),
            });
        }
        let ledger = std::mem::replace(self, Self::with(Finder::new(b"").into_owned()));
        let mut delivered = Delivered::with(pattern, ledger);
        let progress = delivered.finish();
        let (ledger, troubles) = delivered.into_parts();
        *self = ledger;
        match troubles.into_iter().next() {
            None => Ok(progress),
            Some(trouble) => Err(DeliveredError::Unreadable { trouble }),
        }
    }

    /// Different lines delivered so far, for a live display.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.emitters
            .values()
            .map(|e| e.stdout.seen.len() + e.stderr.seen.len())
            .sum()
    }

    /// Finds the stamps in `bytes`, of which `searched` were searched for the end of the first line before. Returns how many bytes
    /// are done with, and how many of the others were searched.
    fn read(&mut self, strand: u32, bytes: &[u8], mut searched: usize) -> (usize, usize) {
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
                        self.arrived(strand, &stamp);
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

    /// The line at `mark` has no end of its own up to `end`. All marks before `end` but the last are torn for the same
    /// reason; finding them here keeps hostile input linear. Returns where to look on.
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

    fn arrived(&mut self, strand: u32, stamp: &Stamp<'_>) {
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
        arrivals.take(strand, stamp.sequence);
    }

    /// Counts a torn line, under its emitter's name if that is whole (known from another line, or followed by its stream).
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
            _ => self.torn_of_nobody += 1,
        }
    }

    /// The outcome, compared with what each emitter is known to have sent (`sent`, from the engine's own logs); of an
    /// emitter that is not in it, with its own last line. Of one that has neither, the gaps before its last delivered
    /// line are lost for certain, and it counts as unaccounted.
    #[must_use]
    pub fn counts(&self, sent: &BTreeMap<String, Sent>) -> LineCounts {
        let nothing = Emitter::default();
        let names: BTreeSet<&str> = sent.keys().chain(self.emitters.keys()).map(String::as_str).collect();
        let mut counts = LineCounts {
            torn: self.torn_of_nobody,
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
                // A number that was seen was sent, whatever the account says.
                let sent = sent.max(arrivals.seen.highest());
                lines.sent += sent;
                lines.lost += sent - arrivals.seen.len();
                lines.duplicated += arrivals.duplicated;
                lines.reordered += arrivals.reordered;
                counts.delivered += arrivals.seen.len();
                lines
                    .missing
                    .extend(arrivals.seen.missing(sent).take(MISSING).map(|(first, last)| {
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
            if each.len() <= EACH {
                each.push(lines);
            }
        }
        if each.len() <= EACH {
            counts.each = each;
        }
        counts.groups = named(groups);
        worst.sort_by_key(|l| std::cmp::Reverse((l.lost + l.torn, l.duplicated, l.reordered)));
        worst.truncate(WORST);
        counts.worst = worst;
        counts
    }
}

/// Sums with their names.
fn named(groups: BTreeMap<&str, EmitterLines>) -> Vec<EmitterLines> {
    let name = |(group, lines): (&str, EmitterLines)| EmitterLines {
        emitter: group.to_owned(),
        ..lines
    };
    groups.into_iter().map(name).collect()
}

impl Arrivals {
    fn take(&mut self, strand: u32, sequence: u64) {
        if self.strand != strand {
            self.strand = strand;
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
