//! One GET request to the engine, and its answer as a body that is read piece by piece.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::chunked::{Dechunker, Framing};
use super::dial::Dial;
use super::{AnyWire, WireError};
use crate::buffer::Buffers;

/// Longest response head; the engine's is about 200 bytes.
const HEAD_MAX: usize = 16 * 1024;
/// Longest answer that is read whole: a list of 10 000 containers is about 10 MB.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// Longest error message that is read.
const MESSAGE_MAX: usize = 64 * 1024;
/// Connections being opened at one time: a Unix socket's backlog may be as short as 128.
const CONNECTS: usize = 64;

/// An engine that does not answer a ping within this time answers nobody.
const PING: Duration = Duration::from_secs(2);

/// Asks one engine.
pub(crate) struct Client {
    dial: Arc<dyn Dial>,
    connects: Semaphore,
    deadline: Duration,
    buffers: Buffers,
    /// When the engine last answered anything.
    answered: Mutex<Option<Instant>>,
}

impl Client {
    /// `deadline`: for a turn to connect, for connecting and the answer's head, and for the rest of an answer that is read
    /// whole.
    pub(crate) fn new(dial: Arc<dyn Dial>, deadline: Duration) -> Self {
        Self {
            dial,
            connects: Semaphore::new(CONNECTS),
            deadline,
            buffers: Buffers::default(),
            answered: Mutex::new(None),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.dial.endpoint()
    }

    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Sends `GET target` and waits for the head of the answer.
    ///
    /// # Errors
    /// [`WireError`] if there is no answer in time, or its status is not 2xx.
    pub(crate) async fn open(&self, target: &str) -> Result<Body, WireError> {
        let crowded = |_| WireError::Crowded {
            target: target.to_owned(),
            seconds: self.deadline.as_secs_f32(),
        };
        // The semaphore is never closed.
        let _knocking = timeout(self.deadline, self.connects.acquire()).await.map_err(crowded)?;
        self.open_at_once(target).await
    }

    /// As [`Client::open`], past those that wait for their turn. For the one subscription that everything hangs on: when
    /// thousands of containers end together, it must not come last.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub(crate) async fn open_at_once(&self, target: &str) -> Result<Body, WireError> {
        let mut body = match timeout(self.deadline, self.ask(target)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(self.no_answer(target)),
        };
        if (200..300).contains(&body.status) {
            return Ok(body);
        }
        let text = self.collect(&mut body, target, MESSAGE_MAX).await.unwrap_or_default();
        let message = serde_json::from_slice::<Message>(&text).map_or_else(
            |_| String::from_utf8_lossy(&text).trim().to_owned(),
            |answer| answer.message,
        );
        Err(WireError::Status {
            status: body.status,
            target: target.to_owned(),
            message,
        })
    }

    /// Sends `GET target` and reads the answer as JSON.
    ///
    /// # Errors
    /// [`WireError`] if there is no whole answer in time, or it is not of type `T`.
    pub(crate) async fn json<T: DeserializeOwned>(&self, target: &str) -> Result<T, WireError> {
        let mut body = self.open(target).await?;
        let text = self.collect(&mut body, target, ANSWER_MAX).await?;
        serde_json::from_slice(&text).map_err(|source| WireError::Json {
            target: target.to_owned(),
            source,
        })
    }

    /// True if the engine answers nobody: not within the deadline that has just passed, and not when it is pinged.
    pub(crate) async fn is_engine_silent(&self) -> bool {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.is_some_and(|answered| answered.elapsed() < self.deadline) {
            return false;
        }
        timeout(PING.min(self.deadline), self.ask("/_ping")).await.is_err()
    }

    fn no_answer(&self, target: &str) -> WireError {
        WireError::NoAnswer {
            target: target.to_owned(),
            seconds: self.deadline.as_secs_f32(),
        }
    }

    async fn ask(&self, target: &str) -> Result<Body, WireError> {
        let mut wire = self.dial.dial().await.map_err(|source| WireError::Connect {
            endpoint: self.dial.endpoint(),
            source,
        })?;
        let request = format!("GET {target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: leakcheck\r\nAccept: */*\r\n\r\n");
        wire.write_all(request.as_bytes()).await.map_err(WireError::Write)?;
        let mut head = Vec::with_capacity(1024);
        loop {
            if wire.read_buf(&mut head).await.map_err(WireError::Read)? == 0 {
                return Err(WireError::Cut);
            }
            if let Some((answer, length)) = Head::parse(&head)? {
                *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                head.drain(..length);
                let dechunker = Dechunker::new(answer.framing);
                return Ok(Body {
                    wire,
                    dechunker,
                    early: head,
                    status: answer.status,
                });
            }
            if head.len() > HEAD_MAX {
                return Err(WireError::Head(format!("longer than {HEAD_MAX} bytes")));
            }
        }
    }

    /// The whole body, within one deadline: an engine that sends a byte now and then is as good as silent.
    async fn collect(&self, body: &mut Body, target: &str, most: usize) -> Result<Vec<u8>, WireError> {
        match timeout(self.deadline, self.read_whole(body, most)).await {
            Ok(whole) => whole,
            Err(_) => Err(self.no_answer(target)),
        }
    }

    async fn read_whole(&self, body: &mut Body, most: usize) -> Result<Vec<u8>, WireError> {
        let mut text = Vec::new();
        loop {
            let Some(piece) = body.read(&self.buffers, &[]).await? else {
                return Ok(text);
            };
            text.extend_from_slice(&piece);
            self.buffers.put(piece);
            if text.len() > most {
                return Err(WireError::TooLarge(most));
            }
        }
    }
}

/// The engine's form of an error.
#[derive(serde::Deserialize)]
struct Message {
    message: String,
}

struct Head {
    status: u16,
    framing: Framing,
}

impl Head {
    /// The head at the start of `bytes` and its length; `None` while it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, WireError> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response
            .parse(bytes)
            .map_err(|error| WireError::Head(error.to_string()))?
        {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok().map(str::trim)
        };
        let status = response.code.unwrap_or(0);
        let framing = match (value("transfer-encoding"), value("content-length")) {
            _ if status == 204 || status == 304 => Framing::Length(0),
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            (Some(coding), _) => {
                return Err(WireError::Head(format!("unknown transfer encoding `{coding}`")));
            }
            (None, Some(text)) => Framing::Length(
                text.parse()
                    .map_err(|_| WireError::Head(format!("content length `{text}` is no number")))?,
            ),
            (None, None) => Framing::UntilClose,
        };
        Ok(Some((Self { status, framing }, length)))
    }
}

/// An answer's body. Dropping it closes the connection.
pub(crate) struct Body {
    wire: AnyWire,
    dechunker: Dechunker,
    /// What came together with the head.
    early: Vec<u8>,
    status: u16,
}

impl Body {
    /// Waits for bytes and returns `carry` and the payload behind it in a buffer of `buffers`; `None` at the proper end
    /// of the body. While it waits it holds no buffer. Cancel-safe: what was read is returned or was not read.
    ///
    /// # Errors
    /// [`WireError`] if the connection breaks or ends before the body does.
    pub(crate) async fn read(&mut self, buffers: &Buffers, carry: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
        loop {
            if self.dechunker.is_done() {
                return Ok(None);
            }
            let mut buffer = if self.early.is_empty() {
                match self.fill(buffers, carry).await? {
                    Some(buffer) => buffer,
                    None if self.dechunker.may_end() => return Ok(None),
                    None => return Err(WireError::Cut),
                }
            } else {
                let mut buffer = buffers.take();
                buffer.extend_from_slice(carry);
                buffer.append(&mut std::mem::take(&mut self.early));
                buffer
            };
            let payload = self.dechunker.strip(&mut buffer[carry.len()..])?;
            if payload > 0 {
                buffer.truncate(carry.len() + payload);
                return Ok(Some(buffer));
            }
            buffers.put(buffer);
        }
    }

    /// One read from the wire, behind `carry`; `None` if the connection has ended.
    async fn fill(&mut self, buffers: &Buffers, carry: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
        poll_fn(|context| {
            let mut buffer = buffers.take();
            buffer.extend_from_slice(carry);
            if buffer.capacity() - buffer.len() < Buffers::READ / 2 {
                buffer.reserve(Buffers::READ);
            }
            let polled = {
                let read = pin!(self.wire.read_buf(&mut buffer));
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
                    Poll::Ready(Err(WireError::Read(error)))
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

    use super::super::dial::Dialling;
    use super::*;

    /// An engine that says `head` at once, and then a byte of a body each second, for ever.
    struct Dripping {
        head: &'static [u8],
        serving: TaskTracker,
    }

    async fn drip(mut far: DuplexStream, head: &'static [u8]) -> io::Result<()> {
        far.write_all(head).await?;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            far.write_all(b" ").await?;
        }
    }

    impl Dial for Dripping {
        fn dial(&self) -> Dialling<'_> {
            Box::pin(async move {
                let (near, far) = tokio::io::duplex(1024);
                let head = self.head;
                self.serving.spawn(async move {
                    // Until they give up.
                    let _ = drip(far, head).await;
                });
                Ok(Box::new(near) as AnyWire)
            })
        }

        fn endpoint(&self) -> String {
            "memory".to_owned()
        }
    }

    fn client(head: &'static [u8]) -> Arc<Client> {
        let serving = TaskTracker::new();
        Arc::new(Client::new(
            Arc::new(Dripping { head, serving }),
            Duration::from_secs(10),
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_drips_is_given_up_at_its_one_deadline() {
        let client = client(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n");
        let began = Instant::now();
        let answer = client.json::<serde_json::Value>("/containers/json").await;
        assert!(matches!(answer, Err(WireError::NoAnswer { .. })), "{answer:?}");
        assert_eq!(began.elapsed().as_secs(), 10);
        assert!(!client.is_engine_silent().await, "it says something");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_connection_behind_those_that_hang_is_told_so_at_the_deadline() {
        let client = client(b"HTTP/1.1 200 OK\r\nX-Slow:");
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..CONNECTS * 2 {
            let client = Arc::clone(&client);
            asking.spawn(async move { client.open("/containers/a/logs").await.err().map(|error| error.kind()) });
        }
        let began = Instant::now();
        let errors = asking.join_all().await;
        assert!(errors.iter().all(|error| *error == Some("no_answer")), "{errors:?}");
        assert!(began.elapsed() <= Duration::from_secs(20), "{:?}", began.elapsed());
        assert!(client.is_engine_silent().await);
    }
}
