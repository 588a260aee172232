//! The TCP ports on which a process listens, found by its socket inodes in the kernel's tables.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::FDTarget;

use crate::process::{Process, ProcessError};

/// The listening ports of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The addresses at which the process can be reached from here.
    pub here: BTreeSet<SocketAddr>,
    /// `true` if the process is in another network namespace: its ports cannot be reached from here.
    pub elsewhere: bool,
}

/// Returns the ports on which a process listens.
///
/// # Errors
/// [`ProcessError::NotPermitted`] for another user's process, whose descriptors cannot be read.
pub fn ports(process: &Process) -> Result<Ports, ProcessError> {
    let fds = process.read("fd", procfs::process::Process::fd)?;
    let inodes: HashSet<u64> = fds.flatten().filter_map(|fd| socket_inode(&fd.target)).collect();
    if !process.shares_namespace("net") {
        return Ok(Ports {
            here: BTreeSet::new(),
            elsewhere: true,
        });
    }
    let four = process.read("net/tcp", procfs::process::Process::tcp);
    let six = process.read("net/tcp6", procfs::process::Process::tcp6);
    let sockets = four.into_iter().chain(six).flatten();
    Ok(Ports {
        here: listening(sockets, &inodes).collect(),
        elsewhere: false,
    })
}

/// Returns the inode of a descriptor that is a socket.
pub(crate) fn socket_inode(target: &FDTarget) -> Option<u64> {
    match target {
        FDTarget::Socket(inode) => Some(*inode),
        _ => None,
    }
}

/// Returns the addresses at which the sockets with these inodes listen.
fn listening(sockets: impl Iterator<Item = TcpNetEntry>, inodes: &HashSet<u64>) -> impl Iterator<Item = SocketAddr> {
    sockets
        .filter(|socket| socket.state == TcpState::Listen && inodes.contains(&socket.inode))
        .map(|socket| reachable(socket.local_address))
}

/// Returns the address to connect to: a socket that listens on all addresses is reached on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = address.ip().to_canonical();
    let ip = if ip.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        ip
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use procfs::FromBufReadSI as _;
    use procfs::net::TcpNetEntries;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn only_listening_sockets_of_the_process_count() {
        let table: &[u8] = b"\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0";
        let sockets = TcpNetEntries::from_buf_read(table, procfs::current_system_info()).expect("the kernel's format");
        let inodes = HashSet::from([11, 12, 13]);
        let found = listening(sockets.0.into_iter(), &inodes);
        let shown: Vec<String> = found.map(|address| address.to_string()).collect();
        assert_eq!(shown, ["127.0.0.1:8080", "127.0.0.1:9000"]);
    }

    #[test]
    fn our_own_listener_is_found() {
        // Given a listener of our own
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let process = Process::open(std::process::id()).expect("ourselves");
        // Then it is one of our ports until it is closed
        assert!(ports(&process).expect("readable").here.contains(&address));
        drop(listener);
        assert!(!ports(&process).expect("readable").here.contains(&address));
    }
}
