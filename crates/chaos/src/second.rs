//! What does not fit into this process: connections beyond its limit of open files are carried by a second one.
//!
//! A stream is two open files of who carries it, but one of the engine and one of its client: where those two can hold it
//! under that limit, two processes carry what lies between. The second is started when it is needed first, is told the
//! plan and when its clock began, and is handed each connection as it was accepted. It ends with the channel to it.

mod carry;
mod channel;

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::process::{Resource, getrlimit};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::proxy::Sky;
use crate::weather::News;
use channel::{Channel, Message};

pub use carry::{CarryError, carry};

/// Files of this process that are no stream's.
const OWN_FILES: u64 = 128;

/// Connections that wait to be handed on.
pub(crate) const QUEUE: usize = 64;

/// How many connections this process carries itself.
pub(crate) fn seats() -> usize {
    let streams = |files: u64| usize::try_from(files.saturating_sub(OWN_FILES) / 2).unwrap_or(usize::MAX);
    let limit = getrlimit(Resource::Nofile).current;
    limit
        .map_or(Semaphore::MAX_PERMITS, streams)
        .min(Semaphore::MAX_PERMITS)
}

/// What the second process is to be told.
pub(crate) enum Handed {
    /// To carry this.
    Client(UnixStream),
    /// To end what it carries: the engine is gone.
    LifeEnded,
}

/// A second process, and the way to it.
struct Second {
    child: Child,
    channel: Channel,
}

/// Hands on what comes out of `queue` until nobody can put in more; returns when the second process has ended.
pub(crate) async fn hand_on(
    program: Command,
    sky: &Sky,
    mut start: watch::Receiver<Option<Instant>>,
    mut queue: mpsc::Receiver<Handed>,
) {
    let mut program = tokio::process::Command::from(program);
    let mut second: Option<Second> = None;
    loop {
        let done = tokio::select! {
            handed = queue.recv() => match handed {
                Some(Handed::Client(client)) => hand(&mut program, &mut second, sky, &start, client).await,
                Some(Handed::LifeEnded) => tell(second.as_ref(), &Message::LifeEnded).await,
                None => break,
            },
            Ok(()) = start.changed() => match begin(&start) {
                Some(begin) => tell(second.as_ref(), &begin).await,
                None => Ok(()),
            },
            heard = hear(second.as_ref()) => heard.map(|message| take_in(message, sky)),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the second process of the wire has failed: its connections are closed");
            end(second.take()).await;
        }
    }
    end(second).await;
}

/// Hands on a connection, to a process that is started for it if none runs.
async fn hand(
    program: &mut tokio::process::Command,
    second: &mut Option<Second>,
    sky: &Sky,
    start: &watch::Receiver<Option<Instant>>,
    client: UnixStream,
) -> io::Result<()> {
    let running = match second {
        Some(running) => running,
        none => none.insert(Second::start(program, sky, start).await?),
    };
    running.channel.send(&Message::Client, Some(&client)).await
}

/// Makes what the second process says known here.
fn take_in(message: Message, sky: &Sky) {
    match (message, sky.news.get()) {
        (Message::Struck { times }, _) => times.into_iter().for_each(|(index, times)| sky.tally.add(index, times)),
        (Message::Unknown { container, why }, Some(news)) => {
            // Nobody need be listening, and it stands in the log.
            let _ = news.try_send(News::Unknown { container, why });
        }
        _ => {}
    }
}

async fn tell(second: Option<&Second>, message: &Message) -> io::Result<()> {
    match second {
        Some(second) => second.channel.send(message, None).await,
        // One that is started later hears it then.
        None => Ok(()),
    }
}

/// The next that the second process says.
async fn hear(second: Option<&Second>) -> io::Result<Message> {
    match second {
        Some(second) => match second.channel.receive().await? {
            Some((message, _)) => Ok(message),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        },
        None => std::future::pending().await,
    }
}

fn begin(start: &watch::Receiver<Option<Instant>>) -> Option<Message> {
    start.borrow().map(Message::begun_at)
}

/// Ends the second process, which takes the end of the channel for the end.
async fn end(second: Option<Second>) {
    if let Some(Second { mut child, channel }) = second {
        drop(channel);
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "failed to wait for the second process of the wire");
        }
    }
}

impl Second {
    async fn start(
        program: &mut tokio::process::Command,
        sky: &Sky,
        start: &watch::Receiver<Option<Instant>>,
    ) -> io::Result<Self> {
        let (channel, theirs): (Channel, OwnedFd) = Channel::pair()?;
        program.stdin(Stdio::from(theirs)).stdout(Stdio::null());
        // What a terminal sends to all of its foreground is meant for the first, which ends the second itself.
        program.process_group(0).kill_on_drop(true);
        let child = program.spawn()?;
        // The command has kept its copy of their end, by which the channel would never end.
        program.stdin(Stdio::null());
        let plan = Message::Plan {
            upstream: sky.upstream.clone(),
            faults: sky.plan.faults.clone(),
        };
        channel.send(&plan, None).await?;
        if let Some(begin) = begin(start) {
            channel.send(&begin, None).await?;
        }
        Ok(Self { child, channel })
    }
}
