//! The traffic: requests at a pace, or a program that makes the target work. It is counted, because a target that was
//! given nothing to do leaks nothing.

mod request;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakcheck_model::scenario;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::process::{Process, ProcessError, in_words};
use crate::target::{Surroundings, filled, quoted};
use request::Request;

/// Requests under way at most; a target that answers none of so many has stopped answering.
const IN_FLIGHT: usize = 64;

/// Share of the requests that were due and must have been answered, for the traffic to count as delivered.
const ANSWERED: f64 = 0.8;

/// A program that makes traffic has this long to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Traffic that goes on.
pub(crate) enum Traffic {
    /// Requests of ours.
    Requests(Requests),
    /// A program's.
    Program(Process),
}

/// Traffic that cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrafficError {
    /// The address is none.
    #[error("`{0}` is no address of HTTP: write http://127.0.0.1:{{port}}/")]
    Address(String),
    /// The program cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl Traffic {
    /// Begins the traffic of a scenario.
    ///
    /// # Errors
    /// [`TrafficError`].
    pub(crate) fn begin(
        wanted: &scenario::Traffic,
        cwd: Option<&Path>,
        around: &Surroundings,
        log: &Path,
    ) -> Result<Self, TrafficError> {
        if let Some(url) = &wanted.url {
            let url = filled(url, around);
            let body = wanted.body.as_deref().map(|body| filled(body, around));
            let request = Request::new(&wanted.method, &url, body.as_deref()).ok_or(TrafficError::Address(url))?;
            return Ok(Self::Requests(Requests::begin(request, wanted.per_second)));
        }
        let command: Vec<String> = wanted.command.iter().map(|word| filled(word, around)).collect();
        Ok(Self::Program(Process::start(
            &command,
            &around.environment(),
            cwd,
            log,
        )?))
    }

    /// Requests that were answered so far; `None` of a program, which counts for itself.
    #[must_use]
    pub(crate) fn answered(&self) -> Option<u64> {
        match self {
            Self::Requests(requests) => Some(requests.counts.answered.load(Ordering::Relaxed)),
            Self::Program(_) => None,
        }
    }

    /// Ends it. Says why it does not count as delivered, if it does not.
    pub(crate) async fn end(&mut self) -> Option<String> {
        match self {
            Self::Requests(requests) => requests.end().await,
            Self::Program(process) => {
                let early = process.ended().map(|status| {
                    let words = quoted(&process.last_words(3));
                    format!("the traffic's program ended by itself: {}{words}", in_words(status))
                });
                let _ = process.stop(STOP_WITHIN).await;
                early
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    due: AtomicU64,
    answered: AtomicU64,
    /// What went wrong last.
    trouble: Mutex<Option<String>>,
}

impl Counts {
    fn failed(&self, why: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// Requests at a pace.
pub(crate) struct Requests {
    counts: Arc<Counts>,
    stop: CancellationToken,
    pacing: JoinSet<()>,
}

impl Requests {
    fn begin(request: Request, per_second: f64) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let mut pacing = JoinSet::new();
        pacing.spawn(paced(request, per_second, Arc::clone(&counts), stop.clone()));
        Self { counts, stop, pacing }
    }

    async fn end(&mut self) -> Option<String> {
        self.stop.cancel();
        while self.pacing.join_next().await.is_some() {}
        let (due, answered) = (
            self.counts.due.load(Ordering::Relaxed),
            self.counts.answered.load(Ordering::Relaxed),
        );
        #[expect(clippy::cast_precision_loss, reason = "2^53 requests are never made")]
        if answered as f64 >= ANSWERED * due as f64 {
            return None;
        }
        let trouble = self.counts.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let last = trouble
            .as_ref()
            .map_or(String::new(), |t| format!("; the last that was not: {t}"));
        Some(format!("{answered} of {due} requests were answered{last}"))
    }
}

/// Makes a request whenever one is due. One that cannot be made because too many are under way is one not answered.
async fn paced(request: Request, per_second: f64, counts: Arc<Counts>, stop: CancellationToken) {
    let request = Arc::new(request);
    let mut under_way = JoinSet::new();
    let mut ticker = interval(Duration::from_secs_f64(1.0 / per_second));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticker.tick() => {}
        }
        while under_way.try_join_next().is_some() {}
        counts.due.fetch_add(1, Ordering::Relaxed);
        if under_way.len() >= IN_FLIGHT {
            counts.failed(format!("{IN_FLIGHT} requests were under way"));
            continue;
        }
        let (request, counts) = (Arc::clone(&request), Arc::clone(&counts));
        under_way.spawn(async move {
            match request.send().await {
                Ok(()) => _ = counts.answered.fetch_add(1, Ordering::Relaxed),
                Err(why) => counts.failed(why),
            }
        });
    }
    // Those under way are let go of; they are answered or not within their own deadline, and count.
    while under_way.join_next().await.is_some() {}
}
