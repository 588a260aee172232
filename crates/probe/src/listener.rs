//! Which process listens on a Unix socket: the engine's own, so that a leak of the engine is not put down to the target.

use std::path::Path;

use tokio::net::UnixStream;

use crate::attribution::unix_diag;

/// The id of the process that listens on this socket; `None` if nobody does, or it cannot be seen from here (another
/// namespace).
///
/// Anybody who may connect is told by the kernel who began to listen (unix(7), `SO_PEERCRED`). Under socket activation
/// that was the system's first process: then the other holder is meant, which only its own user and root may find.
pub async fn listener_of(socket: &Path) -> Option<u32> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let told = stream.peer_cred().ok().and_then(|c| c.pid());
    match told.and_then(|pid| u32::try_from(pid).ok()) {
        Some(pid) if pid > 1 => Some(pid),
        _ => {
            let socket = socket.to_owned();
            // Reading what every process holds takes its time.
            let looking = tokio::task::spawn_blocking(move || other_holder(&socket));
            looking.await.ok().flatten()
        }
    }
}

/// Whoever but the first process holds the listening socket.
fn other_holder(socket: &Path) -> Option<u32> {
    let all = unix_diag::all().ok()?;
    let wanted = socket.canonicalize().ok()?;
    let is_it =
        |path: &str| path == socket.to_string_lossy() || Path::new(path).canonicalize().is_ok_and(|p| p == wanted);
    // 10 is the kernel's state of a listening socket.
    let inodes = all
        .iter()
        .filter(|(_, s)| s.state == 10 && s.path.as_deref().is_some_and(is_it));
    let links: Vec<String> = inodes.map(|(inode, _)| format!("socket:[{inode}]")).collect();
    if links.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let mut holders: Vec<u32> = processes.filter(|pid| holds(*pid, &links)).collect();
    holders.sort_unstable_by_key(|pid| (*pid == 1, *pid));
    holders.first().copied()
}

fn holds(pid: u32, links: &[String]) -> bool {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let target = |e: std::fs::DirEntry| std::fs::read_link(e.path()).ok();
    folder
        .flatten()
        .filter_map(target)
        .any(|t| links.iter().any(|l| t.as_os_str() == l.as_str()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_process_that_listens_is_found_and_a_dead_socket_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        assert_eq!(listener_of(&path).await, Some(std::process::id()));
        assert_eq!(other_holder(&path), Some(std::process::id()));
        drop(listener);
        // A process that another test is just starting has the listener too until it becomes its own.
        let silent = async { while listener_of(&path).await.is_some() {} };
        let waited = tokio::time::timeout(Duration::from_secs(10), silent).await;
        assert!(waited.is_ok(), "nobody listens");
        assert_eq!(listener_of(&folder.path().join("none")).await, None);
    }
}
