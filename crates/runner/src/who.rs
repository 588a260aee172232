//! Who leaked: the target looked at closely at the baseline, at each checkpoint where growth is suspected, and at the end.
//!
//! A look in the middle is written down at once, so that a target that dies of its leak has been looked at before.

use std::time::{Duration, Instant};

use leakcheck_model::event::{EventKind, AttributionCost};
use leakcheck_model::scenario::AttributionMode;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_probe::Family;
use leakcheck_probe::attribution::{Circumstances, MOST_FDS, Snapshot, fetch_tasks};

use crate::stage::{Ended, Stage};
use course::{Causes, Mark};

mod course;
mod suspicion;

/// A look is followed by a rest of so many times its own length, so that looking takes 1 % of the time at most.
const REST: u32 = 100;

/// What is known of who holds what.
#[derive(Default)]
pub(crate) struct Who {
    baseline: Option<Snapshot>,
    /// The baseline, and each checkpoint since.
    marks: Vec<Mark>,
    cost: AttributionCost,
    rests_until: Option<Instant>,
}

/// Looks at the target for later comparison.
///
/// # Errors
/// [`Ended`]: the target may end meanwhile.
pub(crate) async fn before(stage: &mut Stage) -> Result<(), Ended> {
    let looking = look(stage);
    let snapshot = stage
        .sampling_while("looking at what the target holds", looking)
        .await?;
    stage.who.took(snapshot.as_ref());
    stage.who.baseline = snapshot;
    let mark = mark(stage);
    stage.who.marks = vec![mark];
    Ok(warn_of_uncounted_children(stage)?)
}

/// A shell that starts the daemon leaks nothing: whoever measures it alone is told.
fn warn_of_uncounted_children(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    let pid = stage.target.as_ref().and_then(|t| t.pid);
    let process = pid.and_then(|pid| leakcheck_probe::Process::open(pid).ok());
    let Some(process) = process.filter(|_| !stage.scenario.target.counts_tree()) else {
        return Ok(());
    };
    let names: Vec<String> = process
        .children_by_name()
        .unwrap_or_default()
        .into_keys()
        .filter(|(_, state)| *state != 'Z')
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the target has child processes that are not counted ({}): a leak of theirs would not show; `tree = true` in [target] \
         (`watch --tree`) adds them up",
        names.join(", ")
    );
    stage.journal.warn(ReasonCode::MetricSparse, message)
}

/// Remembers a checkpoint, and says what there is more of than at the baseline if growth is suspected.
///
/// # Errors
/// [`Ended`]: the target may end meanwhile.
pub(crate) async fn at_checkpoint(stage: &mut Stage) -> Result<(), Ended> {
    let now = mark(stage);
    stage.who.marks.push(now);
    let rests = stage.who.rests_until.is_some_and(|until| Instant::now() < until);
    let limits = stage.scenario.all_limits();
    if rests || stage.who.baseline.is_none() || !suspicion::is_due(&limits, stage.journal.samples()) {
        return Ok(());
    }
    let looking = look(stage);
    let snapshot = stage.sampling_while("looking at what has grown", looking).await?;
    Ok(tell(stage, snapshot)?)
}

/// Says what there is more of than at the baseline, if the target is still there.
///
/// # Errors
/// If the record cannot be written.
pub(crate) async fn at_end(stage: &mut Stage) -> Result<(), leakcheck_report::Error> {
    let snapshot = if stage.who.baseline.is_some() {
        look(stage).await
    } else {
        None
    };
    tell(stage, snapshot)
}

/// A close look at the target; `None` if it has no process here, or is not to be looked at.
fn look(stage: &Stage) -> impl Future<Output = Option<Snapshot>> + use<> {
    let target = stage.target.as_ref();
    let process = target
        .and_then(|t| t.pid)
        .and_then(|pid| leakcheck_probe::Process::open(pid).ok());
    let url = target.and_then(|t| t.metrics_url.clone());
    let wanted = stage.scenario.target.attribution;
    let tree = stage.scenario.target.counts_tree();
    async move {
        let process = process.filter(|_| wanted != AttributionMode::Never)?;
        let most = if wanted == AttributionMode::Always {
            u64::MAX
        } else {
            MOST_FDS
        };
        // Reading thousands of links blocks; the sampler's clock must not.
        let taking = tokio::task::spawn_blocking(move || {
            if tree {
                Snapshot::take_all(Family::of(process), most)
            } else {
                Snapshot::take(&process, most)
            }
        });
        let mut snapshot = taking.await.ok()?;
        let began = Instant::now();
        if let Some(url) = url {
            snapshot.tasks = fetch_tasks(&url).await;
        }
        snapshot.took += began.elapsed();
        Some(snapshot)
    }
}

fn tell(stage: &mut Stage, now: Option<Snapshot>) -> Result<(), leakcheck_report::Error> {
    stage.who.took(now.as_ref());
    let (Some(baseline), Some(now)) = (&stage.who.baseline, now) else {
        return Ok(());
    };
    let mut attribution = now.since(baseline, &circumstances(stage));
    attribution.cost = Some(stage.who.cost);
    stage.journal.event(EventKind::Attributed(attribution))
}

impl Who {
    fn took(&mut self, snapshot: Option<&Snapshot>) {
        let Some(took) = snapshot.map(|s| s.took) else { return };
        let ms = (took.as_secs_f64() * 1e5).round() / 100.0;
        self.cost.snapshots += 1;
        self.cost.longest_ms = self.cost.longest_ms.max(ms);
        self.cost.total_ms += ms;
        self.rests_until = Instant::now().checked_add(took.saturating_mul(REST).min(Duration::from_secs(3600)));
    }
}

/// What time it is, and what has happened so far.
fn mark(stage: &Stage) -> Mark {
    Mark {
        t_s: stage.journal.now(),
        causes: Causes {
            rotations: course::level(stage.journal.samples(), "rotations", f64::INFINITY),
            starts: stage.load.as_ref().map_or(0, crate::load::Load::started),
            faults: stage.journal.faults_begun(),
        },
    }
}

fn circumstances(stage: &Stage) -> Circumstances {
    let samples = stage.journal.samples();
    let mut marks = stage.who.marks.clone();
    marks.push(mark(stage));
    let of = |metric| course::of(samples, metric, &marks, stage.scenario.schedule.sample_every.as_secs());
    Circumstances {
        fds: of("fds"),
        tasks: of("tasks"),
        threads: of("threads"),
        children: of("children"),
        memory: of("rss"),
    }
}
