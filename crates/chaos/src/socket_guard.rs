//! The proxy's socket in the file system. It is created only where no other process listens, and removed only if it is
//! still the proxy's own.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

/// Length of the listen queue; the kernel's default for `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

/// A file's device and inode, which stay the same under every name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

/// An error that keeps the proxy from listening.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The socket cannot be created.
    #[error("failed to listen on {path}")]
    Listen {
        /// Path of the socket.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process listens there.
    #[error("another process is listening on {0}; give the proxy a path of its own")]
    InUse(PathBuf),
    /// The path is the engine's own socket.
    #[error("{0} is the engine's own socket; give the proxy another path to listen on")]
    IsUpstream(PathBuf),
}

/// The path of the proxy's socket; dropping the guard removes the socket.
#[derive(Debug)]
pub(crate) struct SocketGuard {
    path: PathBuf,
    upstream: PathBuf,
    /// The socket that was last created here.
    own: Option<Inode>,
}

impl SocketGuard {
    pub(crate) fn new(path: &Path, upstream: &Path) -> Self {
        Self {
            path: path.to_owned(),
            upstream: upstream.to_owned(),
            own: None,
        }
    }

    /// Listens. An existing socket is replaced if it is the guard's own or no process listens on it.
    ///
    /// # Errors
    /// If another process listens there, the file is no socket, or it is the engine's socket.
    pub(crate) fn bind(&mut self) -> Result<UnixListener, BindError> {
        self.remove_stale()?;
        let created = UnixSocket::new_stream().and_then(|socket| socket.bind(&self.path).map(|()| socket));
        let socket = created.map_err(|source| self.listen_error(source))?;
        self.own = inode(&self.path);
        socket.listen(BACKLOG).map_err(|source| self.listen_error(source))
    }

    fn listen_error(&self, source: io::Error) -> BindError {
        BindError::Listen {
            path: self.path.clone(),
            source,
        }
    }

    fn remove_stale(&self) -> Result<(), BindError> {
        if self.is_upstream() {
            return Err(BindError::IsUpstream(self.path.clone()));
        }
        let Ok(found) = std::fs::symlink_metadata(&self.path) else {
            return Ok(());
        };
        if !found.file_type().is_socket() {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is no socket");
            return Err(self.listen_error(error));
        }
        if !self.is_own() {
            match std::os::unix::net::UnixStream::connect(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                // A process listens, or may listen.
                _ => return Err(BindError::InUse(self.path.clone())),
            }
        }
        std::fs::remove_file(&self.path).map_err(|source| self.listen_error(source))
    }

    /// Reports whether the path leads to the engine's socket, directly or through links.
    fn is_upstream(&self) -> bool {
        let absolute = |path: &Path| std::path::absolute(path).ok();
        let target = |path: &Path| std::fs::metadata(path).ok().map(|file| Inode(file.dev(), file.ino()));
        absolute(&self.path) == absolute(&self.upstream)
            || target(&self.path).is_some_and(|file| Some(file) == target(&self.upstream))
    }

    /// Reports whether the file at the path is the socket that was created here.
    fn is_own(&self) -> bool {
        self.own.is_some() && inode(&self.path) == self.own
    }
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        if self.is_own() {
            // Another process may have removed it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> Option<Inode> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some(Inode(file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener as Std;

    fn guard(folder: &Path, name: &str) -> SocketGuard {
        SocketGuard::new(&folder.join(name), &folder.join("engine.sock"))
    }

    #[tokio::test]
    async fn a_socket_with_a_listener_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let live = Std::bind(folder.path().join("docker.sock")).expect("a socket");
        let error = guard(folder.path(), "docker.sock").bind().expect_err("in use");
        assert!(error.to_string().contains("another process is listening"), "{error}");
        std::os::unix::net::UnixStream::connect(folder.path().join("docker.sock")).expect("it answers as before");
        drop(live);
        let mut stale = guard(folder.path(), "docker.sock");
        stale.bind().expect("what a killed process left behind is replaced");
    }

    #[tokio::test]
    async fn the_engines_socket_is_refused_under_every_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = guard(folder.path(), "./engine.sock").bind().expect_err("the same path");
        assert!(error.to_string().contains("the engine's own"), "{error}");
        // The socket of a stopped engine, seen through a link, must not pass for a stale one.
        drop(Std::bind(folder.path().join("engine.sock")).expect("a socket"));
        std::os::unix::fs::symlink(folder.path().join("engine.sock"), folder.path().join("link")).expect("a link");
        assert!(matches!(
            guard(folder.path(), "link").bind(),
            Err(BindError::IsUpstream(_))
        ));
        assert!(folder.path().join("engine.sock").exists());
    }

    #[tokio::test]
    async fn a_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "mine").expect("written");
        assert!(matches!(
            guard(folder.path(), "file").bind(),
            Err(BindError::Listen { .. })
        ));
        assert_eq!(
            std::fs::read_to_string(folder.path().join("file")).expect("there"),
            "mine"
        );
    }

    #[tokio::test]
    async fn only_the_guards_own_socket_is_removed_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("proxy.sock");
        let mut own = guard(folder.path(), "proxy.sock");
        drop(own.bind().expect("free"));
        drop(own.bind().expect("its own socket is replaced"));
        // Another process takes over the name. The old socket is moved, not removed, so that its inode stays in use.
        std::fs::rename(&path, folder.path().join("old")).expect("moved");
        let other = Std::bind(&path).expect("free now");
        assert!(matches!(own.bind(), Err(BindError::InUse(_))));
        drop(own);
        std::os::unix::net::UnixStream::connect(&path).expect("it is still there");
        drop(other);
        let mut own = guard(folder.path(), "second.sock");
        let _listener = own.bind().expect("free");
        drop(own);
        assert!(!folder.path().join("second.sock").exists());
    }
}
