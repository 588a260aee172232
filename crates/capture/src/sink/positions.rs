//! Position files: the committed position of each container.
//!
//! A [`Snapshot`] holds all positions and is replaced atomically. For the file sink it may be old, because the output behind
//! it completes it (see [`super::recover`]). The Loki sink has no output to read; its [`PositionStore`] appends the changes of
//! each batch to a journal beside the snapshot, so that a batch costs as much as it changes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::Fsync;
use super::error::{ErrorChain, SinkError};
use super::folder::Folder;
use crate::resume::Position;

const NAME: &str = "capture.positions.json";
const JOURNAL_NAME: &str = "capture.positions.journal";
/// Raised when the meaning of a field changes.
const VERSION: u32 = 1;
/// The smallest number of journal entries at which the snapshot is rewritten. With more containers than this it is their
/// number, so that rewriting costs a constant amount per entry.
const COMPACT_AT: usize = 10_000;

/// The committed position of each container, by container id.
pub(crate) type Positions = HashMap<String, Position>;

/// The positions at a byte of the output.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    version: u32,
    /// The number of the output file.
    pub(crate) file: u64,
    /// The number of its bytes that the positions account for.
    pub(crate) offset: u64,
    pub(crate) positions: Positions,
}

impl Snapshot {
    /// Loads the snapshot in `folder`; an empty one if there is none.
    ///
    /// # Errors
    /// [`SinkError`] if it cannot be read.
    pub(crate) fn load(folder: &Path) -> Result<Self, SinkError> {
        let path = folder.join(NAME);
        let Some(text) = read_if_exists(&path)? else {
            return Ok(Self::default());
        };
        let snapshot: Self = serde_json::from_slice(&text).map_err(|source| SinkError::Positions {
            path: path.clone(),
            source,
        })?;
        if snapshot.version != VERSION {
            let source = serde::de::Error::custom(format_args!("version {} instead of {VERSION}", snapshot.version));
            return Err(SinkError::Positions { path, source });
        }
        Ok(snapshot)
    }

    /// Replaces the snapshot in `folder`.
    ///
    /// # Errors
    /// [`SinkError`] if it cannot be written.
    pub(crate) fn store(
        folder: &Folder,
        file: u64,
        offset: u64,
        positions: &Positions,
        fsync: Fsync,
    ) -> Result<(), SinkError> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            version: u32,
            file: u64,
            offset: u64,
            positions: &'a Positions,
        }
        let path = folder.path().join(NAME);
        let new = folder.path().join(format!("{NAME}.new"));
        let text = serde_json::to_vec(&Borrowed {
            version: VERSION,
            file,
            offset,
            positions,
        })
        .map_err(|source| SinkError::Positions {
            path: path.clone(),
            source,
        })?;
        let mut out = File::create(&new).map_err(failed("create", &new))?;
        out.write_all(&text).map_err(failed("write", &new))?;
        if fsync != Fsync::Never {
            out.sync_data().map_err(failed("sync", &new))?;
        }
        drop(out);
        fs::rename(&new, &path).map_err(failed("replace", &path))?;
        folder.sync(fsync)
    }
}

/// One change of a container's position; without a position the container is forgotten.
#[derive(Debug, Serialize, Deserialize)]
struct JournalEntry {
    id: String,
    position: Option<Position>,
}

/// Positions in memory and on disk, as a snapshot and a journal of the changes since.
#[derive(Debug)]
pub(crate) struct PositionStore {
    folder: Folder,
    journal: File,
    entries: usize,
    /// The journal on disk misses a change or ends within one: only a new snapshot helps.
    is_journal_broken: bool,
    positions: Positions,
}

impl PositionStore {
    /// Opens the store in `folder`.
    ///
    /// # Errors
    /// [`SinkError`] if the files of an earlier run cannot be read or replaced.
    pub(crate) fn open(folder: Folder) -> Result<Self, SinkError> {
        let path = folder.path().join(JOURNAL_NAME);
        let (positions, entries) = load(folder.path())?;
        let journal = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        let mut store = Self {
            folder,
            journal,
            entries,
            is_journal_broken: false,
            positions,
        };
        if store.journal.metadata().map_err(failed("measure", &path))?.len() > 0 {
            // A change that a kill cut must not stand before the next one.
            store.compact()?;
        }
        Ok(store)
    }

    pub(crate) fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Applies the last known position of each changed container, or forgets it (`None`), in memory and on disk.
    pub(crate) fn commit(&mut self, changes: &HashMap<&str, Option<Position>>) {
        let mut lines = Vec::new();
        for (id, position) in changes {
            let before = match position {
                Some(position) => self.positions.insert((*id).to_owned(), *position),
                None => self.positions.remove(*id),
            };
            if before != *position {
                let id = (*id).to_owned();
                // Strings and numbers always become JSON.
                lines.extend(
                    serde_json::to_vec(&JournalEntry {
                        id,
                        position: *position,
                    })
                    .unwrap_or_default(),
                );
                lines.push(b'\n');
                self.entries += 1;
            }
        }
        if lines.is_empty() {
            return;
        }
        let is_full = self.entries > COMPACT_AT.max(self.positions.len());
        let stored = if self.is_journal_broken || is_full {
            self.compact()
        } else {
            let path = self.folder.path().join(JOURNAL_NAME);
            self.journal.write_all(&lines).map_err(failed("write", &path))
        };
        self.is_journal_broken = stored.is_err();
        if let Err(error) = stored {
            tracing::warn!(error = %ErrorChain(&error), "failed to store positions");
        }
    }

    /// Replaces the snapshot and empties the journal. A kill between the two is harmless: the last entry of each container
    /// in the journal agrees with the snapshot.
    fn compact(&mut self) -> Result<(), SinkError> {
        Snapshot::store(&self.folder, 0, 0, &self.positions, Fsync::Never)?;
        let path = self.folder.path().join(JOURNAL_NAME);
        self.journal.set_len(0).map_err(failed("empty", &path))?;
        self.entries = 0;
        Ok(())
    }
}

/// Loads the positions of a [`PositionStore`] and the number of entries in its journal.
fn load(folder: &Path) -> Result<(Positions, usize), SinkError> {
    let mut positions = Snapshot::load(folder)?.positions;
    let path = folder.join(JOURNAL_NAME);
    let text = read_if_exists(&path)?.unwrap_or_default();
    // An entry without its newline was cut by a kill.
    let complete = &text[..memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1)];
    let mut entries = 0;
    for line in complete.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: JournalEntry = serde_json::from_slice(line).map_err(|source| SinkError::Positions {
            path: path.clone(),
            source,
        })?;
        match entry.position {
            Some(position) => positions.insert(entry.id, position),
            None => positions.remove(&entry.id),
        };
        entries += 1;
    }
    Ok((positions, entries))
}

fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, SinkError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path)(source)),
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError + use<> {
    let path = path.to_owned();
    move |source| SinkError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::Timestamp;

    fn open(folder: &Path) -> PositionStore {
        PositionStore::open(Folder::take(folder.into()).unwrap()).unwrap()
    }

    fn at(nanos: i64) -> Option<Position> {
        Some(Position::starting_at(Timestamp::from_nanos(nanos)))
    }

    #[test]
    fn changes_survive_a_restart_and_forgotten_containers_do_not_return() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        store.commit(&HashMap::from([("a", at(1)), ("b", at(1))]));
        store.commit(&HashMap::from([("a", at(2)), ("b", None), ("unknown", None)]));
        drop(store);
        for _ in 0..2 {
            let store = open(folder.path());
            assert_eq!(store.positions(), &HashMap::from([("a".to_owned(), at(2).unwrap())]));
        }
    }

    #[test]
    fn an_entry_that_a_kill_cut_is_ignored_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL_NAME);
        let mut store = open(folder.path());
        store.commit(&HashMap::from([("a", at(1))]));
        store.journal.write_all(b"{\"id\":\"a\",\"pos").unwrap();
        drop(store);
        let mut store = open(folder.path());
        store.commit(&HashMap::from([("b", at(2))]));
        drop(store);
        assert_eq!(open(folder.path()).positions().len(), 2);
        fs::write(&path, "{\n").unwrap();
        let error = PositionStore::open(Folder::take(folder.path().into()).unwrap()).unwrap_err();
        assert!(error.to_string().contains(JOURNAL_NAME), "{error}");
    }

    #[test]
    fn the_journal_is_compacted_once_it_outgrows_the_positions() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        for number in 0..i64::try_from(COMPACT_AT).unwrap() + 10 {
            store.commit(&HashMap::from([("a", at(number))]));
        }
        assert!(store.entries < 10, "{}", store.entries);
        assert!(store.journal.metadata().unwrap().len() < 10_000);
        let last = store.positions()["a"];
        drop(store);
        assert_eq!(open(folder.path()).positions()["a"], last);
    }
}
