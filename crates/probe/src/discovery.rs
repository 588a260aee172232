//! Discovery: which of a target's metrics can be measured from here, for targets without a description.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::exposition::names;
use crate::ports::ports;
use crate::process::{Process, ProcessError};
use crate::scrape::{DEADLINE, ScrapeError, fetch_text};

/// The pause between two attempts at a target that has just started.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The number of ports of one process at which /metrics is tried. A daemon has a few.
const MAX_PORTS_PROBED: usize = 8;

/// The measurable properties of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetCapabilities {
    /// `true` if its file descriptors can be counted.
    pub fds: bool,
    /// Its /metrics, if it has one.
    pub exposed: Option<ExposedMetrics>,
    /// Messages about what cannot be measured, with the reason.
    pub unseen: Vec<String>,
}

/// A /metrics page that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExposedMetrics {
    /// Its URL.
    pub url: String,
    /// The names of its series.
    pub names: BTreeSet<String>,
    /// The names of series that only increase.
    pub counters: BTreeSet<String>,
}

impl TargetCapabilities {
    /// Examines a process. If it has no /metrics yet, retries until `timeout` has passed.
    ///
    /// # Errors
    /// An error if the process has ended.
    #[tracing::instrument(name = "discovery", level = "debug")]
    pub async fn discover(pid: u32, timeout: Duration) -> Result<Self, ProcessError> {
        let process = Process::open(pid)?;
        let began = Instant::now();
        loop {
            let capabilities = Self::examine(&process).await?;
            if capabilities.exposed.is_some() || began.elapsed() >= timeout {
                return Ok(capabilities);
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn examine(process: &Process) -> Result<Self, ProcessError> {
        let mut found = Self {
            fds: process.sample()?.fds.is_some(),
            ..Self::default()
        };
        if !found.fds {
            let why = "its file descriptors cannot be counted: it is another user's process";
            found.unseen.push(why.to_owned());
        }
        match ports(process) {
            Ok(ports) => {
                if ports.elsewhere {
                    let why = "its ports are in another network namespace: pass its metrics with --metrics";
                    found.unseen.push(why.to_owned());
                }
                for address in ports.here.iter().take(MAX_PORTS_PROBED) {
                    let url = format!("http://{address}/metrics");
                    found.exposed = exposed_metrics(&url).await.ok().flatten();
                    if found.exposed.is_some() {
                        break;
                    }
                }
                if found.exposed.is_none() && !ports.elsewhere {
                    let why = "none of its ports serves /metrics, so its tasks cannot be counted";
                    found.unseen.push(why.to_owned());
                }
            }
            Err(ProcessError::NotPermitted { .. }) => {
                let why = "its ports, and with them its /metrics, cannot be found: it is another user's process";
                found.unseen.push(why.to_owned());
            }
            Err(error) => return Err(error),
        }
        Ok(found)
    }
}

/// Reads the names of the series at a URL; `None` if the page that answers is no exposition.
///
/// # Errors
/// An error if nothing answers there.
pub async fn exposed_metrics(url: &str) -> Result<Option<ExposedMetrics>, ScrapeError> {
    let names = names(&fetch_text(url, DEADLINE).await?);
    Ok((!names.all.is_empty()).then(|| ExposedMetrics {
        url: url.to_owned(),
        names: names.all,
        counters: names.counters,
    }))
}
