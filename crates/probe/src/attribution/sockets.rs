//! Sockets by their family and peer.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;

use procfs::net::{TcpNetEntry, TcpState};

use super::group::FdGroup;
use crate::process::Process;
use crate::unix_diag::{self, ESTABLISHED, LISTEN, UnixSocket};

/// The peer of a connected Unix socket whose other end is gone.
const CLOSED: &str = "closed by the other end";

/// Looks up sockets in the tables of the kernel. Adds a message to `unseen` for what cannot be read.
pub(super) fn groups(process: &Process, inodes: &[u64], unseen: &mut Vec<String>) -> HashMap<u64, FdGroup> {
    let mut lookup = Lookup {
        wanted: inodes.iter().copied().collect(),
        known: HashMap::new(),
    };
    // The tables of a busy machine are long: each is read only while something is missing.
    if !lookup.wanted.is_empty() {
        lookup.unix(process, unseen);
    }
    if !lookup.wanted.is_empty() {
        lookup.tcp(process);
    }
    if !lookup.wanted.is_empty() {
        lookup.udp(process);
    }
    if !lookup.wanted.is_empty() {
        lookup.netlink(process);
    }
    lookup.known
}

struct Lookup {
    /// The inodes that were not found yet.
    wanted: HashSet<u64>,
    known: HashMap<u64, FdGroup>,
}

impl Lookup {
    /// Stores the group of a socket if it is one of the wanted.
    fn add(&mut self, inode: u64, group: impl FnOnce() -> FdGroup) {
        if self.wanted.remove(&inode) {
            self.known.insert(inode, group());
        }
    }

    /// Finds Unix sockets with their peers, which the kernel reports only for our own network namespace.
    fn unix(&mut self, process: &Process, unseen: &mut Vec<String>) {
        let all = if process.shares_namespace("net") {
            unix_diag::all().map_err(|e| e.to_string())
        } else {
            Err("another network namespace".into())
        };
        match all {
            Ok(all) => {
                for (inode, socket) in &all {
                    self.add(*inode, || unix_group(socket, &all));
                }
            }
            Err(why) => {
                unseen.push(format!("the other ends of Unix sockets cannot be seen ({why})"));
                let table = process.read("net/unix", procfs::process::Process::unix);
                for socket in table.into_iter().flatten() {
                    let path = socket.path.as_ref().map(|path| file_name(&path.to_string_lossy()));
                    self.add(socket.inode, || FdGroup::of("unix-socket", path));
                }
            }
        }
    }

    fn tcp(&mut self, process: &Process) {
        let four = process.read("net/tcp", procfs::process::Process::tcp);
        let six = process.read("net/tcp6", procfs::process::Process::tcp6);
        let all: Vec<TcpNetEntry> = four.into_iter().chain(six).flatten().collect();
        let listening = all.iter().filter(|socket| socket.state == TcpState::Listen);
        let listening: HashSet<u16> = listening.map(|socket| socket.local_address.port()).collect();
        for socket in &all {
            self.add(socket.inode, || tcp_group(socket, &listening));
        }
    }

    fn udp(&mut self, process: &Process) {
        let four = process.read("net/udp", procfs::process::Process::udp);
        let six = process.read("net/udp6", procfs::process::Process::udp6);
        for socket in four.into_iter().chain(six).flatten() {
            self.add(socket.inode, || connected("udp", socket.remote_address));
        }
    }

    /// Reads the table of netlink sockets, of which only the last column, the inode, is used.
    fn netlink(&mut self, process: &Process) {
        let Ok(table) = process.open_file("net/netlink") else {
            return;
        };
        for line in BufReader::new(table).lines().skip(1).map_while(Result::ok) {
            if let Some(inode) = line.split_ascii_whitespace().last().and_then(|i| i.parse().ok()) {
                self.add(inode, || FdGroup::of("netlink", None));
            }
        }
    }
}

fn unix_group(socket: &UnixSocket, all: &HashMap<u64, UnixSocket>) -> FdGroup {
    let name = |s: &UnixSocket| s.path.as_deref().map(file_name);
    match (socket.state, name(socket)) {
        (LISTEN, path) => FdGroup::of("unix-listener", path),
        // The accepting end has the name of its listener.
        (ESTABLISHED, Some(path)) => FdGroup::of("unix-accepted", Some(path)),
        (_, own) => {
            let peer = socket.peer.and_then(|p| all.get(&p));
            let closed = (socket.state == ESTABLISHED && peer.is_none()).then(|| CLOSED.to_owned());
            FdGroup::of("unix-socket", peer.and_then(name).or(closed).or(own))
        }
    }
}

/// Returns the name of a socket as reports show it (`docker.sock`), without the folder that differs between machines.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().and_then(|n| n.to_str());
    name.unwrap_or(path).to_owned()
}

fn tcp_group(socket: &TcpNetEntry, listening: &HashSet<u16>) -> FdGroup {
    let (local, remote) = (socket.local_address, socket.remote_address);
    match socket.state {
        TcpState::Listen => FdGroup::of("tcp-listener", Some(canonical(local).to_string())),
        // Each client has another port: accepted connections have only our own port in common.
        _ if listening.contains(&local.port()) => FdGroup::of("tcp-accepted", Some(format!("port {}", local.port()))),
        TcpState::CloseWait => FdGroup::of("tcp-close-wait", Some(canonical(remote).to_string())),
        _ => connected("tcp", remote),
    }
}

fn connected(kind: &str, remote: SocketAddr) -> FdGroup {
    let peer = (remote.port() != 0).then(|| canonical(remote).to_string());
    FdGroup::of(kind, peer)
}

/// Returns an IPv4 address that the kernel shows in its IPv6 form as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use procfs::FromBufReadSI as _;
    use procfs::net::TcpNetEntries;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tcp_sockets_are_grouped_by_state_and_peer() {
        let table: &[u8] = b"\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 10 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 08 00000000:00000001 00:00000000 00000000     0        0 11 1 0 20 4 30 10 -1
   2: 0100007F:0050 0100007F:C351 01 00000000:00000001 00:00000000 00000000     0        0 12 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000100007F:1F91 0000000000000000FFFF00000100007F:0051 01 00000000:00000001 00:00000000 \
         00000000     0        0 13 1 0 20 4 30 10 -1";
        let sockets = TcpNetEntries::from_buf_read(table, procfs::current_system_info()).expect("the kernel's format");
        let groups: Vec<FdGroup> = sockets.0.iter().map(|s| tcp_group(s, &HashSet::from([80]))).collect();
        let expected = [
            ("tcp-listener", "127.0.0.1:80"),
            ("tcp-close-wait", "127.0.0.1:50000"),
            ("tcp-accepted", "port 80"),
            ("tcp", "127.0.0.1:81"),
        ];
        assert_eq!(
            groups,
            expected.map(|(kind, peer)| FdGroup::of(kind, Some(peer.to_owned())))
        );
    }
}
