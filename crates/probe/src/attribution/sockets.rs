//! What a socket's inode is: which family, and who is at the other end.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::fds::FdGroup;
use super::unix_diag::{self, UnixSocket};
use crate::process::Process;

/// A socket of which no table tells anything.
pub(super) const UNKNOWN: &str = "socket";

/// The peer of a connected Unix socket whose other end has gone.
const CLOSED: &str = "closed by the other end";

/// TCP states of the kernel (`include/net/tcp_states.h`); Unix sockets use the same numbers.
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;
pub(crate) const LISTEN: u8 = 10;

/// The sockets of a process that could be named.
pub(super) struct Sockets {
    pub(super) known: HashMap<u64, FdGroup>,
}

impl Sockets {
    /// Looks these inodes up; what cannot be seen is added to `unseen`.
    pub(super) fn of(process: &Process, inodes: &[u64], unseen: &mut Vec<String>) -> Self {
        let mut wanted: HashSet<u64> = inodes.iter().copied().collect();
        let mut known = HashMap::new();
        if wanted.is_empty() {
            return Self { known };
        }
        unix(process, &mut wanted, &mut known, unseen);
        // The tables of a busy machine are long: they are read only while something is missing.
        for (table, kind) in [
            ("net/tcp", "tcp"),
            ("net/tcp6", "tcp"),
            ("net/udp", "udp"),
            ("net/udp6", "udp"),
        ] {
            if !wanted.is_empty() {
                internet(process, table, kind, &mut wanted, &mut known);
            }
        }
        if !wanted.is_empty() {
            netlink(process, &mut wanted, &mut known);
        }
        Self { known }
    }
}

/// Unix sockets: their peers by the kernel's diagnostics, which tell of our own network namespace only.
fn unix(process: &Process, wanted: &mut HashSet<u64>, known: &mut HashMap<u64, FdGroup>, unseen: &mut Vec<String>) {
    let ours = std::fs::read_link("/proc/self/ns/net").ok();
    let is_here = ours.is_some() && process.link("ns/net").ok() == ours;
    let all = if is_here {
        unix_diag::all().map_err(|e| e.to_string())
    } else {
        Err("another network namespace".into())
    };
    match all {
        Ok(all) => {
            for (inode, socket) in &all {
                if wanted.remove(inode) {
                    known.insert(*inode, unix_group(socket, &all));
                }
            }
        }
        Err(why) => {
            unseen.push(format!("the other ends of Unix sockets cannot be seen ({why})"));
            unix_by_table(process, wanted, known);
        }
    }
}

fn unix_group(socket: &UnixSocket, all: &HashMap<u64, UnixSocket>) -> FdGroup {
    let name = |s: &UnixSocket| s.path.as_deref().map(file_name);
    match (socket.state, name(socket)) {
        (LISTEN, path) => FdGroup::of("unix-listener", path),
        // The accepting end has its listener's name.
        (ESTABLISHED, Some(path)) => FdGroup::of("unix-accepted", Some(path)),
        (_, own) => {
            let peer = socket.peer.and_then(|p| all.get(&p));
            let closed = (socket.state == ESTABLISHED && peer.is_none()).then(|| CLOSED.to_owned());
            FdGroup::of("unix-socket", peer.and_then(name).or(closed).or(own))
        }
    }
}

/// As `docker.sock` is called in reports, not as the path that differs from machine to machine.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().and_then(|n| n.to_str());
    name.unwrap_or(path).to_owned()
}

/// /proc/PID/net/unix: which sockets are Unix ones, and their own names, but not their peers.
fn unix_by_table(process: &Process, wanted: &mut HashSet<u64>, known: &mut HashMap<u64, FdGroup>) {
    // Num RefCount Protocol Flags Type St Inode [Path]
    for line in lines(process, "net/unix") {
        let mut fields = line.split_ascii_whitespace().skip(6);
        let Some(inode) = fields.next().and_then(|i| i.parse().ok()) else {
            continue;
        };
        if wanted.remove(&inode) {
            known.insert(inode, FdGroup::of("unix-socket", fields.next().map(file_name)));
        }
    }
}

/// /proc/PID/net/tcp and the like (proc_net(5) of the kernel's documentation, `networking/proc_net_tcp`).
fn internet(process: &Process, table: &str, kind: &str, wanted: &mut HashSet<u64>, known: &mut HashMap<u64, FdGroup>) {
    let mut listening = HashSet::new();
    let mut found = Vec::new();
    for line in lines(process, table) {
        let Some(row) = row(&line) else { continue };
        if row.state == LISTEN {
            listening.insert(row.local.port());
        }
        if wanted.remove(&row.inode) {
            found.push(row);
        }
    }
    for row in found {
        let group = match (kind, row.state) {
            ("tcp", LISTEN) => FdGroup::of("tcp-listener", Some(row.local.to_string())),
            // A client's port is another one each time: what they have in common is our side.
            ("tcp", _) if listening.contains(&row.local.port()) => {
                FdGroup::of("tcp-accepted", Some(format!("port {}", row.local.port())))
            }
            ("tcp", CLOSE_WAIT) => FdGroup::of("tcp-close-wait", Some(row.remote.to_string())),
            (_, _) if row.remote.port() == 0 => FdGroup::of(kind, None),
            _ => FdGroup::of(kind, Some(row.remote.to_string())),
        };
        known.insert(row.inode, group);
    }
}

fn netlink(process: &Process, wanted: &mut HashSet<u64>, known: &mut HashMap<u64, FdGroup>) {
    for line in lines(process, "net/netlink") {
        let Some(inode) = line.split_ascii_whitespace().last().and_then(|i| i.parse().ok()) else {
            continue;
        };
        if wanted.remove(&inode) {
            known.insert(inode, FdGroup::of("netlink", None));
        }
    }
}

fn lines(process: &Process, table: &str) -> impl Iterator<Item = String> {
    let file = process.open_file(table).ok();
    file.into_iter()
        .flat_map(|f| BufReader::new(f).lines().map_while(Result::ok))
        .skip(1)
}

pub(crate) struct Row {
    pub(crate) local: SocketAddr,
    remote: SocketAddr,
    pub(crate) state: u8,
    pub(crate) inode: u64,
}

/// `sl local remote st tx:rx tr:when retransmits uid timeout inode …`
pub(crate) fn row(line: &str) -> Option<Row> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Row {
        local,
        remote,
        state,
        inode,
    })
}

/// `0100007F:1F90`: words of four bytes in the machine's order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for at in (0..host.len()).step_by(8) {
        let word = u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        IpAddr::V4(Ipv4Addr::from(four))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)).to_canonical()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        for (text, expected) in [
            ("0100007F:1F90", "127.0.0.1:8080"),
            ("00000000000000000000000001000000:0050", "[::1]:80"),
            ("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),
        ] {
            assert_eq!(address(text).map(|a| a.to_string()).as_deref(), Some(expected));
        }
        assert_eq!(address("012"), None);
    }

    #[test]
    fn a_row_of_the_table_has_its_state_and_inode() {
        let line = "   1: 0100007F:1F90 0100007F:C350 08 00000000:00000001 00:00000000 00000000  0  0 4711 1 0000 20 4 30 10 -1";
        let row = row(line).expect("a row");
        assert_eq!((row.state, row.inode, row.remote.port()), (CLOSE_WAIT, 4711, 50000));
    }
}
