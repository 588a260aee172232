//! The Loki sink: batches of lines over Loki's push API.
//!
//! One request at a time on one kept connection, so that the order within each stream is kept. A request that fails is sent
//! again until Loki takes it, whatever ails it: also a wrong password or path, which someone will put right. Only what it
//! cannot take as it is (400: too old, too long, too many streams; 413: too large) is sent again in halves, down to the lines
//! that it refuses; these are counted and left out, or they would block all others. Positions are stored after each batch
//! that was taken, so a killed daemon repeats one batch at most, and Loki itself drops a line that it has with the same
//! labels and timestamp.
//!
//! Loki takes text only: bytes that are no UTF-8 arrive as U+FFFD.

#[cfg(test)]
mod pushing;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::positions::Snapshot;
use super::{Fsync, Positions, SinkError};
use crate::assemble::Line;
use crate::chunk::{Chunk, Identity};
use crate::jitter::Backoff;
use crate::metrics::Metrics;
use crate::queue::{Item, Room};

/// Loki's default limit for one message is 4 MiB (`grpc_server_max_recv_msg_size`); JSON escapes need room.
const BATCH_BYTES: usize = 1024 * 1024;
/// What a line takes in a request beside its text: timestamp, quotes, brackets.
const LINE_BYTES: usize = 32;
/// How long a batch that is not full waits for more lines: a push for each line that a quiet load writes would cost both
/// sides more than the line.
const LINGER: Duration = Duration::from_millis(200);
/// Requests in which the refused lines of one batch are looked for. If all of a batch is refused (a clock that is wrong), it
/// is not pushed line by line: Loki took what it would take of each piece, and the rest of the piece is counted as refused.
const SPLITS: u32 = 256;
/// For connecting, for each write, and for the whole answer.
const DEADLINE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const ANSWER_MAX: usize = 64 * 1024;

/// Where Loki listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LokiAddress {
    authority: String,
    path: String,
}

impl std::str::FromStr for LokiAddress {
    type Err = String;

    /// `http://HOST:PORT[/PATH]`; without a path it is Loki's own, `/loki/api/v1/push`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").ok_or("only http:// is supported")?;
        let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let authority = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let path = if path.trim_end_matches('/').is_empty() {
            "/loki/api/v1/push"
        } else {
            path
        };
        Ok(Self {
            authority,
            path: path.to_owned(),
        })
    }
}

/// Pushes lines to Loki.
pub(crate) struct LokiSink {
    address: LokiAddress,
    folder: Folder,
    metrics: Arc<Metrics>,
    positions: Positions,
    connection: Option<TcpStream>,
}

/// What Loki made of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Yes,
    Refused(u16, String),
}

impl LokiSink {
    /// Opens the sink; `folder` keeps the positions.
    ///
    /// # Errors
    /// [`SinkError`] if the positions of an earlier run cannot be read.
    pub(crate) fn open(
        address: LokiAddress,
        folder: PathBuf,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Positions), SinkError> {
        let folder = Folder::take(folder)?;
        let positions = Snapshot::load(folder.path())?.positions;
        let resume = positions.clone();
        Ok((
            Self {
                address,
                folder,
                metrics,
                positions,
                connection: None,
            },
            resume,
        ))
    }

    /// Pushes what comes until nothing more can come, or until `abandon` while pushing fails.
    pub(crate) fn run(&mut self, mut items: mpsc::Receiver<Item>, abandon: &CancellationToken) {
        let mut batch: Vec<(Box<Chunk>, Room)> = Vec::new();
        let mut ended = false;
        while !ended && let Some(item) = items.blocking_recv() {
            let mut bytes = 0;
            ended = self.gather(item, &mut items, &mut batch, &mut bytes);
            if !ended && bytes < BATCH_BYTES {
                std::thread::sleep(LINGER);
                if let Ok(item) = items.try_recv() {
                    ended = self.gather(item, &mut items, &mut batch, &mut bytes);
                }
            }
            if !batch.is_empty() && !self.push_until_taken(&batch, abandon) {
                return;
            }
            for (chunk, _room) in batch.drain(..) {
                self.positions.insert(chunk.container.id.clone(), chunk.after);
            }
            if let Err(error) = Snapshot::store(&self.folder, 0, 0, &self.positions, Fsync::Never) {
                tracing::warn!(%error, "failed to store positions");
            }
        }
    }

    /// Takes `item` and what else is there into the batch, until it is full; true if nothing comes any more.
    fn gather(
        &mut self,
        item: Item,
        items: &mut mpsc::Receiver<Item>,
        batch: &mut Vec<(Box<Chunk>, Room)>,
        bytes: &mut usize,
    ) -> bool {
        let mut next = Some(item);
        while let Some(item) = next.take() {
            match item {
                Item::Lines(chunk, room) => {
                    *bytes += chunk.bytes() + chunk.line_count() * LINE_BYTES;
                    batch.push((chunk, room));
                }
                Item::Forget(id) => {
                    self.positions.remove(&id);
                }
                Item::End => return true,
            }
            if *bytes < BATCH_BYTES {
                next = items.try_recv().ok();
            }
        }
        false
    }

    /// Pushes a batch, and counts what was delivered and what refused. False if it was abandoned.
    fn push_until_taken(&mut self, batch: &[(Box<Chunk>, Room)], abandon: &CancellationToken) -> bool {
        let lines: Vec<Pushed<'_>> = batch
            .iter()
            .flat_map(|(chunk, _)| chunk.lines().map(|line| (&*chunk.container, line)))
            .collect();
        // Pieces yet to be pushed; the last one is the first of the log.
        let mut pieces = vec![&lines[..]];
        let mut splits = SPLITS;
        while let Some(piece) = pieces.pop() {
            match self.push_again_and_again(piece, abandon) {
                None => return false,
                Some(Taken::Yes) => {
                    let bytes = piece.iter().map(|(_, line)| line.text.len() as u64).sum();
                    self.metrics.delivered_lines(piece.len() as u64, bytes);
                }
                Some(Taken::Refused(..)) if piece.len() > 1 && splits > 0 => {
                    splits -= 1;
                    let (first, second) = piece.split_at(piece.len() / 2);
                    pieces.extend([second, first]);
                }
                Some(Taken::Refused(status, message)) => {
                    self.metrics.refused.inc_by(piece.len() as u64);
                    tracing::error!(status, message, lines = piece.len(), "loki refused lines");
                }
            }
        }
        true
    }

    /// `None` if it was abandoned.
    fn push_again_and_again(&mut self, lines: &[Pushed<'_>], abandon: &CancellationToken) -> Option<Taken> {
        let body = encode(lines);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.push(&body) {
                Ok(taken) => {
                    self.metrics.component_is("sink", "loki", true);
                    return Some(taken);
                }
                Err(error) => {
                    self.connection = None;
                    self.metrics.component_is("sink", "loki", false);
                    tracing::warn!(address = %self.address.authority, %error, "failed to push; trying again");
                    if abandon.is_cancelled() {
                        return None;
                    }
                    std::thread::sleep(backoff.pause());
                }
            }
        }
    }

    /// One request and its answer; an error is worth another try.
    fn push(&mut self, body: &[u8]) -> io::Result<Taken> {
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: leakcheck\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address.path,
            self.address.authority,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let (status, message, keep) = read_answer(&mut stream)?;
        if keep {
            self.connection = Some(stream);
        }
        match status {
            200..300 => Ok(Taken::Yes),
            400 | 413 => Ok(Taken::Refused(status, message)),
            _ => Err(io::Error::other(format!("status {status}: {message}"))),
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.address.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, DEADLINE) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(Some(DEADLINE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Status, message, and whether the connection can be used again.
fn read_answer(stream: &mut TcpStream) -> io::Result<(u16, String, bool)> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let end = Instant::now() + DEADLINE;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&bytes).map_err(|error| invalid(error.to_string()))?;
        if let httparse::Status::Complete(length) = parsed {
            let status = response.code.unwrap_or(0);
            let header = |name: &str| {
                let found = response
                    .headers
                    .iter()
                    .find(|header| header.name.eq_ignore_ascii_case(name))?;
                std::str::from_utf8(found.value).ok()
            };
            let expected = if status == 204 {
                Some(0)
            } else {
                header("content-length").and_then(|n| n.parse().ok())
            };
            let closing = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            let body = &bytes[length..];
            if let Some(expected) = expected.filter(|expected: &usize| body.len() >= *expected) {
                let message = String::from_utf8_lossy(&body[..expected]).trim().to_owned();
                return Ok((status, message, !closing));
            }
            if expected.is_none() {
                // Chunked or until close: the status is what matters, and this connection is not used again.
                return Ok((status, String::from_utf8_lossy(body).trim().to_owned(), false));
            }
        }
        if bytes.len() > ANSWER_MAX {
            return Err(invalid("the answer is too long".to_owned()));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// A line on its way, and whose it is.
type Pushed<'a> = (&'a Identity, Line<'a>);

/// The body of a push: lines grouped by their labels, in order.
fn encode(lines: &[Pushed<'_>]) -> Vec<u8> {
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
