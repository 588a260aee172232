//! The process that listens on a Unix socket.
//!
//! It identifies the Docker engine, so that a leak of the engine is not attributed to the target.

use std::path::Path;

use procfs::process::all_processes;
use tokio::net::UnixStream;

use crate::ports::socket_inode;
use crate::unix_diag;

/// Returns the id of the process that listens on this socket; `None` if there is none, or if it is not visible from here
/// (another namespace).
///
/// The kernel tells every client which process began to listen (unix(7), `SO_PEERCRED`). Under socket activation that is
/// init. The other process that holds the socket is then searched, which only its own user and root may do.
pub async fn listener_of(socket: &Path) -> Option<u32> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let peer = stream.peer_cred().ok().and_then(|c| c.pid());
    match peer.and_then(|pid| u32::try_from(pid).ok()) {
        Some(pid) if pid > 1 => Some(pid),
        _ => {
            let socket = socket.to_owned();
            // Reading the descriptors of every process blocks.
            let search = tokio::task::spawn_blocking(move || other_holder(&socket));
            search.await.ok().flatten()
        }
    }
}

/// Returns the process that holds the listening socket, init only if there is no other.
fn other_holder(socket: &Path) -> Option<u32> {
    let all = unix_diag::all().ok()?;
    let wanted = socket.canonicalize().ok()?;
    let is_wanted =
        |path: &str| path == socket.to_string_lossy() || Path::new(path).canonicalize().is_ok_and(|p| p == wanted);
    let listening = all
        .iter()
        .filter(|(_, s)| s.state == unix_diag::LISTEN && s.path.as_deref().is_some_and(is_wanted));
    let inodes: Vec<u64> = listening.map(|(inode, _)| *inode).collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = all_processes().ok()?.flatten();
    let mut holders: Vec<u32> = processes
        .filter(|process| holds(process, &inodes))
        .map(|process| process.pid().cast_unsigned())
        .collect();
    holders.sort_unstable_by_key(|pid| (*pid == 1, *pid));
    holders.first().copied()
}

fn holds(process: &procfs::process::Process, inodes: &[u64]) -> bool {
    let fds = process.fd().into_iter().flatten().flatten();
    fds.filter_map(|fd| socket_inode(&fd.target))
        .any(|inode| inodes.contains(&inode))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_listening_process_is_found_and_a_dead_socket_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        assert_eq!(listener_of(&path).await, Some(std::process::id()));
        assert_eq!(other_holder(&path), Some(std::process::id()));
        drop(listener);
        // A child that another test is starting inherits the listener until it executes its program.
        let silent = async { while listener_of(&path).await.is_some() {} };
        let waited = tokio::time::timeout(Duration::from_secs(10), silent).await;
        assert!(waited.is_ok(), "no process listens");
        assert_eq!(listener_of(&folder.path().join("none")).await, None);
    }
}
