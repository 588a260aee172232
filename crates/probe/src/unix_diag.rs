//! All Unix sockets of our network namespace with their peers, from the kernel's socket diagnostics (sock_diag(7)).
//!
//! /proc/net/unix has no peers, and a client's socket has no name of its own. Without the peer, a leaked stream to the
//! Docker engine could only be reported as "a socket".

use std::collections::HashMap;
use std::io;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP`, and the message types (`linux/sock_diag.h`, `linux/netlink.h`).
const BY_FAMILY: u16 = 20;
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// `UDIAG_SHOW_NAME | UDIAG_SHOW_PEER`, and the attribute numbers (`linux/unix_diag.h`).
const SHOW_NAME_AND_PEER: u32 = 0x1 | 0x4;
const NAME: u16 = 0;
const PEER: u16 = 2;

/// Socket states (`include/net/tcp_states.h`, which Unix sockets use too).
pub(crate) const ESTABLISHED: u8 = 1;
pub(crate) const LISTEN: u8 = 10;

/// The deadline for one part of the kernel's answer, which takes microseconds.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(2);

/// The number of sockets of the whole machine after which reading stops.
const MAX_SOCKETS: usize = 500_000;

/// A Unix socket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct UnixSocket {
    /// [`ESTABLISHED`], [`LISTEN`], or 7 (not connected).
    pub(crate) state: u8,
    /// The name to which it is bound; an abstract name begins with `@`.
    pub(crate) path: Option<String>,
    /// The inode of its peer, if it is connected and the other end still exists.
    pub(crate) peer: Option<u64>,
}

/// Returns all Unix sockets by their inodes.
pub(crate) fn all() -> io::Result<HashMap<u64, UnixSocket>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(DEADLINE))?;
    rustix::net::sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut found = HashMap::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (_, length) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let answer = buffer.get(..length).unwrap_or(&buffer);
        if read(answer, &mut found)? || found.len() > MAX_SOCKETS {
            return Ok(found);
        }
    }
}

/// Returns a `nlmsghdr` with a `unix_diag_req` for sockets in every state.
fn request() -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.extend_from_slice(&40u32.to_ne_bytes());
    out.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    out.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    out.extend_from_slice(&[0; 8]);
    // Family AF_UNIX, protocol 0, padding; states, inode, attributes to show, cookie.
    out.extend_from_slice(&[1, 0, 0, 0]);
    for word in [u32::MAX, 0, SHOW_NAME_AND_PEER, 0, 0] {
        out.extend_from_slice(&word.to_ne_bytes());
    }
    out
}

/// Reads one part of the answer. Returns `true` for the last part.
fn read(mut answer: &[u8], found: &mut HashMap<u64, UnixSocket>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(answer, 0), u16_at(answer, 4)) {
        let length = length as usize;
        let Some(message) = answer.get(16..length) else { break };
        match kind {
            DONE => return Ok(true),
            // The number is a negative errno.
            ERROR => {
                return Err(io::Error::from_raw_os_error(
                    u32_at(message, 0).unwrap_or(0).cast_signed().wrapping_neg(),
                ));
            }
            BY_FAMILY => {
                if let Some((inode, socket)) = socket(message) {
                    found.insert(inode, socket);
                }
            }
            _ => {}
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Reads a `unix_diag_msg`: family, type, state, padding, inode, cookie; then attributes of length, type and value.
fn socket(message: &[u8]) -> Option<(u64, UnixSocket)> {
    let mut socket = UnixSocket {
        state: *message.get(2)?,
        ..UnixSocket::default()
    };
    let inode = u32_at(message, 4)?;
    let mut attributes = message.get(16..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let Some(value) = attributes.get(4..length) else { break };
        match kind {
            NAME => socket.path = name(value),
            PEER => socket.peer = u32_at(value, 0).filter(|p| *p > 0).map(u64::from),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((u64::from(inode), socket))
}

fn name(value: &[u8]) -> Option<String> {
    let (prefix, name) = match value {
        [] => return None,
        [0, rest @ ..] => ("@", rest),
        path => ("", path.split(|b| *b == 0).next().unwrap_or_default()),
    };
    Some(format!("{prefix}{}", String::from_utf8_lossy(name)))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut found = HashMap::new();
            let _ = read(&bytes, &mut found);
            let _ = socket(&bytes);
        }
    }

    #[test]
    fn an_abstract_name_is_marked_and_a_path_ends_at_its_zero_byte() {
        assert_eq!(name(b"\0bus"), Some("@bus".into()));
        assert_eq!(name(b"/run/a.sock\0"), Some("/run/a.sock".into()));
        assert_eq!(name(b""), None);
    }
}
