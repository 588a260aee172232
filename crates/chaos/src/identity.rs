//! Names and load groups of containers, inspected at the engine itself.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakcheck_http1::{BodyDecoder, ResponseHead};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::event::ProxyEvent;

/// Label with the load group of a container.
const GROUP: &str = "leakcheck.load";
/// Label with a container's name within its run, which is the same in every run.
const EMITTER: &str = "leakcheck.emitter";

/// Containers inspected at the same time.
const MAX_CONCURRENT: usize = 32;
/// Identities cached; when there are more, the cache is cleared.
const MAX_CACHED: usize = 16_384;
/// Time after which a container is left without a group.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest response to an inspect; usual ones have 5 KiB.
const MAX_RESPONSE: u64 = 1 << 20;
/// Attempts to connect: a Unix socket with a full listen queue fails at once with EAGAIN.
const CONNECT_ATTEMPTS: u32 = 200;
const CONNECT_PAUSE: Duration = Duration::from_millis(10);

/// A container's name and load group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The label `leakcheck.emitter`, or the container's name.
    pub(crate) name: String,
    pub(crate) group: Option<String>,
}

/// A cache of identities in front of the engine.
pub(crate) struct Identities {
    upstream: PathBuf,
    cache: Mutex<HashMap<String, Arc<Identity>>>,
    permits: Semaphore,
    events: Option<mpsc::Sender<ProxyEvent>>,
    failure_reported: AtomicBool,
}

impl Identities {
    pub(crate) fn new(upstream: &Path, events: Option<mpsc::Sender<ProxyEvent>>) -> Self {
        Self {
            upstream: upstream.to_owned(),
            cache: Mutex::default(),
            permits: Semaphore::new(MAX_CONCURRENT),
            events,
            failure_reported: AtomicBool::new(false),
        }
    }

    /// Returns the identity of the container with this id or name, if it is cached.
    pub(crate) fn cached(&self, key: &str) -> Option<Arc<Identity>> {
        self.lock().get(key).cloned()
    }

    /// Returns the identity of the container with this id or name. If it cannot be inspected, `key` serves as its name.
    pub(crate) async fn resolve(&self, key: &str) -> Arc<Identity> {
        if let Some(cached) = self.cached(key) {
            return cached;
        }
        let inspected = timeout(DEADLINE, async {
            let _permit = self.permits.acquire().await.map_err(io::Error::other)?;
            self.inspect(key).await
        });
        let error = match inspected.await {
            Ok(Ok(identity)) => return self.insert(key, identity),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        tracing::warn!(key, error, "failed to inspect a container");
        if !self.failure_reported.swap(true, Ordering::Relaxed)
            && let Some(events) = &self.events
        {
            let container = key.to_owned();
            // If the channel is full or closed, the log has it.
            let _ = events.try_send(ProxyEvent::InspectFailed { container, error });
        }
        Arc::new(Identity {
            name: key.to_owned(),
            group: None,
        })
    }

    fn insert(&self, key: &str, identity: Identity) -> Arc<Identity> {
        let identity = Arc::new(identity);
        let mut cache = self.lock();
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(key.to_owned(), Arc::clone(&identity));
        identity
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Identity>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn inspect(&self, key: &str) -> io::Result<Identity> {
        let mut stream = connect(&self.upstream).await?;
        let request = format!("GET /containers/{key}/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        stream.take(MAX_RESPONSE).read_to_end(&mut response).await?;
        parse(&response).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not the description of a container"))
    }
}

/// Connects to a Unix socket, and retries while its listen queue is full.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    for _ in 1..CONNECT_ATTEMPTS {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(CONNECT_PAUSE).await,
            done => return done,
        }
    }
    UnixStream::connect(path).await
}

/// Parses the whole response to an inspect.
fn parse(response: &[u8]) -> Option<Identity> {
    let (head, length) = ResponseHead::parse(response).ok()??;
    let mut body = response[length..].to_vec();
    let length = BodyDecoder::new(head.framing).decode(&mut body).ok()?;
    let value: Value = serde_json::from_slice(&body[..length]).ok()?;
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
    fn a_container_is_identified_by_its_labels_or_else_by_its_name() {
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
        assert_eq!(parse(plain.as_bytes()), Some(expected.clone()));
        assert_eq!(parse(chunked.as_bytes()), Some(expected));
        let other = "HTTP/1.1 200 OK\r\n\r\n{\"Name\":\"/x\",\"Config\":{\"Labels\":null}}";
        assert_eq!(
            parse(other.as_bytes()),
            Some(Identity {
                name: "x".into(),
                group: None
            })
        );
        assert_eq!(parse(b"HTTP/1.1 404 Not Found\r\n\r\n{\"message\":\"no\"}"), None);
    }
}
