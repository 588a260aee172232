//! The second process itself: carries what it is handed, until its standard input ends.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::{Channel, Message, connection, instant};
use crate::plan::Plan;
use crate::proxy::{Sky, serve};
use crate::weather::News;

/// Why a second process ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Standard input is no channel.
    #[error("failed to hear the proxy that started this on standard input")]
    Channel(#[from] io::Error),
    /// The other does not keep to the order of what is said.
    #[error("the proxy that started this said {0} out of turn")]
    OutOfTurn(String),
}

/// Carries the connections that a [`crate::Proxy`] hands over on standard input, as that would itself, until it ends.
///
/// # Errors
/// If standard input is no such channel.
pub async fn carry() -> Result<(), CarryError> {
    let channel = Arc::new(Channel::new(io::stdin().as_fd().try_clone_to_owned()?)?);
    let (upstream, faults) = match channel.receive().await? {
        Some((Message::Plan { upstream, faults }, _)) => (upstream, faults),
        Some((other, _)) => return Err(CarryError::OutOfTurn(format!("{other:?}"))),
        None => return Ok(()),
    };
    let (mut sky, weather) = Sky::new(&upstream, Plan { faults });
    let (sender, mut news) = mpsc::channel(1);
    sky.news = OnceLock::from(sender);
    let sky = Arc::new(sky);
    let (start, started) = watch::channel(None);
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    {
        let (sky, shutdown) = (Arc::clone(&sky), shutdown.clone());
        // Beginnings and ends are told by the first process.
        tasks.spawn(async move { sky.follow_plan(started, weather, None, &shutdown).await });
    }
    {
        let (channel, shutdown) = (Arc::clone(&channel), shutdown.clone());
        tasks.spawn(async move {
            while let Some(Some(told)) = shutdown.run_until_cancelled(news.recv()).await {
                if let News::Unknown { container, why } = told {
                    // An end of the channel is heard where it is listened to.
                    let _ = channel.send(&Message::Unknown { container, why }, None).await;
                }
            }
        });
    }
    {
        let (sky, channel, shutdown) = (Arc::clone(&sky), Arc::clone(&channel), shutdown.clone());
        tasks.spawn(async move {
            while let Some(times) = shutdown.run_until_cancelled(sky.tally.news()).await {
                let _ = channel.send(&Message::Struck { times }, None).await;
            }
        });
    }
    let mut life = shutdown.child_token();
    let heard = loop {
        match channel.receive().await {
            Ok(Some((Message::Begun { at }, _))) => drop(start.send_replace(Some(instant(at)))),
            Ok(Some((Message::LifeEnded, _))) => {
                std::mem::replace(&mut life, shutdown.child_token()).cancel();
            }
            Ok(Some((Message::Client, Some(client)))) => match connection(client) {
                Ok(client) => drop(tasks.spawn(serve(Arc::clone(&sky), client, life.clone()))),
                Err(error) => tracing::warn!(%error, "failed to take over a connection"),
            },
            Ok(Some((Message::Client, None))) => {
                tracing::warn!("a connection found no room in the limit of open files")
            }
            Ok(Some((other, _))) => break Err(CarryError::OutOfTurn(format!("{other:?}"))),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    heard
}
