//! The files that the target writes, read into the ledger as they grow, are renamed, removed and made anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use leakcheck_model::lines::LineCounts;
use leakcheck_model::stamp::Sent;

use super::{Ledger, Strand};
use crate::glob;
use crate::tail::{CHUNK, Looked, Tail};

/// Files that stay open between two looks (an open one is still read after it was renamed out of the pattern). Beyond
/// this they are opened again by name, so that a file for each of 5000 containers does not use up our descriptors.
const OPEN: usize = 200;

/// Troubles that are remembered in words.
const TROUBLES: usize = 20;

/// What the target delivered, read from the files that match a pattern.
#[derive(Debug)]
pub struct Delivered {
    pattern: PathBuf,
    ledger: Ledger,
    /// By device and inode.
    files: HashMap<(u64, u64), Follower>,
    buffer: Vec<u8>,
    troubles: Vec<String>,
}

#[derive(Debug)]
struct Follower {
    tail: Tail,
    strand: Strand,
}

/// What one look at the files did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read now.
    pub read: u64,
    /// Bytes that are there and not read yet.
    pub behind: u64,
    /// Files that are known.
    pub files: usize,
}

/// Why nothing is known of the lines.
#[derive(Debug, thiserror::Error)]
pub enum DeliveredError {
    /// There is no such folder.
    #[error("the target's output folder {} is not there", .folder.display())]
    NoFolder {
        /// Its path.
        folder: PathBuf,
    },
    /// A file could not be read.
    #[error("failed to read what the target wrote: {trouble}")]
    Unreadable {
        /// Which file, and why.
        trouble: String,
    },
}

impl Delivered {
    /// The files that match `pattern` ([`glob::files`]), now or later, checked for stamps of this run.
    #[must_use]
    pub fn new(pattern: &Path, run_id: &str) -> Self {
        Self::with(pattern, Ledger::new(run_id))
    }

    pub(super) fn with(pattern: &Path, ledger: Ledger) -> Self {
        Self {
            pattern: pattern.to_owned(),
            ledger,
            files: HashMap::new(),
            buffer: Vec::new(),
            troubles: Vec::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Ledger, Vec<String>) {
        (self.ledger, self.troubles)
    }

    /// Reads on, at most about `budget` bytes; blocks while it reads (64 MiB take some 0.1 s).
    pub fn read_on(&mut self, budget: u64) -> Progress {
        let mut progress = Progress::default();
        let listed = self.discover();
        self.buffer.resize(CHUNK, 0);
        let mut gone = Vec::new();
        for (id, follower) in &mut self.files {
            let read = follow(
                follower,
                &mut self.ledger,
                &mut self.buffer,
                budget.saturating_sub(progress.read),
            );
            match read {
                Ok(bytes) => progress.read += bytes,
                Err(error) if listed.contains(id) => {
                    if self.troubles.len() < TROUBLES {
                        self.troubles
                            .push(format!("{}: {error}", follower.tail.path().display()));
                    }
                }
                Err(_) => gone.push(*id),
            }
            let behind = follower.tail.behind();
            progress.behind += behind;
            if !listed.contains(id) && behind == 0 && follower.tail.is_removed() {
                gone.push(*id);
            }
        }
        for id in gone {
            if let Some(mut follower) = self.files.remove(&id) {
                self.ledger.finish(&mut follower.strand);
            }
        }
        progress.files = self.files.len();
        self.buffer = Vec::new();
        self.park();
        progress
    }

    /// Reads everything that is there and ends all files: a line that only began is torn now.
    pub fn finish(&mut self) -> Progress {
        let progress = self.read_on(u64::MAX);
        for follower in self.files.values_mut() {
            self.ledger.finish(&mut follower.strand);
        }
        progress
    }

    /// The outcome so far; see [`Ledger::counts`].
    #[must_use]
    pub fn counts(&self, sent: &BTreeMap<String, Sent>) -> LineCounts {
        self.ledger.counts(sent)
    }

    /// Different lines delivered so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.ledger.delivered()
    }

    /// Files that could not be read, in words.
    #[must_use]
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Finds new files, and the new names of known ones. Returns the files that match now.
    fn discover(&mut self) -> HashSet<(u64, u64)> {
        let mut listed = HashSet::new();
        for path in glob::files(&self.pattern) {
            let Some(id) = Tail::id_of(&path) else { continue };
            listed.insert(id);
            if let Some(known) = self.files.get_mut(&id) {
                known.tail.is_called(&path);
                continue;
            }
            match Tail::open(&path) {
                Ok(tail) => {
                    let strand = self.ledger.strand();
                    self.files.insert(tail.id(), Follower { tail, strand });
                }
                // It went away between the listing and now: a later look will find it by its new name.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let trouble = format!("{}: {error}", path.display());
                    if self.troubles.len() < TROUBLES && !self.troubles.contains(&trouble) {
                        self.troubles.push(trouble);
                    }
                }
            }
        }
        listed
    }

    fn park(&mut self) {
        let surplus = self.files.len().saturating_sub(OPEN);
        self.files.values_mut().take(surplus).for_each(|f| f.tail.park());
    }
}

fn follow(follower: &mut Follower, ledger: &mut Ledger, buffer: &mut [u8], budget: u64) -> std::io::Result<u64> {
    let mut read = 0;
    while read < budget && follower.tail.behind_or_shorter() {
        match follower.tail.read(buffer)? {
            Looked::Read(0) => break,
            Looked::Read(length) => {
                ledger.feed(&mut follower.strand, &buffer[..length]);
                read += length as u64;
            }
            Looked::Truncated => ledger.finish(&mut follower.strand),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::stamp::{Stream, Writer};
    use std::io::Write as _;

    fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        for n in numbers {
            Writer::new("run", "a", Stream::Stdout).line(&mut out, n, 80, b"x");
        }
        out
    }

    #[test]
    fn growing_renamed_and_new_files_are_read_once_and_to_their_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.log");
        let mut delivered = Delivered::new(&folder.path().join("*.log"), "run");
        assert_eq!(delivered.read_on(u64::MAX), Progress::default());
        // Given a file that grows, is renamed out of the pattern while it is written, and made anew
        let mut out = std::fs::File::create(&path).expect("created");
        let bytes = lines(1..=4);
        out.write_all(&bytes[..200]).expect("written");
        delivered.read_on(u64::MAX);
        out.write_all(&bytes[200..]).expect("written");
        std::fs::rename(&path, folder.path().join("out.log.1")).expect("renamed");
        std::fs::write(&path, lines(5..=6)).expect("written");
        delivered.read_on(u64::MAX);
        // When the old one is removed and the new one is truncated and written again
        std::fs::remove_file(folder.path().join("out.log.1")).expect("removed");
        delivered.read_on(u64::MAX);
        assert_eq!(delivered.files.len(), 1);
        std::fs::write(&path, lines(7..=7)).expect("written");
        let progress = delivered.finish();
        // Then every line counts once
        let counts = delivered.counts(&BTreeMap::from([("a".to_owned(), Sent { stdout: 7, stderr: 0 })]));
        assert_eq!(
            (counts.delivered, counts.lost, counts.duplicated, counts.torn),
            (7, 0, 0, 0)
        );
        assert_eq!((progress.behind, delivered.troubles().len()), (0, 0));
    }

    #[test]
    fn a_budget_bounds_one_look_and_the_next_reads_on() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), lines(1..=20_000)).expect("written");
        let mut delivered = Delivered::new(folder.path(), "run");
        let first = delivered.read_on(1);
        assert!(first.read <= CHUNK as u64 && first.behind > 0, "{first:?}");
        while delivered.read_on(1).behind > 0 {}
        assert_eq!(delivered.lines(), 20_000);
    }

    #[test]
    fn more_files_than_may_stay_open_are_all_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut delivered = Delivered::new(folder.path(), "run");
        for round in 0..2u64 {
            for i in 0..OPEN as u64 + 50 {
                let mut line = Vec::new();
                Writer::new("run", &format!("e{i}"), Stream::Stdout).line(&mut line, round + 1, 80, b"x");
                let path = folder.path().join(format!("{i}.log"));
                let mut file = std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .expect("opened");
                file.write_all(&line).expect("written");
            }
            delivered.read_on(u64::MAX);
        }
        let counts = delivered.counts(&BTreeMap::new());
        assert_eq!((counts.delivered, counts.lost, counts.duplicated), (500, 0, 0));
    }
}
