//! The Loki sink: batches of lines over Loki's push API.
//!
//! One request at a time on one kept connection, so that the order within each stream is kept. A request that fails is sent
//! again until Loki takes it; one that Loki refuses for good (a 4xx other than 429) is counted and left out, or it would
//! block all others. Positions are stored after each batch that was taken, so a killed daemon repeats one batch at most,
//! and Loki itself drops a line that it has with the same labels and timestamp.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::positions::Snapshot;
use super::{Fsync, Positions, SinkError};
use crate::chunk::Chunk;
use crate::jitter::Backoff;
use crate::metrics::Metrics;
use crate::queue::{Item, Room};

/// Loki's default limit for one message is 4 MiB (`grpc_server_max_recv_msg_size`); JSON escapes need room.
const BATCH_BYTES: usize = 1024 * 1024;
/// For connecting, for each write, and for the answer.
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
    folder: PathBuf,
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
        std::fs::create_dir_all(&folder).map_err(|source| SinkError::File {
            what: "create",
            path: folder.clone(),
            source,
        })?;
        let positions = Snapshot::load(&folder)?.positions;
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
            let (mut next, mut bytes) = (Some(item), 0);
            while let Some(item) = next.take() {
                match item {
                    Item::Lines(chunk, room) => {
                        bytes += chunk.bytes();
                        batch.push((chunk, room));
                    }
                    Item::Forget(id) => {
                        self.positions.remove(&id);
                    }
                    Item::End => {
                        ended = true;
                        break;
                    }
                }
                if bytes < BATCH_BYTES {
                    next = items.try_recv().ok();
                }
            }
            if !batch.is_empty() && !self.push_until_taken(&batch, abandon) {
                return;
            }
            for (chunk, _room) in batch.drain(..) {
                self.metrics.delivered(&chunk);
                self.positions.insert(chunk.container.id.clone(), chunk.after);
            }
            if let Err(error) = Snapshot::store(&self.folder, 0, 0, &self.positions, Fsync::Never) {
                tracing::warn!(%error, "failed to store positions");
            }
        }
    }

    /// False if it was abandoned.
    fn push_until_taken(&mut self, batch: &[(Box<Chunk>, Room)], abandon: &CancellationToken) -> bool {
        let body = encode(batch.iter().map(|(chunk, _)| chunk.as_ref()));
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.push(&body) {
                Ok(Taken::Yes) => {
                    self.metrics.component_is("sink", "loki", true);
                    return true;
                }
                Ok(Taken::Refused(status, message)) => {
                    let lines = batch.iter().map(|(chunk, _)| chunk.line_count() as u64).sum();
                    self.metrics.refused.inc_by(lines);
                    tracing::error!(status, message, lines, "loki refused a batch");
                    return true;
                }
                Err(error) => {
                    self.connection = None;
                    self.metrics.component_is("sink", "loki", false);
                    tracing::warn!(address = %self.address.authority, %error, "failed to push; trying again");
                    if abandon.is_cancelled() {
                        return false;
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
            429 | 500.. => Err(io::Error::other(format!("status {status}: {message}"))),
            _ => Ok(Taken::Refused(status, message)),
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.address.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, DEADLINE) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(DEADLINE))?;
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
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// The body of a push: lines grouped by their labels, in order.
fn encode<'a>(chunks: impl Iterator<Item = &'a Chunk>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Push {
        streams: Vec<Group>,
    }
    #[derive(Serialize)]
    struct Group {
        stream: BTreeMap<&'static str, String>,
        values: Vec<(String, String)>,
    }
    let mut groups: BTreeMap<(String, usize), Group> = BTreeMap::new();
    for chunk in chunks {
        for line in chunk.lines() {
            let group = groups
                .entry((chunk.container.id.clone(), line.stream.index()))
                .or_insert_with(|| Group {
                    stream: BTreeMap::from([
                        ("container_id", chunk.container.short_id().to_owned()),
                        ("container_name", chunk.container.name.clone()),
                        ("stream", line.stream.name().to_owned()),
                    ]),
                    values: Vec::new(),
                });
            let text = String::from_utf8_lossy(line.text).into_owned();
            group.values.push((line.time.as_nanos().to_string(), text));
        }
    }
    // Maps with text keys always become JSON.
    serde_json::to_vec(&Push {
        streams: groups.into_values().collect(),
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::assemble::Line;
    use crate::chunk::Identity;
    use crate::frame::Stream;
    use crate::seam::Position;
    use crate::testbed::metrics;
    use crate::timestamp::Timestamp;

    fn chunk(name: &str, lines: &[(Stream, i64, &str)]) -> Chunk {
        let identity = Arc::new(Identity::new(format!("id-{name}"), name.to_owned()));
        let mut chunk = Chunk::new(identity, Position::default());
        for (stream, time, text) in lines {
            let time = Timestamp::from_nanos(*time);
            chunk.push(&Line {
                stream: *stream,
                time,
                text: text.as_bytes(),
                partial: false,
                pieces: 1,
            });
        }
        chunk
    }

    /// A Loki that answers each request with the next of `answers`, and hands back the bodies.
    fn loki(answers: &'static [&'static str]) -> (LokiAddress, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let serving = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let body = loop {
                    let mut piece = [0; 1024];
                    let read = stream.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("Content-Length: "))
                        .unwrap();
                    if body.len() == length.parse::<usize>().unwrap() {
                        break body.to_owned();
                    }
                };
                bodies.push(body);
                let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
            }
            bodies
        });
        (address, serving)
    }

    /// Runs a sink over one chunk; the number of lines that it says were delivered and refused.
    async fn run(address: LokiAddress, folder: &std::path::Path, chunk: Chunk) -> (String, Positions) {
        let metrics = metrics();
        let (mut sink, _) = LokiSink::open(address, folder.into(), Arc::clone(&metrics)).unwrap();
        let (queue, items) = crate::queue::Queue::new(100, 10_000);
        queue.send(chunk).await.unwrap();
        queue.end().await;
        tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
            .await
            .unwrap();
        (metrics.encode(), Snapshot::load(folder).unwrap().positions)
    }

    #[tokio::test]
    async fn a_batch_is_sent_again_until_loki_takes_it_and_only_then_committed() {
        let folder = tempfile::tempdir().unwrap();
        let (address, serving) = loki(&["500 Internal Server Error", "429 Too Many Requests", "204 No Content"]);
        let lines = [
            (Stream::Stdout, 2, "two"),
            (Stream::Stderr, 1, "one"),
            (Stream::Stdout, 3, "th\"ree"),
        ];
        let (metrics, positions) = run(address, folder.path(), chunk("web", &lines)).await;
        let bodies = serving.join().unwrap();
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(
            bodies[0],
            r#"{"streams":[{"stream":{"container_id":"id-web","container_name":"web","stream":"stdout"},"values":[["2","two"],["3","th\"ree"]]},{"stream":{"container_id":"id-web","container_name":"web","stream":"stderr"},"values":[["1","one"]]}]}"#
        );
        assert!(metrics.contains("log_capturer_lines_total 3"));
        assert!(positions.contains_key("id-web"));
    }

    #[tokio::test]
    async fn a_batch_that_loki_refuses_for_good_is_counted_and_blocks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (address, serving) = loki(&["400 Bad Request"]);
        let (metrics, _) = run(address, folder.path(), chunk("web", &[(Stream::Stdout, 1, "too old")])).await;
        serving.join().unwrap();
        assert!(metrics.contains("log_capturer_sink_refused_lines_total 1"));
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let parse = |text: &str| {
            text.parse::<LokiAddress>()
                .map(|address| (address.authority, address.path))
        };
        assert_eq!(
            parse("http://loki:3100"),
            Ok(("loki:3100".into(), "/loki/api/v1/push".into()))
        );
        assert_eq!(parse("http://loki/push"), Ok(("loki:80".into(), "/push".into())));
        assert!(parse("https://loki").is_err());
    }
}
