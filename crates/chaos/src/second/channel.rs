//! What the two processes of a wire say to each other: one JSON text in each packet, and with a connection its descriptor.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use leakcheck_model::scenario::Fault;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// The longest text, in bytes: a plan of two thousand faults. The kernel takes no packet above 208 KiB.
const LONGEST: usize = 192 << 10;

/// What is said.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum Message {
    /// First of all, to the second process: which engine, and what breaks.
    Plan { upstream: PathBuf, faults: Vec<Fault> },
    /// The plan's clock began when the machine's monotonic clock showed this.
    Begun { at: Duration },
    /// Carry the connection whose descriptor comes with this.
    Client,
    /// The engine is gone: end what was handed over before this.
    LifeEnded,
    /// From the second process: what struck there since it said so last, times by fault.
    Struck { times: Vec<(usize, u64)> },
    /// From the second process: a container could not be asked about.
    Unknown { container: String, why: String },
}

impl Message {
    pub(super) fn begun_at(begin: Instant) -> Self {
        Self::Begun {
            at: uptime().saturating_sub(begin.elapsed()),
        }
    }
}

/// A time of the machine's monotonic clock as this process counts it.
pub(super) fn instant(at: Duration) -> Instant {
    Instant::now() - uptime().saturating_sub(at)
}

fn uptime() -> Duration {
    // The monotonic clock is never negative.
    clock_gettime(ClockId::Monotonic).try_into().unwrap_or_default()
}

/// One end of the channel between two processes: a Unix socket that keeps packets apart (`SOCK_SEQPACKET`), which is
/// awaited like a stream.
pub(super) struct Channel(UnixStream);

impl Channel {
    /// Both ends: ours, and the one for the other process.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::new(ours)?, theirs))
    }

    /// An end that was made by [`Channel::pair`].
    pub(super) fn new(end: OwnedFd) -> io::Result<Self> {
        connection(end).map(Self)
    }

    /// Says it, with a connection if there is one; that stays open here until it is dropped.
    pub(super) async fn send(&self, message: &Message, client: Option<&UnixStream>) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let client = client.map(AsFd::as_fd);
        let sent = self.0.async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut with = SendAncillaryBuffer::new(&mut space);
            if client.is_some() {
                with.push(SendAncillaryMessage::ScmRights(client.as_slice()));
            }
            Ok(sendmsg(
                &self.0,
                &[IoSlice::new(&text)],
                &mut with,
                SendFlags::NOSIGNAL,
            )?)
        });
        sent.await.map(drop)
    }

    /// The next that the other says, and the descriptor that came with it; `None` at its end.
    pub(super) async fn receive(&self) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        let received = self.0.async_io(Interest::READABLE, || {
            let mut text = vec![0; LONGEST];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut with = RecvAncillaryBuffer::new(&mut space);
            let got = recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut text)],
                &mut with,
                RecvFlags::CMSG_CLOEXEC,
            )?;
            let client = with.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut files) => files.next(),
                _ => None,
            });
            if got.flags.contains(ReturnFlags::TRUNC) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet longer than any"));
            }
            text.truncate(got.bytes);
            Ok((text, client))
        });
        let (text, client) = received.await?;
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&text)?, client)))
    }
}

/// A connection by its descriptor.
pub(super) fn connection(file: OwnedFd) -> io::Result<UnixStream> {
    let file = std::os::unix::net::UnixStream::from(file);
    file.set_nonblocking(true)?;
    UnixStream::from_std(file)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::plan::Plan;

    #[tokio::test]
    async fn what_is_said_arrives_in_order_and_a_connection_with_its_word() {
        let (ours, theirs) = Channel::pair().expect("two ends");
        let theirs = Channel::new(theirs).expect("an end");
        let script = "[[fault]]\nat = \"1ms\"\nfor = \"1500ms\"\nkind = \"reset\"\nshare = 0.3\nseed = 7\n";
        let plan = || Message::Plan {
            upstream: "/run/engine.sock".into(),
            faults: Plan::parse(script).expect("a good script").faults,
        };
        ours.send(&plan(), None).await.expect("sent");
        let (mut client, served) = UnixStream::pair().expect("a connection");
        ours.send(&Message::Client, Some(&served)).await.expect("sent");
        drop((ours, served));

        let (message, file) = theirs.receive().await.expect("received").expect("something");
        assert!(message == plan() && file.is_none(), "{message:?}");
        let (message, file) = theirs.receive().await.expect("received").expect("something");
        assert_eq!(message, Message::Client);
        assert!(
            theirs.receive().await.expect("received").is_none(),
            "the other has ended"
        );
        let mut carried = connection(file.expect("a descriptor")).expect("a connection");
        carried.write_all(b"hello").await.expect("written");
        drop(carried);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.expect("read");
        assert_eq!(heard, "hello");
    }

    #[tokio::test]
    async fn a_plan_that_fits_into_no_packet_is_an_error_and_no_silence() {
        let (ours, _theirs) = Channel::pair().expect("two ends");
        let one = Plan::parse("[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"stall\"\n").expect("a good script");
        let faults = one.faults.iter().cloned().cycle().take(10_000).collect();
        let upstream = "/run/engine.sock".into();
        assert!(ours.send(&Message::Plan { upstream, faults }, None).await.is_err());
    }

    #[tokio::test]
    async fn both_processes_count_from_the_same_moment() {
        let looked = Instant::now();
        let begin = looked - Duration::from_millis(300);
        let Message::Begun { at } = Message::begun_at(begin) else {
            panic!("another message");
        };
        let seen = instant(at);
        let apart = if seen > begin { seen - begin } else { begin - seen };
        // Each clock is looked at twice: no further apart than all of that took.
        assert!(apart <= looked.elapsed(), "{apart:?}");
    }
}
