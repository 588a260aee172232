//! `leakcheck explain`: a second, short run of a failed scenario in which the target is traced, to name the code that leaked.
//!
//! Judged runs are never traced. The origins become an event of the first run, so that each of its reports shows them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use leakcheck_judge::{judge, summarize};
use leakcheck_model::event::{Event, EventKind};
use leakcheck_model::origins::Origins;
use leakcheck_model::scenario::{AttributionMode, OriginsMode, TargetKind};
use leakcheck_model::{Facts, HumanDuration, Record, RunResult, Scenario, Verdict, error_chain};
use leakcheck_report::{RunFolder, text};
use leakcheck_runner::{NoopObserver, Request, Scratch};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::{run_folder, style, summary};

/// Survivors of one stack that explain a leak.
const ENOUGH: u64 = 20;
/// Longest time to trace after the warm-up.
const MEASURE: Duration = Duration::from_secs(45);
/// Longest warm-up of a traced run. What exists after it is not counted as leaked.
const MAX_WARM_UP: Duration = Duration::from_secs(5);
/// Time from the target's start to the begin of its warm-up that is allowed for.
const START_UP: Duration = Duration::from_secs(2);

/// Arguments of `leakcheck explain`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck explain reports/my-daemon/RUN_ID
  leakcheck explain reports/my-daemon/RUN_ID --measure 2m     for a leak that needs more time

The scenario must start its target (kind = \"command\"). `leakcheck run` does the same by itself after a failure on
descriptors, threads or children, unless the scenario says `[target] origins = \"never\"`.

Exit codes: 0 the code was found, 125 it was not, 2 usage error, 130 interrupted")]
pub(crate) struct Arguments {
    /// The run folder
    folder: PathBuf,
    /// Longest time to trace after the warm-up
    #[arg(long, value_name = "D", default_value_t = HumanDuration(MEASURE))]
    measure: HumanDuration,
    /// Address of the engine [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Print the origins as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Explains a stored run.
///
/// # Errors
/// If the folder is not a run's, its target is not a command, or the traced run cannot be done.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut folder = run_folder::open(&arguments.folder)?;
    let (scenario, ..) = folder.read().map_err(anyhow::Error::from)?;
    if scenario.target.kind != TargetKind::Command {
        return Err(Failure::usage(format!(
            "the target of this run is of kind `{}`; only a target that leakcheck starts (kind = \"command\") can be traced",
            scenario.target.kind.name()
        )));
    }
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "\ninterrupted: removing what was started");
    let docker_host = arguments.docker_host.clone();
    let origins = trace(&runtime, scenario, arguments.measure.0, docker_host, stop.clone())?;
    if stop.is_cancelled() {
        return Ok(Exit::Interrupted.into());
    }
    if arguments.json {
        style::print_json(&origins)?;
    }
    let (result, _) = store(&mut folder, origins)?;
    summary::print_origins(&result);
    let found = text::grown_origins(&result).next().is_some();
    if !found {
        style::note("no resource grew by a repeated creation in the traced run; try a longer --measure");
    }
    Ok(if found { Exit::Success } else { Exit::NoVerdict }.into())
}

/// Returns whether a finished run is to be explained: it failed on a resource whose creation can be traced.
pub(crate) fn is_wanted(scenario: &Scenario, result: &RunResult) -> bool {
    let traceable = |metric: &str| ["fds", "open_fds", "threads", "children"].contains(&metric);
    let failed = result
        .limits
        .iter()
        .any(|l| l.outcome == Verdict::Fail && traceable(&l.metric));
    scenario.target.kind == TargetKind::Command
        && match scenario.target.origins {
            OriginsMode::OnFail => result.verdict == Verdict::Fail && failed,
            OriginsMode::Always => true,
            OriginsMode::Never => false,
        }
}

/// Runs the traced scenario once, and adds the origins to the run in `folder`. Returns the run's new result and record.
///
/// # Errors
/// If the traced run cannot be done, or the folder cannot be read or written.
pub(crate) fn explain(
    runtime: &Runtime,
    folder: &Path,
    docker_host: Option<String>,
    stop: CancellationToken,
) -> Result<(RunResult, Record), Failure> {
    let mut folder = run_folder::open(folder)?;
    let (scenario, ..) = folder.read().map_err(anyhow::Error::from)?;
    let origins = trace(runtime, scenario, MEASURE, docker_host, stop)?;
    store(&mut folder, origins)
}

fn trace(
    runtime: &Runtime,
    scenario: Scenario,
    measure: Duration,
    docker_host: Option<String>,
    stop: CancellationToken,
) -> Result<Origins, Failure> {
    let scratch = Scratch::new(&format!("explain-{}", std::process::id()))
        .map_err(|error| Failure::no_verdict(error_chain(&error)))?;
    let out = scratch.path().join("origins.json");
    let request = Request {
        scenario: traced(scenario, measure, &out)?,
        reports: scratch.path().to_owned(),
        docker_host,
        command: "leakcheck explain".into(),
        observer: Box::new(NoopObserver),
        stop,
        min_measured: None,
        autodetect: None,
    };
    // The verdict of a traced run means nothing: the target is slower, and has no limits.
    runtime
        .block_on(leakcheck_runner::run(request))
        .map_err(|error| Failure::no_verdict(format!("the traced run failed: {}", error_chain(&error))))?;
    let text = std::fs::read(&out).map_err(|_| {
        Failure::no_verdict("the traced target did not start, or was killed before its resources could be listed")
    })?;
    let mut origins: Origins = serde_json::from_slice(&text).map_err(anyhow::Error::from)?;
    shorten_paths(&mut origins);
    Ok(origins)
}

/// The scenario with a traced target, without limits, for a short time.
fn traced(mut scenario: Scenario, measure: Duration, out: &Path) -> Result<Scenario, Failure> {
    let this = std::env::current_exe().map_err(anyhow::Error::from)?;
    let schedule = &mut scenario.schedule;
    schedule.warm_up.0 = schedule.warm_up.0.min(MAX_WARM_UP);
    schedule.measure.0 = measure;
    schedule.extend.0 = Duration::ZERO;
    schedule.drain.0 = schedule.drain.0.min(MAX_WARM_UP);
    schedule.early_stop = false;
    let baseline = HumanDuration(schedule.warm_up.0 + START_UP);
    let target = &mut scenario.target;
    let mut command = vec![this.display().to_string(), "trace-target".into()];
    command.extend(["--out".into(), out.display().to_string()]);
    command.extend(["--baseline-after".into(), baseline.to_string()]);
    command.extend(["--until".into(), ENOUGH.to_string(), "--".into()]);
    command.append(&mut target.command);
    target.command = command;
    target.attribution = AttributionMode::Never;
    target.build = None;
    // Node.js names its functions in a map only if it is told to.
    let options = target.env.entry("NODE_OPTIONS".into()).or_default();
    *options = format!("{options} --perf-basic-prof --interpreted-frames-native-stack")
        .trim()
        .to_owned();
    scenario.limits.clear();
    Ok(scenario)
}

/// Makes source paths below the current folder relative to it, as GitHub wants them.
fn shorten_paths(origins: &mut Origins) {
    let Ok(here) = std::env::current_dir() else { return };
    for frame in origins.origins.iter_mut().flat_map(|o| &mut o.stack) {
        let relative = frame.file.as_ref().and_then(|f| Path::new(f).strip_prefix(&here).ok());
        if let Some(relative) = relative.map(|r| r.display().to_string()) {
            frame.file = Some(relative);
        }
    }
}

/// Adds the origins to the events of a run, and writes its reports again.
fn store(folder: &mut RunFolder, origins: Origins) -> Result<(RunResult, Record), Failure> {
    let t_s = folder
        .read_samples()
        .map_err(anyhow::Error::from)?
        .t_s
        .last()
        .copied()
        .unwrap_or(0.0);
    let event = Event {
        t_s,
        at: jiff::Timestamp::now().to_string(),
        kind: EventKind::Explained(origins),
    };
    folder.append_event(&event).map_err(anyhow::Error::from)?;
    let (scenario, samples, events) = folder.read().map_err(anyhow::Error::from)?;
    let record = Record::from_run(&scenario, samples, Facts::from_events(&events));
    let result = summarize(&record, judge(&record));
    folder.write_report(&result, &record).map_err(anyhow::Error::from)?;
    Ok((result, record))
}
