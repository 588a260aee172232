//! The socket, and one task for each connection.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::engine::Engine;
use crate::error::ApiError;
use crate::http::{Connection, ConnectionError, Reply};
use crate::settings::Settings;

/// As many as the kernel lets (`net.core.somaxconn` is 4096 by default): thousands connect at once.
const BACKLOG: u32 = 4096;

/// Pause of the listener after it ran out of descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Why the engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket could not be made.
    #[error("failed to listen on {path}")]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another engine answers on the socket.
    #[error("another process listens on {0} already")]
    Taken(PathBuf),
    /// The first containers could not be made.
    #[error("failed to make the first containers: {0}")]
    Containers(String),
}

/// An engine that listens already; clients can connect before [`Server::run`] is called.
pub struct Server {
    listener: UnixListener,
    engine: Arc<Engine>,
    socket: PathBuf,
}

/// Runs an engine until `shutdown`; the socket is gone afterwards.
///
/// # Errors
/// If the socket cannot be listened on.
pub async fn serve(settings: Settings, shutdown: CancellationToken) -> Result<(), ServeError> {
    Server::bind(&settings)?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Listens, and starts the first containers. Each client is an open file: raising the limit is for the process's owner.
    ///
    /// # Errors
    /// If the socket cannot be listened on.
    pub fn bind(settings: &Settings) -> Result<Self, ServeError> {
        let path = &settings.socket;
        remove_stale(path)?;
        let listen = |source| ServeError::Listen {
            path: path.clone(),
            source,
        };
        let socket = UnixSocket::new_stream().map_err(listen)?;
        socket.bind(path).map_err(listen)?;
        let listener = socket.listen(BACKLOG).map_err(listen)?;
        let engine = Engine::new(settings).map_err(|ApiError { message, .. }| ServeError::Containers(message))?;
        Ok(Self {
            listener,
            engine: Arc::new(engine),
            socket: path.clone(),
        })
    }

    /// Returns the path of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Serves until `shutdown`, then ends every connection and removes the socket.
    pub async fn run(self, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        {
            let (engine, shutdown) = (Arc::clone(&self.engine), shutdown.clone());
            tasks.spawn(engine.run_schedule(shutdown));
        }
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (engine, shutdown) = (Arc::clone(&self.engine), shutdown.clone());
                    tasks.spawn(async move {
                        engine.connections.fetch_add(1, Ordering::Relaxed);
                        // A client that disconnects or sends nonsense does not affect others.
                        let ended = shutdown.run_until_cancelled(converse(&engine, stream)).await;
                        if let Some(Err(error)) = ended {
                            tracing::debug!(%error, "a connection ended");
                        }
                        engine.connections.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Answers one request after another.
async fn converse(engine: &Arc<Engine>, stream: UnixStream) -> Result<(), ConnectionError> {
    let mut connection = Connection::new(stream);
    loop {
        let head = match connection.next_head().await {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(()),
            Err(error) => {
                refuse(&mut connection, &error).await;
                return Err(error);
            }
        };
        // On the heap while it lasts, so that a waiting connection is small.
        Box::pin(api::answer(engine, &mut connection, &head)).await?;
        if !head.keep_alive {
            return Ok(());
        }
    }
}

async fn refuse(connection: &mut Connection, error: &ConnectionError) {
    if let ConnectionError::Malformed(what) = error {
        let reply = Reply::from(ApiError::bad(format_args!("malformed HTTP request: {what}")));
        // The client may be gone already.
        let _ = connection.write(&reply.closing_bytes()).await;
    }
}

/// Removes a socket without a listener; anything else in its place stays.
fn remove_stale(path: &Path) -> Result<(), ServeError> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let listen = |source| ServeError::Listen {
        path: path.to_owned(),
        source,
    };
    if !found.file_type().is_socket() {
        return Err(listen(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is no socket is there",
        )));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ServeError::Taken(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(listen)
}
