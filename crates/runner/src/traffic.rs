//! Traffic: requests at a fixed rate, or a program that makes the target work.
//!
//! Answered requests are counted: an idle target would pass any limit.

mod request;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leakcheck_model::scenario;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::process::{Process, ProcessError, describe_exit, quote_log_tail};
use crate::target_env::TargetEnv;
use request::Request;

/// Requests in flight at most; a target with so many unanswered has stopped answering.
const IN_FLIGHT: usize = 64;

/// Share of the due requests that must be answered for the traffic to count as delivered.
const MIN_ANSWERED: f64 = 0.8;

/// Time for a traffic program to end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Running traffic.
pub(crate) enum Traffic {
    /// Requests sent by leakcheck.
    Requests(Requests),
    /// A program.
    Program(Process),
}

/// Traffic that cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrafficError {
    /// The address is malformed.
    #[error("`{0}` is not an HTTP address: write http://127.0.0.1:{{port}}/")]
    Address(String),
    /// The program cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl Traffic {
    /// Starts the traffic of a scenario.
    ///
    /// # Errors
    /// [`TrafficError`].
    pub(crate) fn start(
        settings: &scenario::Traffic,
        cwd: Option<&Path>,
        env: &TargetEnv,
        log: &Path,
    ) -> Result<Self, TrafficError> {
        let Some(url) = &settings.url else {
            let command = env.fill_all(&settings.command);
            return Ok(Self::Program(Process::start(&command, &env.variables(), cwd, log)?));
        };
        let url = env.fill(url);
        let body = settings.body.as_deref().map(|body| env.fill(body));
        let request = Request::new(&settings.method, &url, body).ok_or(TrafficError::Address(url))?;
        Ok(Self::Requests(Requests::start(request, settings.per_second)))
    }

    /// Requests answered so far; `None` for a program.
    #[must_use]
    pub(crate) fn answered(&self) -> Option<u64> {
        match self {
            Self::Requests(requests) => Some(requests.counts.answered.load(Ordering::Relaxed)),
            Self::Program(_) => None,
        }
    }

    /// Stops the traffic. Returns the reason if it does not count as delivered.
    pub(crate) async fn stop(&mut self) -> Option<String> {
        match self {
            Self::Requests(requests) => requests.stop().await,
            Self::Program(process) => {
                let ended_early = process.exit_status().map(|status| {
                    let tail = quote_log_tail(&process.log_tail(3));
                    format!("the traffic program ended by itself: {}{tail}", describe_exit(status))
                });
                process.stop(STOP_TIMEOUT).await;
                ended_early
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    due: AtomicU64,
    answered: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Counts {
    fn failed(&self, error: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// Requests at a fixed rate.
pub(crate) struct Requests {
    counts: Arc<Counts>,
    stop: CancellationToken,
    sending: JoinSet<()>,
}

impl Requests {
    fn start(request: Request, per_second: f64) -> Self {
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let mut sending = JoinSet::new();
        sending.spawn(send_at_rate(request, per_second, Arc::clone(&counts), stop.clone()));
        Self { counts, stop, sending }
    }

    async fn stop(&mut self) -> Option<String> {
        self.stop.cancel();
        while self.sending.join_next().await.is_some() {}
        let (due, answered) = (
            self.counts.due.load(Ordering::Relaxed),
            self.counts.answered.load(Ordering::Relaxed),
        );
        #[expect(clippy::cast_precision_loss, reason = "2^53 requests are never made")]
        if answered as f64 >= MIN_ANSWERED * due as f64 {
            return None;
        }
        let last_error = self.counts.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let last_error = last_error
            .as_ref()
            .map_or(String::new(), |e| format!("; the last error: {e}"));
        Some(format!("{answered} of {due} requests were answered{last_error}"))
    }
}

/// Sends a request whenever one is due. With too many in flight, a due request counts as unanswered.
async fn send_at_rate(request: Request, per_second: f64, counts: Arc<Counts>, stop: CancellationToken) {
    let request = Arc::new(request);
    let mut in_flight = JoinSet::new();
    let mut ticker = interval(Duration::from_secs_f64(1.0 / per_second));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticker.tick() => {}
        }
        while in_flight.try_join_next().is_some() {}
        counts.due.fetch_add(1, Ordering::Relaxed);
        if in_flight.len() >= IN_FLIGHT {
            counts.failed(format!("{IN_FLIGHT} requests were in flight"));
            continue;
        }
        let (request, counts) = (Arc::clone(&request), Arc::clone(&counts));
        in_flight.spawn(async move {
            match request.send().await {
                Ok(()) => _ = counts.answered.fetch_add(1, Ordering::Relaxed),
                Err(error) => counts.failed(error),
            }
        });
    }
    // The rest ends within its own deadline, and counts.
    while in_flight.join_next().await.is_some() {}
}
