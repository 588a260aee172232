//! Sinks: they take chunks from the queue on a thread of their own, deliver the lines, and commit positions.
//!
//! A chunk's position becomes the committed position of its container only after its lines are delivered. A restart
//! therefore resumes exactly behind the last delivered line.

mod config;
mod error;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod loki;
pub(crate) mod positions;
pub(crate) mod recover;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::queue::Item;
pub use config::{Fsync, LokiAddress, SinkConfig};
pub use error::SinkError;
use positions::Positions;

/// The deadline of one push to Loki.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// A function that takes items until they end.
type Work = Box<dyn FnOnce(mpsc::Receiver<Item>) + Send>;

/// A running sink.
pub(crate) struct Running {
    /// The positions up to which earlier runs delivered.
    pub(crate) resume: Positions,
    /// Resolves when everything queued is delivered and the sink has ended.
    pub(crate) done: oneshot::Receiver<()>,
}

/// Starts the sink. It ends when [`Item::End`] arrives and everything before it is delivered, or at `abandon`.
///
/// # Errors
/// [`SinkError`] if the state of an earlier run cannot be read, or the sink cannot write.
pub(crate) fn start(
    config: SinkConfig,
    items: mpsc::Receiver<Item>,
    metrics: Arc<Metrics>,
    abandon: CancellationToken,
) -> Result<Running, SinkError> {
    let (ended, done) = oneshot::channel();
    let (resume, work): (Positions, Work) = match config {
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
            let (mut sink, resume) = loki::LokiSink::open(address, folder, metrics, PUSH_TIMEOUT)?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(SinkError::Thread)?;
            (
                resume,
                Box::new(move |items| runtime.block_on(sink.run(items, &abandon))),
            )
        }
    };
    let run = move || {
        work(items);
        // The receiver is gone if the shutdown deadline of the daemon has passed.
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
            Item::Lines(chunk, _permit) => metrics.delivered(&chunk),
            Item::Forget(_) => {}
            Item::End => return,
        }
        if items.is_empty() {
            std::thread::sleep(file::BATCH_PAUSE);
        }
    }
}
