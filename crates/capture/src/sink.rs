//! Where lines end: a sink in a thread or task of its own, which takes chunks from the queue and commits positions.
//!
//! A chunk's position becomes the container's committed position only after its lines are delivered, so a restart resumes
//! behind the last delivered line and nowhere else.

pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod loki;
pub(crate) mod positions;
pub(crate) mod recover;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::queue::Item;
use crate::seam::Position;
use loki::LokiAddress;

/// Where each container's delivered lines end, by container id.
pub(crate) type Positions = HashMap<String, Position>;

/// When written lines are forced to the disk. A killed process loses nothing either way; a lost machine may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fsync {
    /// Left to the kernel.
    Never,
    /// At most once a second, and at the end.
    EverySecond,
    /// After each batch, before its positions count as committed.
    Always,
}

/// Where lines go.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// Nowhere; they are only counted.
    Discard,
    /// NDJSON files in `folder`, a new one after `rotate_bytes`, the oldest removed beyond `keep_files` (0: none is).
    File {
        /// The output folder; it is made if it is not there.
        folder: PathBuf,
        /// Size at which a new file is begun, in bytes.
        rotate_bytes: u64,
        /// How many files are kept; 0 keeps all.
        keep_files: u32,
        /// When lines are forced to the disk.
        fsync: Fsync,
    },
    /// Loki's push API; positions are kept in `folder`.
    Loki {
        /// Where Loki listens.
        address: LokiAddress,
        /// The folder of the position file; it is made if it is not there.
        folder: PathBuf,
    },
}

/// A sink that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The thread could not be started.
    #[error("failed to start the sink's thread")]
    Thread(#[source] std::io::Error),
    /// A file or folder of the sink could not be used.
    #[error("failed to {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two daemons in one folder would write over each other's positions.
    #[error("output folder {} is in use by another daemon", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The position file is not ours or is broken.
    #[error("position file {} is broken; remove it to deliver everything that the engine retains again", path.display())]
    Positions {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        source: serde_json::Error,
    },
}

/// What the sink's thread does: it takes items until they end.
type Work = Box<dyn FnMut(mpsc::Receiver<Item>) + Send>;

/// A sink at work.
pub(crate) struct Running {
    /// Where delivery ended the last time.
    pub(crate) resume: Positions,
    /// Resolves when everything queued is delivered and the sink has ended.
    pub(crate) done: oneshot::Receiver<()>,
}

/// Starts the sink. It ends when the queue's senders are gone and what was queued is delivered, or at `abandon`.
///
/// # Errors
/// [`SinkError`] if what an earlier run left cannot be read, or the sink cannot write.
pub(crate) fn start(
    config: SinkConfig,
    items: mpsc::Receiver<Item>,
    metrics: Arc<Metrics>,
    abandon: CancellationToken,
) -> Result<Running, SinkError> {
    let (ended, done) = oneshot::channel();
    let (resume, mut work): (Positions, Work) = match config {
        SinkConfig::Discard => (Positions::new(), Box::new(move |items| discard(items, &metrics))),
        SinkConfig::File {
            folder,
            rotate_bytes,
            keep_files,
            fsync,
        } => {
            let (mut sink, resume) = file::FileSink::open(folder, rotate_bytes, keep_files, fsync, metrics)?;
            (resume, Box::new(move |items| sink.run(items, &abandon)))
        }
        SinkConfig::Loki { address, folder } => {
            let (mut sink, resume) = loki::LokiSink::open(address, folder, metrics)?;
            (resume, Box::new(move |items| sink.run(items, &abandon)))
        }
    };
    let run = move || {
        work(items);
        // Nobody waits any more if the daemon's own deadline has passed.
        let _ = ended.send(());
    };
    std::thread::Builder::new()
        .name("sink".into())
        .spawn(run)
        .map_err(SinkError::Thread)?;
    Ok(Running { resume, done })
}

fn discard(mut items: mpsc::Receiver<Item>, metrics: &Metrics) {
    while let Some(item) = items.blocking_recv() {
        match item {
            Item::Lines(chunk, _room) => metrics.delivered(&chunk),
            Item::Forget(_) => {}
            Item::End => return,
        }
        if items.is_empty() {
            std::thread::sleep(BREATH);
        }
    }
}

/// How long the sink leaves the queue alone after each batch. What comes meanwhile becomes the next batch: fewer and larger
/// writes, and no waking of the sink's thread for each chunk, which costs more than the lines in it.
const BREATH: Duration = Duration::from_millis(2);

/// The pause between two tries of a sink that failed.
const RETRY: Duration = Duration::from_millis(500);
