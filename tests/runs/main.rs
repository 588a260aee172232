//! Runs of a process that does nothing, without an engine: early stop, extension, the user's end, and unwritable reports.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use leakcheck_judge::{judge, summarize};
use leakcheck_model::{Facts, Phase, Record, Scenario, Verdict};
use leakcheck_report::RunFolder;
use leakcheck_runner::{NoopObserver, Outcome, Request, RunObserver, Update, run};
use tokio_util::sync::CancellationToken;

/// A sleeping process that is killed on drop.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("120").spawn().expect("sleep starts"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run's parameters.
struct Run {
    schedule: &'static str,
    limit: &'static str,
    reports: tempfile::TempDir,
    observer: Box<dyn RunObserver>,
    stop: CancellationToken,
    min_measured: Option<Duration>,
}

impl Run {
    fn new(schedule: &'static str, limit: &'static str) -> Self {
        Self {
            schedule,
            limit,
            reports: tempfile::tempdir().expect("a folder"),
            observer: Box::new(NoopObserver),
            stop: CancellationToken::new(),
            min_measured: None,
        }
    }

    /// Runs it, and checks that judging the run folder again gives the same result.
    async fn run(self) -> Outcome {
        let sleeper = Sleeper::new();
        let text = format!(
            "name = \"a\"\n[target]\nkind = \"pid\"\npid = {}\n[schedule]\nwarm_up = \"0s\"\nsample_every = \"50ms\"\n\
             checkpoint_every = \"1s\"\n{}\n[limits]\nfds = \"{}\"\n",
            sleeper.0.id(),
            self.schedule,
            self.limit
        );
        let request = Request {
            scenario: Scenario::parse(&text).expect("a scenario"),
            reports: self.reports.path().to_owned(),
            docker_host: None,
            command: String::new(),
            observer: self.observer,
            stop: self.stop,
            min_measured: self.min_measured,
            autodetect: None,
        };
        let outcome = run(request).await.expect("a run needs no engine for this");
        let stored = stored_record(&outcome.folder);
        assert_eq!(summarize(&stored, judge(&stored)), outcome.result);
        assert_eq!(stored.plan, outcome.record.plan);
        outcome
    }
}

fn stored_record(folder: &Path) -> Record {
    let folder = RunFolder::open(folder).expect("a folder");
    let (scenario, samples, events) = folder.read().expect("readable");
    Record::from_run(&scenario, samples, Facts::from_events(&events))
}

fn length_of(outcome: &Outcome, phase: Phase) -> f64 {
    let rows: Vec<usize> = outcome.record.samples.rows(|p| p == phase).collect();
    let t = &outcome.record.samples.t_s;
    rows.first()
        .zip(rows.last())
        .map_or(0.0, |(first, last)| t[*last] - t[*first])
}

#[tokio::test]
async fn a_certain_failure_ends_the_run_early() {
    let outcome = Run::new("measure = \"60s\"\nextend = \"0s\"", "max < 1").run().await;
    assert_eq!(outcome.result.verdict, Verdict::Fail);
    assert!(outcome.result.stopped_early);
    // Checked after five seconds; a slow machine may be later.
    let saved_s = outcome.result.saved_s.expect("a saving");
    assert!((1.0..=55.0).contains(&saved_s), "{saved_s}");
    let measured_s = length_of(&outcome, Phase::Measure);
    assert!((measured_s + saved_s - 60.0).abs() < 2.0, "{measured_s} + {saved_s}");
}

#[tokio::test]
async fn without_early_stop_the_failure_comes_at_the_end() {
    let schedule = "measure = \"12s\"\nextend = \"0s\"\nearly_stop = false";
    let outcome = Run::new(schedule, "max < 1").run().await;
    assert_eq!(outcome.result.verdict, Verdict::Fail);
    assert!(!outcome.result.stopped_early);
    assert_eq!(outcome.result.saved_s, None);
    assert!(length_of(&outcome, Phase::Measure) > 11.0);
}

#[tokio::test]
async fn an_inconclusive_run_is_extended_once() {
    // Four seconds, and six, are too short for so small a limit.
    let schedule = "measure = \"4s\"\nextend = \"2s\"";
    let outcome = Run::new(schedule, "growth_per_min < 0.1").run().await;
    assert_eq!(outcome.result.verdict, Verdict::Inconclusive);
    assert!(length_of(&outcome, Phase::Measure) > 3.0);
    let extended_s = length_of(&outcome, Phase::Extend);
    assert!((1.0..3.0).contains(&extended_s), "{extended_s}");
}

#[tokio::test]
async fn a_conclusive_run_or_one_without_extension_is_not_extended() {
    let conclusive = Run::new("measure = \"4s\"\nextend = \"2s\"", "max < 100").run().await;
    assert_eq!(conclusive.result.verdict, Verdict::Pass);
    assert_eq!(length_of(&conclusive, Phase::Extend), 0.0);
    let schedule = "measure = \"4s\"\nextend = \"0s\"";
    let without = Run::new(schedule, "growth_per_min < 0.1").run().await;
    assert_eq!(without.result.verdict, Verdict::Inconclusive);
    assert_eq!(length_of(&without, Phase::Extend), 0.0);
}

/// Ends the run after a number of judged samples.
struct StopAfter {
    samples: usize,
    stop: CancellationToken,
}

impl RunObserver for StopAfter {
    fn update(&mut self, update: Update<'_>) {
        if let Update::Sample(_, sample) = update
            && sample.phase.is_judged()
        {
            self.samples = self.samples.saturating_sub(1);
            if self.samples == 0 {
                self.stop.cancel();
            }
        }
    }
}

async fn ended_by_user(min_measured: Option<Duration>) -> Outcome {
    let mut ended = Run::new("measure = \"10m\"", "max < 100");
    ended.observer = Box::new(StopAfter {
        samples: 30,
        stop: ended.stop.clone(),
    });
    ended.min_measured = min_measured;
    ended.run().await
}

fn is_interrupted(outcome: &Outcome) -> bool {
    outcome.result.reasons.iter().any(|r| r.code.name() == "interrupted")
}

#[tokio::test]
async fn an_end_by_the_user_after_the_minimum_gives_a_verdict() {
    let outcome = ended_by_user(Some(Duration::from_millis(500))).await;
    assert!(!is_interrupted(&outcome), "{:?}", outcome.result.reasons);
    assert_eq!(outcome.result.limits[0].outcome, Verdict::Pass);
    assert_ne!(outcome.result.exit_code, 130);
    let planned_s = outcome.record.plan.expect("a plan").measure_s;
    assert!(
        planned_s < 600.0,
        "the judged part ends where the user ended it, not at {planned_s} s"
    );
}

#[tokio::test]
async fn an_end_by_the_user_before_the_minimum_is_an_interruption() {
    for min_measured in [None, Some(Duration::from_secs(600))] {
        let outcome = ended_by_user(min_measured).await;
        assert_eq!(outcome.result.exit_code, 130);
        assert!(is_interrupted(&outcome), "{:?}", outcome.result.reasons);
    }
}

/// Creates a folder in the place of a report, given the parent of the run folder.
struct BlockReport(PathBuf);

impl RunObserver for BlockReport {
    fn update(&mut self, update: Update<'_>) {
        if let Update::Sample(..) = update {
            for run in std::fs::read_dir(&self.0).expect("the runs of the scenario").flatten() {
                let _ = std::fs::create_dir(run.path().join("report.html"));
            }
        }
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_written_leaves_the_verdict() {
    let mut blocked = Run::new("measure = \"4s\"\nextend = \"0s\"", "max < 100");
    blocked.observer = Box::new(BlockReport(blocked.reports.path().join("a")));
    let outcome = blocked.run().await;
    assert_eq!((outcome.result.verdict, outcome.result.exit_code), (Verdict::Pass, 0));
    let error = outcome.report_error.expect("the report is blocked").to_string();
    assert!(error.contains("report.html"), "{error}");
}
