//! The proxy's socket: accepts, hands each connection to a relay, and goes away when the engine is "gone".

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leakcheck_model::scenario::FaultKind;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::identity::Identities;
use crate::listen::Place;
use crate::plan::Plan;
use crate::relay;
use crate::tally::Tally;
use crate::weather::{self, Active, News, Weather};

/// How long accepting rests after it failed for want of descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Why the proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The socket could not be made.
    #[error("failed to listen on {path}")]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error("somebody is listening on {0} already: give a path of the proxy's own")]
    Taken(PathBuf),
    /// The proxy would be in front of itself.
    #[error("{0} is the engine's own socket: the proxy needs another one to listen on")]
    Itself(PathBuf),
}

/// What every connection needs to know.
pub(crate) struct Sky {
    pub(crate) upstream: PathBuf,
    pub(crate) plan: Plan,
    pub(crate) weather: watch::Receiver<Weather>,
    pub(crate) identities: Identities,
    pub(crate) tally: Arc<Tally>,
    /// To whom news is told.
    pub(crate) news: OnceLock<mpsc::Sender<News>>,
}

impl Sky {
    /// Under a plan that nobody follows yet; the weather is made by who does.
    pub(crate) fn new(upstream: &Path, plan: Plan) -> (Self, watch::Sender<Weather>) {
        let (weather, seen) = watch::channel(Weather::default());
        let sky = Self {
            upstream: upstream.to_owned(),
            tally: Arc::new(Tally::new(plan.faults.len())),
            plan,
            weather: seen,
            identities: Identities::new(upstream),
            news: OnceLock::new(),
        };
        (sky, weather)
    }

    /// Makes the plan's weather until shutdown; beginnings and ends are told to `news`.
    pub(crate) async fn follow_plan(
        &self,
        start: watch::Receiver<Option<Instant>>,
        weather: watch::Sender<Weather>,
        news: Option<&mpsc::Sender<News>>,
        shutdown: &CancellationToken,
    ) {
        let plan = weather::conduct(&self.plan, start, &weather, &self.tally, news);
        // Ended early or late, the last weather stays.
        shutdown.run_until_cancelled(plan).await;
        shutdown.cancelled().await;
    }
}

/// A proxy that listens already; clients can connect before [`Proxy::run`] is called.
pub struct Proxy {
    listener: UnixListener,
    place: Place,
    sky: Arc<Sky>,
    weather: watch::Sender<Weather>,
    start: watch::Sender<Option<Instant>>,
}

/// Begins the plan's clock.
#[derive(Clone, Debug)]
pub struct Starter(watch::Sender<Option<Instant>>);

impl Starter {
    /// From now on the times of the faults count. Said again, it changes nothing.
    pub fn start(&self) {
        self.0.send_if_modified(|begin| {
            let first = begin.is_none();
            if first {
                *begin = Some(Instant::now());
            }
            first
        });
    }
}

impl Proxy {
    /// Listens. A socket of that name on which nobody listens any more is replaced.
    ///
    /// # Errors
    /// If the socket cannot be listened on, is somebody else's, or is the engine's own.
    pub fn bind(listen: &Path, upstream: &Path, plan: Plan) -> Result<Self, ChaosError> {
        let (sky, weather) = Sky::new(upstream, plan);
        let mut place = Place::new(listen, upstream);
        Ok(Self {
            listener: place.bind()?,
            place,
            sky: Arc::new(sky),
            weather,
            start: watch::channel(None).0,
        })
    }

    /// What begins the plan's clock; it may be used while the proxy runs.
    #[must_use]
    pub fn starter(&self) -> Starter {
        Starter(self.start.clone())
    }

    /// Serves until `shutdown`, then ends every connection and removes the socket. Each beginning and end of a fault is
    /// told to `news`, which has room for twice as many as there are faults, or some are lost.
    pub async fn run(self, news: Option<mpsc::Sender<News>>, shutdown: CancellationToken) {
        let Self {
            listener,
            mut place,
            sky,
            weather,
            start,
        } = self;
        if let Some(news) = news {
            // Set once: a proxy runs once.
            let _ = sky.news.set(news);
        }
        let tasks = TaskTracker::new();
        {
            let (sky, start) = (Arc::clone(&sky), start.subscribe());
            let shutdown = shutdown.clone();
            tasks.spawn(async move { sky.follow_plan(start, weather, sky.news.get(), &shutdown).await });
        }
        let mut listener = Some(listener);
        while !shutdown.is_cancelled() {
            let Some(open) = &listener else {
                // While the engine is gone its socket refuses; then it is made anew.
                until_engine(&sky, false, &shutdown).await;
                match place.bind() {
                    Ok(again) => listener = Some(again),
                    Err(error) => {
                        tracing::warn!(%error, "failed to listen again");
                        tokio::time::sleep(BREATH).await;
                    }
                }
                continue;
            };
            // All connections of this life of the engine end with it.
            let life = shutdown.child_token();
            tokio::select! {
                () = accept_all(open, &sky, &tasks, &life) => {}
                () = until_engine(&sky, true, &shutdown) => {}
            }
            life.cancel();
            listener = None;
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// Returns when the engine is (or is no longer) meant to be gone, or at shutdown.
async fn until_engine(sky: &Sky, gone: bool, shutdown: &CancellationToken) {
    let mut weather = sky.weather.clone();
    let is_gone = |weather: &Weather| gone_by(weather).is_some();
    let waited = async {
        let changed = weather.wait_for(|weather| is_gone(weather) == gone).await.is_ok();
        if !changed {
            // The conductor has ended: the weather stays as it is until the end.
            std::future::pending().await
        }
    };
    shutdown.run_until_cancelled(waited).await;
}

/// The fault by which the engine is gone.
fn gone_by(weather: &Weather) -> Option<&Active> {
    weather.iter().find(|active| active.fault.kind == FaultKind::EngineGone)
}

async fn accept_all(listener: &UnixListener, sky: &Arc<Sky>, tasks: &TaskTracker, life: &CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tasks.spawn(serve(Arc::clone(sky), client, life.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Serves a connection until it ends or the engine's life does.
async fn serve(sky: Arc<Sky>, client: UnixStream, life: CancellationToken) {
    let ended = life.run_until_cancelled(relay::run(&sky, client)).await;
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection ended"),
        None => {
            if let Some(gone) = gone_by(&sky.weather.borrow()) {
                gone.strike();
            }
        }
    }
}
