//! The proxy's socket in the file system: made only where nobody else listens, removed only if it is still ours.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

use crate::proxy::ChaosError;

/// As many as the kernel lets (`net.core.somaxconn` is 4096 by default).
const BACKLOG: u32 = 4096;

/// A file by device and inode, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

/// A place where the proxy listens, or has listened.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    upstream: PathBuf,
    /// The socket that was made here last.
    own: Option<Inode>,
}

impl Place {
    pub(crate) fn new(path: &Path, upstream: &Path) -> Self {
        Self {
            path: path.to_owned(),
            upstream: upstream.to_owned(),
            own: None,
        }
    }

    /// Listens. A socket of this name that is our own or that nobody listens on is replaced.
    ///
    /// # Errors
    /// If somebody listens there, or it is no socket, or it is the engine's.
    pub(crate) fn bind(&mut self) -> Result<UnixListener, ChaosError> {
        self.clear()?;
        let listen = |source| ChaosError::Listen {
            path: self.path.clone(),
            source,
        };
        let socket = UnixSocket::new_stream().map_err(listen)?;
        socket.bind(&self.path).map_err(listen)?;
        self.own = inode(&self.path);
        socket.listen(BACKLOG).map_err(listen)
    }

    fn clear(&self) -> Result<(), ChaosError> {
        let listen = |source| ChaosError::Listen {
            path: self.path.clone(),
            source,
        };
        if self.is_upstream() {
            return Err(ChaosError::Itself(self.path.clone()));
        }
        let Ok(found) = std::fs::symlink_metadata(&self.path) else {
            return Ok(());
        };
        if !found.file_type().is_socket() {
            return Err(listen(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is there",
            )));
        }
        if !self.is_own() {
            match std::os::unix::net::UnixStream::connect(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                // Somebody answers, or it cannot be known whether somebody would.
                _ => return Err(ChaosError::Taken(self.path.clone())),
            }
        }
        std::fs::remove_file(&self.path).map_err(listen)
    }

    /// Whether it is the engine's own socket, by its name or by another: a link, a folder that leads there.
    fn is_upstream(&self) -> bool {
        let whole = |path: &Path| std::path::absolute(path).ok();
        let followed = |path: &Path| std::fs::metadata(path).ok().map(|file| Inode(file.dev(), file.ino()));
        whole(&self.path) == whole(&self.upstream)
            || followed(&self.path).is_some_and(|file| Some(file) == followed(&self.upstream))
    }

    /// Whether the socket of this name is the one that was made here.
    fn is_own(&self) -> bool {
        self.own.is_some() && inode(&self.path) == self.own
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_own() {
            // It may be gone already.
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

    fn place(folder: &Path, name: &str) -> Place {
        Place::new(&folder.join(name), &folder.join("engine.sock"))
    }

    #[tokio::test]
    async fn a_socket_on_which_somebody_listens_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let live = Std::bind(folder.path().join("docker.sock")).expect("a socket");
        let error = place(folder.path(), "docker.sock")
            .bind()
            .expect_err("it is somebody's");
        assert!(error.to_string().contains("somebody is listening"), "{error}");
        std::os::unix::net::UnixStream::connect(folder.path().join("docker.sock")).expect("it answers as before");
        drop(live);
        let mut stale = place(folder.path(), "docker.sock");
        stale.bind().expect("what a killed process left behind is replaced");
    }

    #[tokio::test]
    async fn the_engine_is_not_listened_on_by_whatever_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = place(folder.path(), "./engine.sock").bind().expect_err("the same path");
        assert!(error.to_string().contains("the engine's own"), "{error}");
        // A dead engine's socket, seen through a link: it would be taken for a stale one.
        drop(Std::bind(folder.path().join("engine.sock")).expect("a socket"));
        std::os::unix::fs::symlink(folder.path().join("engine.sock"), folder.path().join("link")).expect("a link");
        assert!(matches!(
            place(folder.path(), "link").bind(),
            Err(ChaosError::Itself(_))
        ));
        assert!(folder.path().join("engine.sock").exists());
    }

    #[tokio::test]
    async fn a_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "mine").expect("written");
        assert!(matches!(
            place(folder.path(), "file").bind(),
            Err(ChaosError::Listen { .. })
        ));
        assert_eq!(
            std::fs::read_to_string(folder.path().join("file")).expect("there"),
            "mine"
        );
    }

    #[tokio::test]
    async fn only_ones_own_socket_is_removed_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("wire.sock");
        let mut own = place(folder.path(), "wire.sock");
        drop(own.bind().expect("free"));
        drop(own.bind().expect("its own socket is made anew"));
        // Somebody else has taken the name meanwhile. The old one is moved, not removed: its inode stays in use.
        std::fs::rename(&path, folder.path().join("old")).expect("moved");
        let other = Std::bind(&path).expect("free now");
        assert!(matches!(own.bind(), Err(ChaosError::Taken(_))));
        drop(own);
        std::os::unix::net::UnixStream::connect(&path).expect("it is still there");
        drop(other);
        let mut own = place(folder.path(), "second.sock");
        let _listener = own.bind().expect("free");
        drop(own);
        assert!(!folder.path().join("second.sock").exists());
    }
}
