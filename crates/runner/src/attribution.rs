//! Attribution of a leak: snapshots of the target at the baseline, at checkpoints with suspected growth, and at the end.
//!
//! Each comparison is recorded at once, so that it is there even if the target dies of its leak.

use std::time::{Duration, Instant};

use leakcheck_model::event::{AttributionCost, EventKind};
use leakcheck_model::scenario::AttributionMode;
use leakcheck_model::verdict::ReasonCode;
use leakcheck_probe::ProcessTree;
use leakcheck_probe::attribution::{GrowthContext, MAX_FDS, Snapshot, fetch_tasks};

use crate::abort::RunAbort;
use crate::context::RunContext;
use crate::load::Load;
use timeline::{Causes, Mark};

mod timeline;
mod trigger;

/// Pause after a snapshot, in multiples of its duration: snapshots take 1 % of the time at most.
const PAUSE_FACTOR: u32 = 100;

/// The longest pause after a snapshot.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// The snapshots of a run so far.
pub(crate) struct Attribution {
    baseline: Option<Snapshot>,
    /// The baseline and each checkpoint since.
    marks: Vec<Mark>,
    cost: AttributionCost,
    paused_until: Option<Instant>,
}

impl Attribution {
    /// Takes a snapshot of the target as the baseline.
    ///
    /// # Errors
    /// [`RunAbort`]: the target may end meanwhile.
    pub(crate) async fn take_baseline(ctx: &mut RunContext) -> Result<Self, RunAbort> {
        let snapshot = ctx
            .sample_while("taking a snapshot of the target", take_snapshot(ctx))
            .await?;
        let mut attribution = Self {
            baseline: None,
            marks: vec![mark(ctx)],
            cost: AttributionCost::default(),
            paused_until: None,
        };
        attribution.add_cost(snapshot.as_ref());
        attribution.baseline = snapshot;
        warn_of_uncounted_children(ctx)?;
        Ok(attribution)
    }

    /// Remembers a checkpoint, and compares a snapshot with the baseline if growth is suspected.
    ///
    /// # Errors
    /// [`RunAbort`]: the target may end meanwhile.
    pub(crate) async fn at_checkpoint(&mut self, ctx: &mut RunContext) -> Result<(), RunAbort> {
        self.marks.push(mark(ctx));
        let is_paused = self.paused_until.is_some_and(|until| Instant::now() < until);
        let limits = ctx.scenario.all_limits();
        if is_paused || self.baseline.is_none() || !trigger::suspects_growth(&limits, ctx.recorder.samples()) {
            return Ok(());
        }
        let snapshot = ctx
            .sample_while("taking a snapshot of the grown target", take_snapshot(ctx))
            .await?;
        Ok(self.record(ctx, snapshot)?)
    }

    /// Compares a last snapshot with the baseline, if the target is still there.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) async fn at_end(&mut self, ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
        if self.baseline.is_none() {
            return Ok(());
        }
        let snapshot = take_snapshot(ctx).await;
        self.record(ctx, snapshot)
    }

    fn record(&mut self, ctx: &mut RunContext, now: Option<Snapshot>) -> Result<(), leakcheck_report::Error> {
        self.add_cost(now.as_ref());
        let (Some(baseline), Some(now)) = (&self.baseline, now) else {
            return Ok(());
        };
        let mut attribution = now.since(baseline, &self.growth_context(ctx));
        attribution.cost = Some(self.cost);
        ctx.recorder.event(EventKind::Attributed(attribution))
    }

    fn add_cost(&mut self, snapshot: Option<&Snapshot>) {
        let Some(took) = snapshot.map(|s| s.took) else { return };
        let ms = (took.as_secs_f64() * 1e5).round() / 100.0;
        self.cost.snapshots += 1;
        self.cost.longest_ms = self.cost.longest_ms.max(ms);
        self.cost.total_ms += ms;
        self.paused_until = Instant::now().checked_add(took.saturating_mul(PAUSE_FACTOR).min(MAX_PAUSE));
    }

    /// Determines when each metric grew, and what else happened then.
    fn growth_context(&self, ctx: &RunContext) -> GrowthContext {
        let samples = ctx.recorder.samples();
        let mut marks = self.marks.clone();
        marks.push(mark(ctx));
        let sample_every_s = ctx.scenario.schedule.sample_every.as_secs();
        let of = |metric| timeline::locate_growth(samples, metric, &marks, sample_every_s);
        GrowthContext {
            fds: of("fds"),
            tasks: of("tasks"),
            threads: of("threads"),
            children: of("children"),
            memory: of("rss"),
        }
    }
}

/// Warns if the target has child processes that are not counted: a shell that starts the daemon leaks nothing itself.
fn warn_of_uncounted_children(ctx: &mut RunContext) -> Result<(), leakcheck_report::Error> {
    let Some(process) = target_process(ctx).filter(|_| !ctx.scenario.target.counts_tree()) else {
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
        "the target has child processes that are not counted ({}), so their leaks do not show; `tree = true` in [target] \
         (`watch --tree`) counts them",
        names.join(", ")
    );
    ctx.recorder.warn(ReasonCode::MetricSparse, message)
}

fn target_process(ctx: &RunContext) -> Option<leakcheck_probe::Process> {
    let pid = ctx.sources.target.as_ref()?.pid?;
    leakcheck_probe::Process::open(pid).ok()
}

/// Takes a snapshot of the target; `None` without a process here, or if attribution is off. The future borrows nothing.
fn take_snapshot(ctx: &RunContext) -> impl Future<Output = Option<Snapshot>> + use<> {
    let process = target_process(ctx);
    let url = ctx.sources.target.as_ref().and_then(|t| t.metrics_url.clone());
    let mode = ctx.scenario.target.attribution;
    let with_tree = ctx.scenario.target.counts_tree();
    async move {
        let process = process.filter(|_| mode != AttributionMode::Never)?;
        let max_fds = if mode == AttributionMode::Always {
            u64::MAX
        } else {
            MAX_FDS
        };
        // Reading thousands of links blocks, and sampling must not wait for it.
        let taking = tokio::task::spawn_blocking(move || {
            if with_tree {
                Snapshot::take_tree(ProcessTree::of(process), max_fds)
            } else {
                Snapshot::take(&process, max_fds)
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

/// The current time, with the counts of possible causes so far.
fn mark(ctx: &RunContext) -> Mark {
    Mark {
        t_s: ctx.recorder.now(),
        causes: Causes {
            rotations: timeline::level(ctx.recorder.samples(), "rotations", f64::INFINITY),
            starts: ctx.sources.load.as_ref().map_or(0, Load::started),
            faults: ctx.recorder.faults_begun(),
        },
    }
}
