//! The counts measured so far, in a file with a line per cell and shard.
//!
//! The file allows a run to resume and the shards of several runs to be combined.

use crate::measure::Counts;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;

/// The counts by cell, with the shards that they contain.
#[derive(Debug, Default)]
pub(crate) struct Store {
    path: Option<String>,
    counts: BTreeMap<String, Counts>,
    shards: BTreeSet<(String, String)>,
}

impl Store {
    /// Creates a store without a file.
    pub(crate) fn in_memory() -> Self {
        Self::default()
    }

    /// Opens a store and the file that it appends to. A missing file is empty.
    pub(crate) fn open(path: &str) -> Self {
        let mut store = Self {
            path: Some(path.to_owned()),
            ..Self::default()
        };
        store.read(path);
        store
    }

    /// Adds the contents of another file. Incomplete lines are skipped, so their cells are measured again.
    pub(crate) fn read(&mut self, path: &str) {
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            if let Some((cell, shard, counts)) = parsed(line) {
                self.take(&cell, &shard, &counts);
            }
        }
    }

    /// Returns true if a shard of a cell is known.
    pub(crate) fn has(&self, cell: &str, shard: &str) -> bool {
        self.shards.contains(&(cell.to_owned(), shard.to_owned()))
    }

    /// Adds a shard of a cell and appends it to the file.
    pub(crate) fn add(&mut self, cell: &str, shard: &str, counts: &Counts) {
        self.take(cell, shard, counts);
        let Some(path) = &self.path else { return };
        let line = format!("{cell}\t{shard}\t{}\n", counts.numbers().join("\t"));
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("failed to write {path}: {error}"));
    }

    /// Returns the counts of a cell.
    pub(crate) fn counts(&self, cell: &str) -> Counts {
        self.counts.get(cell).cloned().unwrap_or_default()
    }

    /// Returns the names of the known shards.
    pub(crate) fn parts(&self) -> BTreeSet<&str> {
        self.shards.iter().map(|(_, shard)| shard.as_str()).collect()
    }

    fn take(&mut self, cell: &str, shard: &str, counts: &Counts) {
        if self.shards.insert((cell.to_owned(), shard.to_owned())) {
            self.counts.entry(cell.to_owned()).or_default().add(counts);
        }
    }
}

fn parsed(line: &str) -> Option<(String, String, Counts)> {
    let mut parts = line.split('\t');
    let (cell, shard) = (parts.next()?, parts.next()?);
    let counts = Counts::of_numbers(&parts.collect::<Vec<_>>())?;
    Some((cell.to_owned(), shard.to_owned(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(traces: usize) -> Counts {
        Counts {
            traces,
            fail: 1,
            microseconds: 2.5,
            fail_minutes: vec![3.0, 4.5],
            ..Counts::default()
        }
    }

    #[test]
    fn what_was_written_is_read_back_and_a_torn_line_is_not() {
        let path = std::env::temp_dir().join(format!("judge-quality-{}", std::process::id()));
        let path = path.to_str().expect("UTF-8");
        let mut store = Store::open(path);
        store.add("30 sound", "1/2", &counts(7));
        std::fs::write(
            path,
            std::fs::read_to_string(path).expect("written") + "30 sound\t2/2\t9",
        )
        .expect("torn");
        let mut again = Store::open(path);
        std::fs::remove_file(path).expect("removed");
        assert!(again.has("30 sound", "1/2") && !again.has("30 sound", "2/2"));
        assert_eq!(again.parts().into_iter().collect::<Vec<_>>(), ["1/2"]);
        assert_eq!(again.counts("30 sound").fail_minutes, [3.0, 4.5]);
        again.path = None;
        again.add("30 sound", "2/2", &counts(2));
        again.add("30 sound", "2/2", &counts(2));
        assert_eq!((again.counts("30 sound").traces, again.counts("30 sound").fail), (9, 2));
    }
}
