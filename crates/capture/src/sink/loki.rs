//! The Loki sink: batches of lines over Loki's push API.
//!
//! Requests are sent one at a time, so that the order within each stream is kept. A request that fails is repeated until Loki
//! accepts it, whatever the reason: a wrong password or path can be corrected on the other side. Only a batch that Loki
//! cannot accept as it is (400: too old, too long, too many streams; 413: too large) is split in halves, down to the rejected
//! lines. These are counted and left out, because they would block all others.
//!
//! Positions are stored after each accepted batch. A killed daemon therefore repeats at most one batch, and Loki drops a line
//! that it has already with the same labels and timestamp. Loki takes text only: bytes that are not UTF-8 arrive as U+FFFD.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::config::LokiAddress;
use super::error::{ErrorChain, SinkError};
use super::folder::Folder;
use super::positions::{PositionStore, Positions};
use crate::assemble::Line;
use crate::chunk::Identity;
use crate::jitter::Backoff;
use crate::metrics::Metrics;
use crate::queue::Item;
use crate::resume::Position;

/// The size of a full batch. Loki's default limit for one message is 4 MiB (`grpc_server_max_recv_msg_size`), and JSON
/// escapes need space.
const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of a line in a request beside its text: timestamp, quotes, brackets.
const LINE_OVERHEAD: usize = 32;
/// The time for which a batch that is not full waits for more lines. A push per line costs more than the line.
const LINGER: Duration = Duration::from_millis(200);
/// The number of splits in search of the rejected lines of one batch. If a whole batch is rejected (a wrong clock), it is
/// not pushed line by line; what remains of a piece is counted as rejected.
const SPLITS_MAX: u32 = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest error message that is read.
const MESSAGE_MAX: usize = 64 * 1024;

/// A sink that pushes lines to Loki.
pub(crate) struct LokiSink {
    address: LokiAddress,
    client: reqwest::Client,
    metrics: Arc<Metrics>,
    positions: PositionStore,
}

/// Loki's answer to a push.
#[derive(Debug, PartialEq, Eq)]
enum PushOutcome {
    Accepted,
    Rejected { status: u16, message: String },
}

/// A push that should be repeated.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("failed to send the request")]
    Request(#[from] reqwest::Error),
    #[error("status {status}: {message}")]
    Status { status: u16, message: String },
}

impl PushError {
    /// Returns `true` if the request may have been sent on a kept connection that Loki had closed in the meantime.
    fn is_stale_connection(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_request() && !error.is_connect() && !error.is_timeout())
    }
}

impl LokiSink {
    /// Opens the sink with its position files in `folder`. `timeout` bounds each push.
    ///
    /// # Errors
    /// [`SinkError`] if the positions of an earlier run cannot be read.
    pub(crate) fn open(
        address: LokiAddress,
        folder: PathBuf,
        metrics: Arc<Metrics>,
        timeout: Duration,
    ) -> Result<(Self, Positions), SinkError> {
        let positions = PositionStore::open(Folder::take(folder)?)?;
        let resume = positions.positions().clone();
        let client = reqwest::Client::builder()
            .no_proxy()
            .user_agent("leakcheck")
            .pool_max_idle_per_host(1)
            .timeout(timeout)
            .build()
            .map_err(SinkError::HttpClient)?;
        let sink = Self {
            address,
            client,
            metrics,
            positions,
        };
        Ok((sink, resume))
    }

    /// Pushes lines until [`Item::End`], or until `abandon` while pushing fails.
    pub(crate) async fn run(&mut self, mut items: mpsc::Receiver<Item>, abandon: &CancellationToken) {
        let mut batch = Batch::default();
        while !batch.is_last
            && let Some(item) = items.recv().await
        {
            batch.fill(item, &mut items);
            if !batch.is_last && batch.bytes < BATCH_BYTES {
                sleep(LINGER).await;
                if let Ok(item) = items.try_recv() {
                    batch.fill(item, &mut items);
                }
            }
            if !self.push_batch(&batch.lines(), abandon).await {
                return;
            }
            self.positions.commit(&batch.changes());
            batch.items.clear();
            batch.bytes = 0;
        }
    }

    /// Pushes a batch, and counts its accepted and rejected lines. Returns `false` if it was abandoned.
    async fn push_batch(&self, lines: &[LabelledLine<'_>], abandon: &CancellationToken) -> bool {
        // The pieces left to push, in reverse order.
        let mut pieces = vec![lines];
        let mut splits = SPLITS_MAX;
        while let Some(piece) = pieces.pop().filter(|piece| !piece.is_empty()) {
            match self.push_until_answered(piece, abandon).await {
                None => return false,
                Some(PushOutcome::Accepted) => {
                    let bytes = piece.iter().map(|(_, line)| line.text.len() as u64).sum();
                    self.metrics.delivered_lines(piece.len() as u64, bytes);
                }
                Some(PushOutcome::Rejected { .. }) if piece.len() > 1 && splits > 0 => {
                    splits -= 1;
                    let (first, second) = piece.split_at(piece.len() / 2);
                    pieces.extend([second, first]);
                }
                Some(PushOutcome::Rejected { status, message }) => {
                    self.metrics.refused.inc_by(piece.len() as u64);
                    tracing::error!(status, message, lines = piece.len(), "loki rejected lines");
                }
            }
        }
        true
    }

    /// Repeats a push until Loki accepts or rejects it. Returns `None` if it was abandoned.
    async fn push_until_answered(
        &self,
        lines: &[LabelledLine<'_>],
        abandon: &CancellationToken,
    ) -> Option<PushOutcome> {
        let body = encode(lines);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut is_first = true;
        loop {
            match self.push(&body).await {
                Ok(outcome) => {
                    self.metrics.component_is("sink", "loki", true);
                    return Some(outcome);
                }
                // Not a failure of Loki; a new connection is opened at once.
                Err(error) if is_first && error.is_stale_connection() => {}
                Err(error) => {
                    self.metrics.component_is("sink", "loki", false);
                    tracing::warn!(url = %self.address.url(), error = %ErrorChain(&error), "failed to push; trying again");
                    if abandon.is_cancelled() {
                        return None;
                    }
                    sleep(backoff.pause()).await;
                }
            }
            is_first = false;
        }
    }

    /// Sends one push.
    async fn push(&self, body: &[u8]) -> Result<PushOutcome, PushError> {
        let mut response = self
            .client
            .post(self.address.url().clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_vec())
            .send()
            .await?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while text.len() < MESSAGE_MAX
            && let Some(piece) = response.chunk().await?
        {
            text.extend_from_slice(&piece);
        }
        let message = String::from_utf8_lossy(&text).trim().to_owned();
        match status {
            200..300 => Ok(PushOutcome::Accepted),
            400 | 413 => Ok(PushOutcome::Rejected { status, message }),
            _ => Err(PushError::Status { status, message }),
        }
    }
}

/// The items of one push, in the order of the queue.
#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    bytes: usize,
    /// Nothing comes after this batch.
    is_last: bool,
}

impl Batch {
    /// Takes `item` and everything that is queued, until the batch is full.
    fn fill(&mut self, item: Item, items: &mut mpsc::Receiver<Item>) {
        let mut next = Some(item);
        while let Some(item) = next.take() {
            match &item {
                Item::Lines(chunk, _) => self.bytes += chunk.bytes() + chunk.line_count() * LINE_OVERHEAD,
                Item::Forget(_) => {}
                Item::End => {
                    self.is_last = true;
                    return;
                }
            }
            self.items.push(item);
            if self.bytes < BATCH_BYTES {
                next = items.try_recv().ok();
            }
        }
    }

    fn lines(&self) -> Vec<LabelledLine<'_>> {
        let chunks = self.items.iter().filter_map(|item| match item {
            Item::Lines(chunk, _) => Some(chunk),
            Item::Forget(_) | Item::End => None,
        });
        chunks
            .flat_map(|chunk| chunk.lines().map(|line| (&*chunk.container, line)))
            .collect()
    }

    /// Returns the position of each container behind this batch; `None` for one that was removed.
    fn changes(&self) -> HashMap<&str, Option<Position>> {
        let changes = self.items.iter().filter_map(|item| match item {
            Item::Lines(chunk, _) => Some((chunk.container.id.as_str(), Some(chunk.after))),
            Item::Forget(id) => Some((id.as_str(), None)),
            Item::End => None,
        });
        changes.collect()
    }
}

/// A line and its container.
type LabelledLine<'a> = (&'a Identity, Line<'a>);

/// Encodes the body of a push: the lines in order, grouped by their labels.
fn encode(lines: &[LabelledLine<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Push {
        streams: Vec<Group>,
    }
    #[derive(Serialize)]
    struct Group {
        stream: BTreeMap<&'static str, String>,
        values: Vec<(String, String)>,
    }
    let mut groups: BTreeMap<(&str, usize), Group> = BTreeMap::new();
    for (container, line) in lines {
        let group = groups
            .entry((container.id.as_str(), line.stream.index()))
            .or_insert_with(|| Group {
                stream: BTreeMap::from([
                    ("container_id", container.short_id().to_owned()),
                    ("container_name", container.name.clone()),
                    ("stream", line.stream.name().to_owned()),
                ]),
                values: Vec::new(),
            });
        let text = String::from_utf8_lossy(line.text).into_owned();
        group.values.push((line.time.as_nanos().to_string(), text));
    }
    // Maps with text keys always become JSON.
    serde_json::to_vec(&Push {
        streams: groups.into_values().collect(),
    })
    .unwrap_or_default()
}
