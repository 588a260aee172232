//! How a run goes on: ended early on a certain fail, to its end without early stop, extended once; and judged again from its
//! folder it is the same run.

use std::process::{Child, Command};

use leakcheck_judge::{judge, summarize};
use leakcheck_model::{Facts, Phase, Record, Scenario, Verdict};
use leakcheck_report::RunFolder;
use leakcheck_runner::{Nobody, Outcome, Request, run};
use tokio_util::sync::CancellationToken;

/// A process that does nothing, ended with the test.
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

/// A run of a process that does nothing, under a schedule and a limit on its descriptors.
async fn ran(schedule: &str, limit: &str) -> Outcome {
    let sleeper = Sleeper::new();
    let text = format!(
        "name = \"a\"\n[target]\nkind = \"pid\"\npid = {}\n[schedule]\nwarm_up = \"0s\"\nsample_every = \"50ms\"\ncheckpoint_every = \"1s\"\n{schedule}\n[limits]\nfds = \"{limit}\"\n",
        sleeper.0.id()
    );
    let reports = tempfile::tempdir().expect("a scratch folder");
    let request = Request {
        scenario: Scenario::parse(&text).expect("a scenario"),
        reports: reports.path().to_owned(),
        docker_host: None,
        command: String::new(),
        audience: Box::new(Nobody),
        stop: CancellationToken::new(),
        enough: None,
        learn: None,
    };
    let outcome = run(request).await.expect("a run needs no engine for this");
    let folder = RunFolder::open(&outcome.folder).expect("a folder");
    let (scenario, samples, events) = folder.read().expect("readable");
    let stored = Record::from_run(&scenario, samples, Facts::from_events(&events));
    assert_eq!(
        summarize(&stored, judge(&stored)),
        outcome.result,
        "judged again it is the same"
    );
    outcome
}

fn length_of(outcome: &Outcome, phase: Phase) -> f64 {
    let rows: Vec<usize> = outcome.record.samples.rows(|p| p == phase).collect();
    let t = &outcome.record.samples.t_s;
    rows.first()
        .zip(rows.last())
        .map_or(0.0, |(first, last)| t[*last] - t[*first])
}

#[tokio::test]
async fn a_certain_fail_ends_the_run_and_says_what_that_saved() {
    let outcome = ran("measure = \"60s\"\nextend = \"0s\"", "max < 1").await;
    assert_eq!(outcome.result.verdict, Verdict::Fail);
    assert!(outcome.result.stopped_early);
    // Looked at after five seconds; a slow machine may look later.
    let saved_s = outcome.result.saved_s.expect("told");
    assert!((1.0..=55.0).contains(&saved_s), "{saved_s}");
    let measured_s = length_of(&outcome, Phase::Measure);
    assert!((measured_s + saved_s - 60.0).abs() < 2.0, "{measured_s} + {saved_s}");
}

#[tokio::test]
async fn without_early_stop_the_same_fail_comes_at_the_end() {
    let outcome = ran("measure = \"12s\"\nextend = \"0s\"\nearly_stop = false", "max < 1").await;
    assert_eq!(outcome.result.verdict, Verdict::Fail);
    assert!(!outcome.result.stopped_early);
    assert_eq!(outcome.result.saved_s, None);
    assert!(length_of(&outcome, Phase::Measure) > 11.0);
}

#[tokio::test]
async fn what_is_undecided_goes_on_once() {
    // Four seconds, and six, are too short for so small a limit.
    let outcome = ran("measure = \"4s\"\nextend = \"2s\"", "growth_per_min < 0.1").await;
    assert_eq!(outcome.result.verdict, Verdict::Inconclusive);
    assert!(length_of(&outcome, Phase::Measure) > 3.0);
    let extended_s = length_of(&outcome, Phase::Extend);
    assert!((1.0..3.0).contains(&extended_s), "{extended_s}");
}

#[tokio::test]
async fn what_is_decided_or_may_not_go_on_does_not() {
    let decided = ran("measure = \"4s\"\nextend = \"2s\"", "max < 100").await;
    assert_eq!(decided.result.verdict, Verdict::Pass);
    assert_eq!(length_of(&decided, Phase::Extend), 0.0);
    let may_not = ran("measure = \"4s\"\nextend = \"0s\"", "growth_per_min < 0.1").await;
    assert_eq!(may_not.result.verdict, Verdict::Inconclusive);
    assert_eq!(length_of(&may_not, Phase::Extend), 0.0);
}
