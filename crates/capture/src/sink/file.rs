//! The file sink: NDJSON, one record a line, numbered files of bounded size.
//!
//! Files are numbered upwards and never renamed, so that whoever reads them can follow by name. A write that fails is
//! taken back to the last whole batch and tried again; meanwhile the queue fills and the streams wait.

#[cfg(test)]
mod writing;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::positions::Snapshot;
use super::recover::{path_of, recover};
use super::{BREATH, Fsync, Positions, RETRY, SinkError};
use crate::chunk::Chunk;
use crate::metrics::Metrics;
use crate::ndjson;
use crate::queue::{Item, Room};
use crate::timestamp;

/// Records are written in pieces of about this size where that many wait.
const BATCH_BYTES: usize = 256 * 1024;
/// How often positions are stored while lines flow; recovery reads at most this much output again.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(2);
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Writes records into numbered files.
pub(crate) struct FileSink {
    folder: Folder,
    rotate_bytes: u64,
    keep_files: u32,
    fsync: Fsync,
    metrics: Arc<Metrics>,
    file: File,
    numbers: Vec<u64>,
    length: u64,
    positions: Positions,
    stored: Instant,
    synced: Instant,
    dirty: bool,
}

impl FileSink {
    /// Opens the sink where an earlier run left it, and says where each container's delivered lines end.
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
            dirty: true,
        };
        Ok((sink, resume))
    }

    /// Writes what comes until nothing more can come, or until `abandon` while writing fails.
    pub(crate) fn run(&mut self, mut items: mpsc::Receiver<Item>, abandon: &CancellationToken) {
        let mut records = Vec::with_capacity(BATCH_BYTES * 2);
        let mut times = timestamp::Writer::default();
        let mut batch: Vec<(Box<Chunk>, Room)> = Vec::new();
        let mut ended = false;
        while !ended && let Some(item) = items.blocking_recv() {
            let mut next = Some(item);
            while let Some(item) = next.take() {
                match item {
                    Item::Lines(chunk, room) => {
                        for line in chunk.lines() {
                            ndjson::write(&chunk.container.record_part, &line, &mut times, &mut records);
                        }
                        batch.push((chunk, room));
                    }
                    Item::Forget(id) => {
                        self.positions.remove(&id);
                        self.dirty = true;
                    }
                    Item::End => {
                        ended = true;
                        break;
                    }
                }
                if records.len() < BATCH_BYTES {
                    next = items.try_recv().ok();
                }
            }
            if !self.write_until_done(&records, abandon) {
                return;
            }
            records.clear();
            records.shrink_to(BATCH_BYTES * 2);
            for (chunk, _room) in batch.drain(..) {
                self.metrics.delivered(&chunk);
                self.commit(&chunk);
            }
            self.keep_house(false);
            if !ended && items.is_empty() {
                std::thread::sleep(BREATH);
            }
        }
        self.keep_house(true);
    }

    fn commit(&mut self, chunk: &Chunk) {
        self.dirty = true;
        match self.positions.get_mut(&chunk.container.id) {
            Some(position) => *position = chunk.after,
            None => {
                self.positions.insert(chunk.container.id.clone(), chunk.after);
            }
        }
    }

    /// Writes a batch, trying again until it is written; false if it was abandoned.
    fn write_until_done(&mut self, records: &[u8], abandon: &CancellationToken) -> bool {
        loop {
            match self.write(records) {
                Ok(()) => {
                    self.metrics.component_is("sink", "file", true);
                    return true;
                }
                Err(error) => {
                    tracing::error!(error = %Cause(&error), "failed to write; trying again");
                    self.metrics.component_is("sink", "file", false);
                    if abandon.is_cancelled() {
                        return false;
                    }
                    std::thread::sleep(RETRY);
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
            self.take_back();
            return Err(SinkError::File {
                what: "write",
                path: self.path(),
                source,
            });
        }
        self.length += records.len() as u64;
        Ok(())
    }

    /// Removes what was written of a batch that failed: it comes again.
    fn take_back(&mut self) {
        if let Err(error) = self.file.set_len(self.length) {
            tracing::error!(path = %self.path().display(), %error, "failed to take back half a batch");
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
            // Positions must never be safer than the lines that they speak of.
            self.file.sync_data().map_err(|source| SinkError::File {
                what: "sync",
                path: self.path(),
                source,
            })?;
        }
        Snapshot::store(&self.folder, self.number(), self.length, &self.positions, self.fsync)?;
        self.stored = Instant::now();
        self.dirty = false;
        Ok(())
    }

    /// Syncs and stores positions where that is due, or at the `end`.
    fn keep_house(&mut self, end: bool) {
        if self.fsync == Fsync::EverySecond && (end || self.synced.elapsed() >= SYNC_EVERY) {
            self.synced = Instant::now();
            if let Err(error) = self.file.sync_data() {
                tracing::error!(path = %self.path().display(), %error, "failed to sync");
            }
        }
        if self.dirty && (end || self.stored.elapsed() >= SNAPSHOT_EVERY) {
            // An old snapshot is as good: recovery reads the output behind it.
            if let Err(error) = self.store() {
                tracing::warn!(error = %Cause(&error), "failed to store positions");
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

/// An error with its causes, for a log line.
struct Cause<'a>(&'a SinkError);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
