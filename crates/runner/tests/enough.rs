//! A run without an engine, ended by the user: enough was measured for a verdict, or not.

use std::process::{Child, Command};
use std::time::Duration;

use leakcheck_model::{Facts, Record, Scenario, Verdict};
use leakcheck_report::RunFolder;
use leakcheck_runner::{Audience, Notice, Outcome, Request, run};
use tokio_util::sync::CancellationToken;

/// Ends the run when so many samples of the judged part were taken.
struct EndsAfter {
    samples: usize,
    stop: CancellationToken,
}

impl Audience for EndsAfter {
    fn notice(&mut self, notice: Notice<'_>) {
        if let Notice::Sample(_, sample) = notice
            && sample.phase.is_judged()
        {
            self.samples = self.samples.saturating_sub(1);
            if self.samples == 0 {
                self.stop.cancel();
            }
        }
    }
}

/// A process that does nothing, ended with the test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("sleep starts"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ended_by_user(enough: Option<Duration>) -> Outcome {
    let sleeper = Sleeper::new();
    let text = format!(
        "name = \"a\"\n[target]\nkind = \"pid\"\npid = {}\n[schedule]\nwarm_up = \"0s\"\nmeasure = \"10m\"\nsample_every = \"50ms\"\ncheckpoint_every = \"1s\"\n[limits]\nfds = \"max < 100\"\n",
        sleeper.0.id()
    );
    let reports = tempfile::tempdir().expect("a scratch folder");
    let stop = CancellationToken::new();
    let request = Request {
        scenario: Scenario::parse(&text).expect("a scenario"),
        reports: reports.path().to_owned(),
        docker_host: None,
        command: String::new(),
        audience: Box::new(EndsAfter {
            samples: 30,
            stop: stop.clone(),
        }),
        stop,
        enough,
        learn: None,
    };
    let outcome = run(request).await.expect("a run needs no engine for this");
    // The folder alone says the same.
    let folder = RunFolder::open(&outcome.folder).expect("a folder");
    let (scenario, samples, events) = folder.read().expect("readable");
    let stored = Record::from_run(&scenario, samples, Facts::from_events(&events));
    assert_eq!(stored.plan, outcome.record.plan);
    outcome
}

fn was_interrupted(outcome: &Outcome) -> bool {
    outcome.result.reasons.iter().any(|r| r.code.name() == "interrupted")
}

#[tokio::test]
async fn an_end_by_the_user_after_enough_is_a_verdict_on_what_was_measured() {
    let outcome = ended_by_user(Some(Duration::from_millis(500))).await;
    assert!(!was_interrupted(&outcome), "{:?}", outcome.result.reasons);
    assert_eq!(outcome.result.limits[0].outcome, Verdict::Pass);
    assert_ne!(outcome.result.exit_code, 130);
    let planned = outcome.record.plan.expect("a plan").measure_s;
    assert!(
        planned < 600.0,
        "the judged part ends where the user ended it, not at {planned} s"
    );
}

#[tokio::test]
async fn an_end_by_the_user_before_enough_or_where_there_is_none_is_an_interruption() {
    for enough in [None, Some(Duration::from_secs(600))] {
        let outcome = ended_by_user(enough).await;
        assert_eq!(outcome.result.exit_code, 130);
        assert!(was_interrupted(&outcome), "{:?}", outcome.result.reasons);
    }
}
