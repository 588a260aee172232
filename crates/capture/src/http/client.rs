//! GET requests to the engine, and their responses as bodies that are read piece by piece.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use leakcheck_http1::{BodyDecoder, ResponseHead};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::connector::{Connection, Connector};
use super::error::HttpError;
use crate::buffer::Buffers;

/// The longest response that is read as a whole: a list of 10,000 containers is about 10 MB.
const RESPONSE_MAX: usize = 64 * 1024 * 1024;
/// The longest error message that is read.
const MESSAGE_MAX: usize = 64 * 1024;
/// Connections that are opened at one time: the backlog of a Unix socket may be as short as 128.
const CONNECTING_MAX: usize = 64;

/// The deadline of a ping, which tells whether an engine answers at all.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// A client of one engine.
pub(crate) struct Client {
    connector: Arc<dyn Connector>,
    connecting: Semaphore,
    deadline: Duration,
    buffers: Buffers,
    /// The time of the engine's last answer to any request.
    last_answer: Mutex<Option<Instant>>,
}

impl Client {
    /// Creates a client. `deadline` bounds each of: waiting for a permit to connect, connecting and the response head, and
    /// the rest of a response that is read as a whole.
    pub(crate) fn new(connector: Arc<dyn Connector>, deadline: Duration) -> Self {
        Self {
            connector,
            connecting: Semaphore::new(CONNECTING_MAX),
            deadline,
            buffers: Buffers::default(),
            last_answer: Mutex::new(None),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.connector.endpoint()
    }

    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Sends `GET target` and waits for the response head.
    ///
    /// # Errors
    /// [`HttpError`] if there is no response in time, or its status is not 2xx.
    pub(crate) async fn open(&self, target: &str) -> Result<Body, HttpError> {
        let too_many = |_| HttpError::TooManyConnecting {
            target: target.to_owned(),
            seconds: self.deadline.as_secs_f32(),
        };
        // The semaphore is never closed.
        let _permit = timeout(self.deadline, self.connecting.acquire())
            .await
            .map_err(too_many)?;
        self.open_without_permit(target).await
    }

    /// Does the same as [`Client::open`] without waiting for a permit. It is for the event subscription, which must not
    /// wait behind thousands of log requests.
    ///
    /// # Errors
    /// Those of [`Client::open`].
    pub(crate) async fn open_without_permit(&self, target: &str) -> Result<Body, HttpError> {
        let mut body = match timeout(self.deadline, self.send(target)).await {
            Ok(response) => response?,
            Err(_) => return Err(self.no_answer(target)),
        };
        if (200..300).contains(&body.status) {
            return Ok(body);
        }
        let text = self.collect(&mut body, target, MESSAGE_MAX).await.unwrap_or_default();
        let message = serde_json::from_slice::<ErrorResponse>(&text).map_or_else(
            |_| String::from_utf8_lossy(&text).trim().to_owned(),
            |response| response.message,
        );
        Err(HttpError::Status {
            status: body.status,
            target: target.to_owned(),
            message,
        })
    }

    /// Sends `GET target` and reads the response as JSON.
    ///
    /// # Errors
    /// [`HttpError`] if there is no complete response in time, or it is not of type `T`.
    pub(crate) async fn json<T: DeserializeOwned>(&self, target: &str) -> Result<T, HttpError> {
        let mut body = self.open(target).await?;
        let text = self.collect(&mut body, target, RESPONSE_MAX).await?;
        serde_json::from_slice(&text).map_err(|source| HttpError::Json {
            target: target.to_owned(),
            source,
        })
    }

    /// Returns `true` if the engine has answered no request within the deadline and does not answer a ping either.
    pub(crate) async fn is_engine_unresponsive(&self) -> bool {
        let last_answer = *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner);
        if last_answer.is_some_and(|time| time.elapsed() < self.deadline) {
            return false;
        }
        timeout(PING_DEADLINE.min(self.deadline), self.send("/_ping"))
            .await
            .is_err()
    }

    fn no_answer(&self, target: &str) -> HttpError {
        HttpError::NoAnswer {
            target: target.to_owned(),
            seconds: self.deadline.as_secs_f32(),
        }
    }

    async fn send(&self, target: &str) -> Result<Body, HttpError> {
        let mut connection = self.connector.connect().await.map_err(|source| HttpError::Connect {
            endpoint: self.connector.endpoint(),
            source,
        })?;
        let request = format!("GET {target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: leakcheck\r\nAccept: */*\r\n\r\n");
        connection
            .write_all(request.as_bytes())
            .await
            .map_err(HttpError::Write)?;
        let mut bytes = Vec::with_capacity(1024);
        loop {
            if connection.read_buf(&mut bytes).await.map_err(HttpError::Read)? == 0 {
                return Err(HttpError::Truncated);
            }
            if let Some((head, length)) = ResponseHead::parse(&bytes)? {
                *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                bytes.drain(..length);
                return Ok(Body {
                    connection,
                    decoder: BodyDecoder::new(head.framing),
                    read_ahead: bytes,
                    status: head.status,
                });
            }
        }
    }

    /// Reads the whole body within one deadline, so that an engine that sends a byte now and then counts as silent.
    async fn collect(&self, body: &mut Body, target: &str, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        match timeout(self.deadline, self.read_to_end(body, max_bytes)).await {
            Ok(text) => text,
            Err(_) => Err(self.no_answer(target)),
        }
    }

    async fn read_to_end(&self, body: &mut Body, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        let mut text = Vec::new();
        loop {
            let Some(piece) = body.read(&self.buffers, &[]).await? else {
                return Ok(text);
            };
            text.extend_from_slice(&piece);
            self.buffers.put(piece);
            if text.len() > max_bytes {
                return Err(HttpError::TooLarge(max_bytes));
            }
        }
    }
}

/// An error response of the engine.
#[derive(serde::Deserialize)]
struct ErrorResponse {
    message: String,
}

/// The body of a response. Dropping it closes the connection.
pub(crate) struct Body {
    connection: Connection,
    decoder: BodyDecoder,
    /// Bytes that were read together with the head.
    read_ahead: Vec<u8>,
    status: u16,
}

impl Body {
    /// Waits for bytes and returns `carry` and the payload behind it in a buffer of `buffers`; `None` at the end of the
    /// body. It holds no buffer while it waits. Cancel-safe: no bytes are lost.
    ///
    /// # Errors
    /// [`HttpError`] if the connection breaks or ends before the body does.
    pub(crate) async fn read(&mut self, buffers: &Buffers, carry: &[u8]) -> Result<Option<Vec<u8>>, HttpError> {
        loop {
            if self.decoder.is_done() {
                return Ok(None);
            }
            let mut buffer = if self.read_ahead.is_empty() {
                match self.fill(buffers, carry).await? {
                    Some(buffer) => buffer,
                    None if self.decoder.may_end() => return Ok(None),
                    None => return Err(HttpError::Truncated),
                }
            } else {
                let mut buffer = buffers.take();
                buffer.extend_from_slice(carry);
                buffer.append(&mut std::mem::take(&mut self.read_ahead));
                buffer
            };
            let payload = self.decoder.decode(&mut buffer[carry.len()..])?;
            if payload > 0 {
                buffer.truncate(carry.len() + payload);
                return Ok(Some(buffer));
            }
            buffers.put(buffer);
        }
    }

    /// Reads from the connection once, behind `carry`; `None` if the connection has ended.
    async fn fill(&mut self, buffers: &Buffers, carry: &[u8]) -> Result<Option<Vec<u8>>, HttpError> {
        poll_fn(|context| {
            let mut buffer = buffers.take();
            buffer.extend_from_slice(carry);
            if buffer.capacity() - buffer.len() < Buffers::READ / 2 {
                buffer.reserve(Buffers::READ);
            }
            let polled = {
                let read = pin!(self.connection.read_buf(&mut buffer));
                read.poll(context)
            };
            match polled {
                Poll::Ready(Ok(0)) => {
                    buffers.put(buffer);
                    Poll::Ready(Ok(None))
                }
                Poll::Ready(Ok(_)) => Poll::Ready(Ok(Some(buffer))),
                Poll::Ready(Err(error)) => {
                    buffers.put(buffer);
                    Poll::Ready(Err(HttpError::Read(error)))
                }
                Poll::Pending => {
                    buffers.put(buffer);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::DuplexStream;
    use tokio_util::task::TaskTracker;

    use super::super::connector::Connecting;
    use super::*;

    /// An engine that sends `head` at once, and then one byte of a body per second for ever.
    struct DrippingEngine {
        head: &'static [u8],
        serving: TaskTracker,
    }

    async fn drip(mut stream: DuplexStream, head: &'static [u8]) -> io::Result<()> {
        stream.write_all(head).await?;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.write_all(b" ").await?;
        }
    }

    impl Connector for DrippingEngine {
        fn connect(&self) -> Connecting<'_> {
            Box::pin(async move {
                let (client, server) = tokio::io::duplex(1024);
                let head = self.head;
                self.serving.spawn(async move {
                    // Ends when the client closes the connection.
                    let _ = drip(server, head).await;
                });
                Ok(Box::new(client) as Connection)
            })
        }

        fn endpoint(&self) -> String {
            "memory".to_owned()
        }
    }

    fn client(head: &'static [u8]) -> Arc<Client> {
        let serving = TaskTracker::new();
        Arc::new(Client::new(
            Arc::new(DrippingEngine { head, serving }),
            Duration::from_secs(10),
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_response_fails_at_its_deadline() {
        let client = client(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n");
        let start = Instant::now();
        let response = client.json::<serde_json::Value>("/containers/json").await;
        assert!(matches!(response, Err(HttpError::NoAnswer { .. })), "{response:?}");
        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(!client.is_engine_unresponsive().await, "it has sent a head");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_for_a_permit_to_connect_fails_at_its_deadline() {
        let client = client(b"HTTP/1.1 200 OK\r\nX-Slow:");
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..CONNECTING_MAX * 2 {
            let client = Arc::clone(&client);
            requests.spawn(async move { client.open("/containers/a/logs").await.err().map(|error| error.kind()) });
        }
        let start = Instant::now();
        let errors = requests.join_all().await;
        assert!(errors.iter().all(|error| *error == Some("no_answer")), "{errors:?}");
        assert!(start.elapsed() <= Duration::from_secs(20), "{:?}", start.elapsed());
        assert!(client.is_engine_unresponsive().await);
    }
}
