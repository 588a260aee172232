//! Whose log a request is about: the container's name and load group, asked from the engine itself.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::weather::News;

/// Label of a load group's containers.
const GROUP: &str = "leakcheck.load";
/// Label with a container's name within its run, which is the same in every run.
const EMITTER: &str = "leakcheck.emitter";

/// How many containers are asked about at a time.
const AT_A_TIME: usize = 32;
/// Names kept; when there are more, all are forgotten and asked for again.
const KEPT: usize = 16_384;
/// An engine that does not answer, or not soon enough because many ask, leaves the container without a group.
const DEADLINE: Duration = Duration::from_secs(5);
/// A container's description is some 5 KiB.
const LONGEST: u64 = 1 << 20;
/// A full listen queue answers EAGAIN at once on Unix sockets: so many tries, so long apart.
const TRIES: u32 = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Who a container is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The same in every run, if the container says so.
    pub(crate) name: String,
    pub(crate) group: Option<String>,
}

/// Asks the engine who is who.
pub(crate) struct Identities {
    upstream: PathBuf,
    known: Mutex<HashMap<String, Arc<Identity>>>,
    asking: Semaphore,
    /// Whether one could not be asked about.
    failed: AtomicBool,
}

impl Identities {
    pub(crate) fn new(upstream: &Path) -> Self {
        Self {
            upstream: upstream.to_owned(),
            known: Mutex::default(),
            asking: Semaphore::new(AT_A_TIME),
            failed: AtomicBool::new(false),
        }
    }

    /// Who the container of that id or name is, if it has been asked already.
    pub(crate) fn known(&self, key: &str) -> Option<Arc<Identity>> {
        self.lock().get(key).cloned()
    }

    /// Who the container of that id or name is; one that cannot be asked about has its key for a name, and the first of
    /// those is told to `news`.
    pub(crate) async fn of(&self, key: &str, news: Option<&mpsc::Sender<News>>) -> Arc<Identity> {
        if let Some(known) = self.known(key) {
            return known;
        }
        let asked = timeout(DEADLINE, async {
            let _permit = self.asking.acquire().await.map_err(io::Error::other)?;
            self.ask(key).await
        });
        let why = match asked.await {
            Ok(Ok(identity)) => return self.learn(key, identity),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        tracing::warn!(key, why, "failed to ask who a container is");
        if !self.failed.swap(true, Ordering::Relaxed)
            && let Some(news) = news
        {
            let container = key.to_owned();
            // Nobody need be listening, and it stands in the log.
            let _ = news.try_send(News::Unknown { container, why });
        }
        Arc::new(Identity {
            name: key.to_owned(),
            group: None,
        })
    }

    fn learn(&self, key: &str, found: Identity) -> Arc<Identity> {
        let found = Arc::new(found);
        let mut known = self.lock();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key.to_owned(), Arc::clone(&found));
        found
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Identity>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, key: &str) -> io::Result<Identity> {
        let mut stream = connect(&self.upstream).await?;
        let request = format!("GET /containers/{key}/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        read(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no description of a container"))
    }
}

/// Connects; a full listen queue is tried again.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    for _ in 1..TRIES {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(BETWEEN_TRIES).await,
            done => return done,
        }
    }
    UnixStream::connect(path).await
}

/// Reads an answer to inspect: its body may be in chunks, whose sizes stand between the JSON's pieces.
fn read(answer: &[u8]) -> Option<Identity> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let body = &answer[end + 4..];
    let value: Value = if head.contains("transfer-encoding: chunked") {
        let mut joined = Vec::with_capacity(body.len());
        let mut rest = body;
        while let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            joined.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
            rest = rest.get(line + 2 + size + 2..)?;
        }
        serde_json::from_slice(&joined).ok()?
    } else {
        serde_json::from_slice(body).ok()?
    };
    let labels = &value["Config"]["Labels"];
    let name = labels[EMITTER].as_str().or_else(|| value["Name"].as_str())?;
    Some(Identity {
        name: name.trim_start_matches('/').to_owned(),
        group: labels[GROUP].as_str().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_its_labels_and_else_by_its_name() {
        let body = r#"{"Name":"/x","Config":{"Labels":{"leakcheck.load":"idle","leakcheck.emitter":"idle-3"}}}"#;
        let plain = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (one, two) = body.split_at(20);
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        );
        let expected = Identity {
            name: "idle-3".into(),
            group: Some("idle".into()),
        };
        assert_eq!(read(plain.as_bytes()), Some(expected.clone()));
        assert_eq!(read(chunked.as_bytes()), Some(expected));
        let other = "HTTP/1.1 200 OK\r\n\r\n{\"Name\":\"/x\",\"Config\":{\"Labels\":null}}";
        assert_eq!(
            read(other.as_bytes()),
            Some(Identity {
                name: "x".into(),
                group: None
            })
        );
        assert_eq!(read(b"HTTP/1.1 404 Not Found\r\n\r\n{\"message\":\"no\"}"), None);
    }
}
