//! On which TCP ports of this machine a process listens: its socket inodes, found in the kernel's tables.
//!
//! Apart from the attribution, which asks of every descriptor what it is: this asks only where one may knock.

use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::attribution::sockets::{LISTEN, row};
use crate::process::{Process, ProcessError};

/// Ports of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Where it can be reached from here.
    pub here: BTreeSet<SocketAddr>,
    /// Whether it lives in another network namespace, so that its ports are not ours.
    pub elsewhere: bool,
}

/// The ports on which a process listens.
///
/// # Errors
/// [`ProcessError::NotPermitted`] for another user's process, whose descriptors cannot be read.
pub fn ports(process: &Process) -> Result<Ports, ProcessError> {
    let mut inodes = HashSet::new();
    for name in process.folder("fd")? {
        // A descriptor may be closed between the two calls.
        let Ok(target) = process.link(&format!("fd/{}", name.to_string_lossy())) else {
            continue;
        };
        inodes.extend(socket(&target.to_string_lossy()));
    }
    let ours = std::fs::read_link("/proc/self/ns/net").ok();
    if process.link("ns/net").ok() != ours {
        return Ok(Ports {
            here: BTreeSet::new(),
            elsewhere: true,
        });
    }
    let mut here = BTreeSet::new();
    for table in ["net/tcp", "net/tcp6"] {
        let Ok(file) = process.open_file(table) else { continue };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        here.extend(listening(lines, &inodes));
    }
    Ok(Ports { here, elsewhere: false })
}

/// The inode in `socket:[4711]`.
fn socket(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The addresses at which these sockets listen, in the lines of a table of the kernel (`networking/proc_net_tcp`).
fn listening(lines: impl Iterator<Item = String>, inodes: &HashSet<u64>) -> BTreeSet<SocketAddr> {
    lines
        .filter_map(|line| row(&line))
        .filter(|row| row.state == LISTEN && inodes.contains(&row.inode))
        .map(|row| reachable(row.local))
        .collect()
}

/// Who listens everywhere is reached on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn only_listening_sockets_of_the_process_count() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0";
        let found = listening(table.lines().map(str::to_owned), &HashSet::from([11, 12, 13]));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:8080", "127.0.0.1:9000"]);
    }

    #[test]
    fn our_own_listener_is_found() {
        // Given a listener of ours
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let process = Process::open(std::process::id()).expect("ourselves");
        // Then it is among our ports, and no longer when it is closed
        assert!(ports(&process).expect("readable").here.contains(&address));
        drop(listener);
        assert!(!ports(&process).expect("readable").here.contains(&address));
    }

    #[test]
    fn what_is_no_socket_has_no_inode() {
        assert_eq!(socket("socket:[4711]"), Some(4711));
        assert_eq!(socket("pipe:[4711]"), None);
        assert_eq!(socket("/dev/null"), None);
    }
}
