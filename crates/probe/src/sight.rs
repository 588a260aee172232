//! A first look at a target that nobody described: what of it can be seen from here.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::exposition::names;
use crate::ports::ports;
use crate::process::{Process, ProcessError};
use crate::scrape::{DEADLINE, ScrapeError, fetch_text};

/// Between two looks at a target that has just begun.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Ports of one process at which an exposition is looked for; a daemon has a few.
const KNOCKS: usize = 8;

/// What can be seen of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Its descriptors can be counted.
    pub fds: bool,
    /// Its exposition of metrics, if it has one.
    pub exposed: Option<Exposed>,
    /// What cannot be seen, and why, in words.
    pub unseen: Vec<String>,
}

/// An exposition that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Where.
    pub url: String,
    /// The names of its series.
    pub names: BTreeSet<String>,
    /// Which of them only go up.
    pub counters: BTreeSet<String>,
}

impl Sight {
    /// Looks at a process; where it has no exposition yet, again until `patience` is over.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn of(pid: u32, patience: Duration) -> Result<Self, ProcessError> {
        let process = Process::open(pid)?;
        let began = Instant::now();
        loop {
            let sight = Self::once(&process).await?;
            if sight.exposed.is_some() || began.elapsed() >= patience {
                return Ok(sight);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn once(process: &Process) -> Result<Self, ProcessError> {
        let mut sight = Self {
            fds: process.sample()?.fds.is_some(),
            ..Self::default()
        };
        if !sight.fds {
            let why = "its file descriptors cannot be counted: it is another user's process";
            sight.unseen.push(why.to_owned());
        }
        match ports(process) {
            Ok(ports) => {
                if ports.elsewhere {
                    let why =
                        "its ports are in another network namespace: name its metrics with --metrics to have them";
                    sight.unseen.push(why.to_owned());
                }
                for address in ports.here.iter().take(KNOCKS) {
                    sight.exposed = exposed(&format!("http://{address}/metrics")).await.ok().flatten();
                    if sight.exposed.is_some() {
                        break;
                    }
                }
                if sight.exposed.is_none() && !ports.elsewhere {
                    let why = "no port of it answers /metrics, so its tasks are not seen";
                    sight.unseen.push(why.to_owned());
                }
            }
            Err(ProcessError::NotPermitted { .. }) => {
                let why = "its ports, and with them its /metrics, cannot be found: it is another user's process";
                sight.unseen.push(why.to_owned());
            }
            Err(error) => return Err(error),
        }
        Ok(sight)
    }
}

/// What is exposed at a URL; `None` if it answers and is no exposition.
///
/// # Errors
/// If nobody answers there.
pub async fn exposed(url: &str) -> Result<Option<Exposed>, ScrapeError> {
    let names = names(&fetch_text(url, DEADLINE).await?);
    Ok((!names.all.is_empty()).then(|| Exposed {
        url: url.to_owned(),
        names: names.all,
        counters: names.counters,
    }))
}
