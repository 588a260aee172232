//! The file sink: NDJSON, one record a line, numbered files of bounded size.
//!
//! Files are numbered upwards and never renamed, so that readers can follow them by name. A write that fails is rolled back to
//! the end of the last complete batch and repeated; meanwhile the queue fills and the streams wait.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::Fsync;
use super::error::{ErrorChain, SinkError};
use super::folder::Folder;
use super::positions::{Positions, Snapshot};
use super::recover::{path_of, recover};
use crate::metrics::Metrics;
use crate::ndjson;
use crate::queue::Item;
use crate::timestamp;

/// The approximate size of a full batch.
const BATCH_BYTES: usize = 256 * 1024;
/// The interval at which positions are stored; recovery reads at most this much output again.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(2);
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// The pause after each batch. Lines that arrive meanwhile become the next batch: fewer and larger writes, and no wake-up of
/// the sink's thread per chunk, which costs more than the lines in it.
pub(crate) const BATCH_PAUSE: Duration = Duration::from_millis(2);
/// The pause before a failed write is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A sink that writes records into numbered files.
pub(crate) struct FileSink {
    folder: Folder,
    rotate_bytes: u64,
    keep_files: u32,
    fsync: Fsync,
    metrics: Arc<Metrics>,
    file: File,
    /// The numbers of the files that are kept, ascending; the last one is open.
    numbers: Vec<u64>,
    length: u64,
    positions: Positions,
    stored: Instant,
    synced: Instant,
    /// Positions have changed since they were stored.
    is_dirty: bool,
}

impl FileSink {
    /// Opens the sink behind the output of earlier runs, and returns the position of each container in it.
    ///
    /// # Errors
    /// [`SinkError`] if the folder or a file in it cannot be used.
    pub(crate) fn open(
        folder: PathBuf,
        rotate_bytes: u64,
        keep_files: u32,
        fsync: Fsync,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Positions), SinkError> {
        let folder = Folder::take(folder)?;
        let (positions, mut numbers) = recover(folder.path())?;
        if numbers.is_empty() {
            numbers.push(1);
        }
        let (file, length) = open_file(folder.path(), numbers[numbers.len() - 1])?;
        folder.sync(fsync)?;
        let now = Instant::now();
        let resume = positions.clone();
        let sink = Self {
            folder,
            rotate_bytes,
            keep_files,
            fsync,
            metrics,
            file,
            numbers,
            length,
            positions,
            stored: now,
            synced: now,
            is_dirty: true,
        };
        Ok((sink, resume))
    }

    /// Writes lines until [`Item::End`], or until `abandon` while writing fails.
    pub(crate) fn run(&mut self, mut items: mpsc::Receiver<Item>, abandon: &CancellationToken) {
        let mut records = Vec::with_capacity(BATCH_BYTES * 2);
        let mut times = timestamp::Writer::default();
        let mut batch: Vec<Item> = Vec::new();
        let mut ended = false;
        while !ended && let Some(item) = items.blocking_recv() {
            let mut next = Some(item);
            while let Some(item) = next.take() {
                match &item {
                    Item::Lines(chunk, _) => {
                        for line in chunk.lines() {
                            ndjson::write(&chunk.container.record_part, &line, &mut times, &mut records);
                        }
                    }
                    Item::Forget(_) => {}
                    Item::End => {
                        ended = true;
                        break;
                    }
                }
                batch.push(item);
                if records.len() < BATCH_BYTES {
                    next = items.try_recv().ok();
                }
            }
            if !self.write_until_done(&records, abandon) {
                return;
            }
            records.clear();
            records.shrink_to(BATCH_BYTES * 2);
            batch.drain(..).for_each(|item| self.commit(item));
            self.maintain(false);
            if !ended && items.is_empty() {
                std::thread::sleep(BATCH_PAUSE);
            }
        }
        self.maintain(true);
    }

    /// Commits an item whose batch is written. Items are committed in their order, so that a container that was removed
    /// behind its last lines leaves no position.
    fn commit(&mut self, item: Item) {
        match item {
            Item::Lines(chunk, _permit) => {
                self.metrics.delivered(&chunk);
                match self.positions.get_mut(&chunk.container.id) {
                    Some(position) => *position = chunk.after,
                    None => {
                        self.positions.insert(chunk.container.id.clone(), chunk.after);
                    }
                }
            }
            Item::Forget(id) => {
                self.positions.remove(&id);
            }
            Item::End => return,
        }
        self.is_dirty = true;
    }

    /// Writes a batch and repeats until that succeeds. Returns `false` if it was abandoned.
    fn write_until_done(&mut self, records: &[u8], abandon: &CancellationToken) -> bool {
        loop {
            match self.write(records) {
                Ok(()) => {
                    self.metrics.component_is("sink", "file", true);
                    return true;
                }
                Err(error) => {
                    tracing::error!(error = %ErrorChain(&error), "failed to write; trying again");
                    self.metrics.component_is("sink", "file", false);
                    if abandon.is_cancelled() {
                        return false;
                    }
                    std::thread::sleep(RETRY_PAUSE);
                }
            }
        }
    }

    fn write(&mut self, records: &[u8]) -> Result<(), SinkError> {
        if self.length > 0 && self.length + records.len() as u64 > self.rotate_bytes {
            self.next_file()?;
        }
        let written = self.file.write_all(records).and_then(|()| match self.fsync {
            Fsync::Always => self.file.sync_data(),
            _ => Ok(()),
        });
        if let Err(source) = written {
            self.rollback();
            return Err(SinkError::File {
                what: "write",
                path: self.path(),
                source,
            });
        }
        self.length += records.len() as u64;
        Ok(())
    }

    /// Removes the written part of a failed batch, which will be repeated.
    fn rollback(&mut self) {
        if let Err(error) = self.file.set_len(self.length) {
            tracing::error!(path = %self.path().display(), %error, "failed to roll back an incomplete batch");
        }
    }

    fn path(&self) -> PathBuf {
        path_of(self.folder.path(), self.number())
    }

    fn number(&self) -> u64 {
        self.numbers.last().copied().unwrap_or(1)
    }

    fn next_file(&mut self) -> Result<(), SinkError> {
        if self.fsync != Fsync::Never {
            self.file.sync_data().map_err(|source| SinkError::File {
                what: "sync",
                path: self.path(),
                source,
            })?;
        }
        let number = self.number() + 1;
        (self.file, self.length) = open_file(self.folder.path(), number)?;
        self.numbers.push(number);
        // The positions must not point into a file that is about to be removed.
        self.store()?;
        while self.keep_files > 0 && self.numbers.len() > self.keep_files as usize {
            let oldest = path_of(self.folder.path(), self.numbers.remove(0));
            if let Err(error) = fs::remove_file(&oldest) {
                tracing::warn!(path = %oldest.display(), %error, "failed to remove an old output file");
            }
        }
        Ok(())
    }

    fn store(&mut self) -> Result<(), SinkError> {
        if self.fsync != Fsync::Never {
            // Positions must not be safer than their lines.
            self.file.sync_data().map_err(|source| SinkError::File {
                what: "sync",
                path: self.path(),
                source,
            })?;
        }
        Snapshot::store(&self.folder, self.number(), self.length, &self.positions, self.fsync)?;
        self.stored = Instant::now();
        self.is_dirty = false;
        Ok(())
    }

    /// Syncs the output and stores positions if that is due, or at the `end`.
    fn maintain(&mut self, end: bool) {
        if self.fsync == Fsync::EverySecond && (end || self.synced.elapsed() >= SYNC_EVERY) {
            self.synced = Instant::now();
            if let Err(error) = self.file.sync_data() {
                tracing::error!(path = %self.path().display(), %error, "failed to sync");
            }
        }
        if self.is_dirty && (end || self.stored.elapsed() >= SNAPSHOT_EVERY) {
            // An old snapshot does no harm: recovery reads the output behind it.
            if let Err(error) = self.store() {
                tracing::warn!(error = %ErrorChain(&error), "failed to store positions");
            }
        }
    }
}

fn open_file(folder: &std::path::Path, number: u64) -> Result<(File, u64), SinkError> {
    let path = path_of(folder, number);
    let open = || -> io::Result<(File, u64)> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    open().map_err(|source| SinkError::File {
        what: "open",
        path: path.clone(),
        source,
    })
}
