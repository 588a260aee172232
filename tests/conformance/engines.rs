//! The engines that are compared.

use std::path::PathBuf;
use std::sync::OnceLock;

use leakcheck_dockersim::{Server, Settings};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

/// A simulated engine of this test's own.
pub(crate) struct Simulated {
    pub(crate) socket: PathBuf,
    shutdown: CancellationToken,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Simulated {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = {
            let _inside = runtime.enter();
            Server::bind(&Settings::new(folder.path().join("engine.sock"))).expect("an engine")
        };
        let (socket, shutdown) = (server.socket().to_owned(), CancellationToken::new());
        let token = shutdown.clone();
        tokio_util::task::TaskTracker::new().spawn_on(server.run(token), runtime.handle());
        Self {
            socket,
            shutdown,
            _runtime: runtime,
            _folder: folder,
        }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The real engine's socket, if one answers that speaks the version of the recording and can be given an image.
pub(crate) fn real() -> Option<PathBuf> {
    static FOUND: OnceLock<Result<Result<PathBuf, String>, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(Ok(socket)) => Some(socket.clone()),
        Ok(Err(other)) => {
            eprintln!("SKIPPED: {other}");
            None
        }
        Err(why) => {
            assert!(
                std::env::var_os("LEAKCHECK_REQUIRE_DOCKER").is_none(),
                "a Docker engine is required, but {why}"
            );
            eprintln!("SKIPPED: {why}");
            None
        }
    }
}

/// The engine, or why another one than is there would be needed; an error if there is none.
fn find() -> Result<Result<PathBuf, String>, String> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".into());
    let socket = host
        .strip_prefix("unix://")
        .ok_or("no Docker engine on a Unix socket")?;
    let socket = PathBuf::from(socket);
    let version = Client::new(&socket)
        .try_get("/version")
        .ok_or("no Docker engine answers")?;
    let version: serde_json::Value = serde_json::from_slice(&version).map_err(|_| "no Docker engine answers")?;
    // A newer engine answers some of this differently, and is no lesser engine for it: what is recorded is 20.10.
    if version["ApiVersion"] != "1.41" {
        return Ok(Err(format!(
            "the Docker engine speaks API {}, the recording 1.41",
            version["ApiVersion"]
        )));
    }
    crate::image::tar("")?;
    Ok(Ok(socket))
}
