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

/// Backlog of the socket: the kernel's default maximum (`net.core.somaxconn`), because thousands of clients connect at once.
const BACKLOG: u32 = 4096;

/// Pause of the listener after it ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An error that prevents the start of the engine.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket could not be created.
    #[error("failed to listen on {path}")]
    Listen {
        /// Path of the socket.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Another engine answers on the socket.
    #[error("{0} is in use: another process listens on it")]
    InUse(PathBuf),
    /// The initial containers could not be created.
    #[error("failed to create the initial containers: {0}")]
    Containers(String),
}

/// A listening engine. Clients can connect before [`Server::run`] is called.
pub struct Server {
    listener: UnixListener,
    engine: Arc<Engine>,
    socket: PathBuf,
}

/// Runs an engine until `shutdown`, and removes its socket.
///
/// # Errors
/// If the socket cannot be listened on.
pub async fn serve(settings: Settings, shutdown: CancellationToken) -> Result<(), ServeError> {
    Server::bind(&settings)?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Listens, and starts the initial containers. Each client takes an open file; the caller raises the limit if needed.
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
                        // An error of one client does not affect others.
                        let ended = shutdown.run_until_cancelled(serve_connection(&engine, stream)).await;
                        if let Some(Err(error)) = ended {
                            tracing::debug!(%error, "a connection ended");
                        }
                        engine.connections.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The file may have been removed already.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Answers the requests of one connection.
async fn serve_connection(engine: &Arc<Engine>, stream: UnixStream) -> Result<(), ConnectionError> {
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
        // Boxed, so that the task of an idle connection is small.
        Box::pin(api::answer(engine, &mut connection, &head)).await?;
        if !head.keep_alive {
            return Ok(());
        }
    }
}

async fn refuse(connection: &mut Connection, error: &ConnectionError) {
    if let ConnectionError::Malformed(what) = error {
        let reply = Reply::from(ApiError::bad(format_args!("malformed HTTP request: {what}")));
        // The client may have disconnected already.
        let _ = connection.write(&reply.closing_bytes()).await;
    }
}

/// Removes a socket without a listener. Other files are left alone.
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
            "the path is a file that is no socket",
        )));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ServeError::InUse(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(listen)
}
