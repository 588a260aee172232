//! `leakcheck selftest`: proves on this host that each gate fires on a target that leaks on purpose, and that a clean
//! target stays green.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use leakcheck_model::event::Phase;
use leakcheck_model::scenario::{Build, EngineKind};
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Facts, RunResult, Scenario, error_chain};
use leakcheck_runner::{Nobody, Outcome, Request, Scratch};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Failure, INTERRUPTED, runtime, stop_on_signal};
use crate::record::{ROWS, Row, wrongly_blamed};
use crate::style::{self, BAD, DIM, DOUBT as DOUBT_FACE, GOOD, PLAIN};

/// Runs at one time on the simulated engine: each is a few lines a second, and most of its time is waiting.
const PARALLEL: usize = 10;

/// Runs at one time on a real engine, where to start a container is work.
const PARALLEL_REAL: usize = 3;

/// Reasons that say of a run that too little could be seen, and not that something is wrong.
const DOUBT: [ReasonCode; 10] = [
    ReasonCode::Straddles,
    ReasonCode::TooShort,
    ReasonCode::Aliased,
    ReasonCode::GrowthStopped,
    ReasonCode::SamplesMissed,
    ReasonCode::MetricSparse,
    ReasonCode::LoadNotDelivered,
    ReasonCode::LinesUnaccounted,
    ReasonCode::EngineUnreachable,
    ReasonCode::EngineLost,
];

/// Arguments of `leakcheck selftest`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck selftest
  leakcheck selftest --only fase-6,zombies --clean 0 --out reports
  leakcheck selftest --engine docker --json")]
pub(super) struct Arguments {
    /// Which engine: simulated (works everywhere) or docker
    #[arg(long, default_value = "simulated", value_parser = super::run::engine_kind)]
    engine: EngineKind,
    /// Clean runs that must stay green, beside the record's sound one
    #[arg(long, default_value_t = 3)]
    clean: usize,
    /// Only these rows
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Where run folders go [default: a scratch folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the table as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// What a row came to.
struct Tried {
    gate: String,
    /// What the target does on purpose.
    injected: String,
    expected: String,
    seen: String,
    /// What is wrong with who is said to have leaked.
    blamed: Option<String>,
    /// What else is wrong.
    amiss: Option<String>,
    /// How long was judged until it was certain, in seconds.
    judged_s: Option<f64>,
    good: bool,
    /// Too little could be seen.
    in_doubt: bool,
    took: Duration,
}

/// Runs every row; exit code 0 only if all leaks are caught for their own reason and no clean run is accused.
///
/// # Errors
/// If there is no engine.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "\ninterrupted: removing what was started");
    let scratch =
        Scratch::new(&format!("selftest-{}", std::process::id())).map_err(|e| Failure::no_verdict(error_chain(&e)))?;
    let out = arguments.out.clone().unwrap_or_else(|| scratch.path().join("reports"));
    let tried = runtime.block_on(all(arguments, scratch.path(), &out, &stop))?;
    if stop.is_cancelled() {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    tell(&tried, arguments);
    let good = !tried.is_empty() && tried.iter().all(|t| t.good);
    Ok(ExitCode::from(u8::from(!good)))
}

async fn all(
    arguments: &Arguments,
    scratch: &Path,
    out: &Path,
    stop: &CancellationToken,
) -> Result<Vec<Tried>, Failure> {
    let wanted = |row: &&Row| arguments.only.is_empty() || arguments.only.iter().any(|n| n == row.name);
    let mut rows: Vec<&'static Row> = ROWS.iter().filter(wanted).collect();
    if rows.is_empty() {
        let names: Vec<&str> = ROWS.iter().map(|r| r.name).collect();
        return Err(Failure::usage(format!(
            "there is no such row; there are {}",
            names.join(", ")
        )));
    }
    if arguments.only.is_empty() {
        let clean = ROWS.iter().filter(|row| row.verdict == Verdict::Pass);
        rows.extend(clean.cycle().take(arguments.clean));
    }
    // The longest first, so that the last to end is not one that began late.
    rows.sort_by_key(|row| std::cmp::Reverse(length(row)));
    let gate = Arc::new(Semaphore::new(match arguments.engine {
        EngineKind::Simulated => PARALLEL,
        EngineKind::Docker | EngineKind::Auto => PARALLEL_REAL,
    }));
    let mut running = JoinSet::new();
    for (place, row) in rows.into_iter().enumerate() {
        let scenario = scenario(row, arguments.engine, scratch)?;
        let (gate, out, stop) = (Arc::clone(&gate), out.to_owned(), stop.clone());
        running.spawn(async move {
            let _turn = gate.acquire().await;
            (place, one(row, scenario, out, stop).await)
        });
    }
    let mut tried = Vec::new();
    while let Some(done) = running.join_next().await {
        let (place, one) = done.map_err(|error| Failure::no_verdict(format!("a self-test broke: {error}")))?;
        if !arguments.json {
            style::say(&line(&one));
        }
        tried.push((place, one));
    }
    tried.sort_by_key(|(place, _)| *place);
    let mut tried: Vec<Tried> = tried.into_iter().map(|(_, one)| one).collect();
    again(&mut tried, arguments, scratch, out, stop).await?;
    Ok(tried)
}

/// How long a row takes by its schedule.
fn length(row: &Row) -> Duration {
    Scenario::parse(row.scenario).map_or(Duration::ZERO, |s| s.schedule.measure.0)
}

/// Tries once more, alone, what came to no verdict because the machine was too busy to measure or to make the load. What was
/// wrongly accused or wrongly passed stays wrong.
async fn again(
    tried: &mut [Tried],
    arguments: &Arguments,
    scratch: &Path,
    out: &Path,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    for one_tried in tried.iter_mut().filter(|t| !t.good && t.in_doubt) {
        let Some(row) = ROWS.iter().find(|row| row.name == one_tried.gate) else {
            continue;
        };
        if stop.is_cancelled() {
            break;
        }
        let scenario = scenario(row, arguments.engine, scratch)?;
        *one_tried = one(row, scenario, out.to_owned(), stop.clone()).await;
        if !arguments.json {
            style::say(&format!("{} {DIM}(tried again, alone){PLAIN}", line(one_tried)));
        }
    }
    Ok(())
}

fn scenario(row: &Row, engine: EngineKind, scratch: &Path) -> Result<Scenario, Failure> {
    let parsed = Scenario::parse(row.scenario);
    let mut scenario = parsed.map_err(|_| Failure::no_verdict(format!("the scenario of `{}` is broken", row.name)))?;
    scenario.engine.kind = engine;
    if let Some(build) = &mut scenario.target.build {
        *build = stale_build(scratch, build)?;
    }
    Ok(scenario)
}

/// A repository whose source is newer than the program that claims to be built from it, as in test 6B.
fn stale_build(scratch: &Path, wanted: &Build) -> Result<Build, Failure> {
    let repo = scratch.join("stale");
    let made = || -> std::io::Result<()> {
        std::fs::create_dir_all(&repo)?;
        let agent = std::fs::File::create(repo.join("agent"))?;
        agent.set_modified(SystemTime::now() - Duration::from_secs(3600))?;
        std::fs::write(repo.join("agent.go"), "// mended an hour after the build\n")?;
        for words in [&["init", "--quiet"][..], &["add", "agent.go"]] {
            std::process::Command::new("git")
                .args(words)
                .current_dir(&repo)
                .status()?;
        }
        Ok(())
    };
    made().map_err(|error| {
        Failure::no_verdict(format!(
            "failed to make a stale build in {} (git is needed): {error}",
            repo.display()
        ))
    })?;
    let binary = Some(repo.join("agent").display().to_string());
    Ok(Build {
        repo: repo.display().to_string(),
        binary,
        require: wanted.require.clone(),
        ..Build::default()
    })
}

/// Runs one row and holds what came out against what must.
async fn one(row: &Row, scenario: Scenario, reports: PathBuf, stop: CancellationToken) -> Tried {
    let began = Instant::now();
    let injected = scenario.description.clone();
    let request = Request {
        scenario,
        reports,
        docker_host: None,
        command: format!("leakcheck selftest --only {}", row.name),
        audience: Box::new(Nobody),
        enough: None,
        learn: None,
        stop,
    };
    let wanted = words(
        row.verdict,
        row.reasons
            .iter()
            .map(|(code, metric)| (code.name(), (*metric).to_owned()))
            .collect(),
    );
    let mut tried = Tried {
        gate: row.name.to_owned(),
        injected,
        expected: wanted,
        seen: String::new(),
        blamed: None,
        amiss: None,
        judged_s: None,
        good: false,
        in_doubt: false,
        took: Duration::ZERO,
    };
    match leakcheck_runner::run(request).await {
        Ok(outcome) => tried.take(row, &outcome),
        // That a run could not even begin is a defect, and no doubt.
        Err(error) => tried.seen = error.to_string(),
    }
    tried.took = began.elapsed();
    tried
}

impl Tried {
    fn take(&mut self, row: &Row, outcome: &Outcome) {
        let result = &outcome.result;
        let reasons = result.reasons.iter();
        self.seen = words(
            result.verdict,
            reasons
                .map(|r| (r.code.name(), r.metric.clone().unwrap_or_default()))
                .collect(),
        );
        self.judged_s = judged_s(&outcome.record.facts);
        self.blamed = wrongly_blamed(row.blames, result);
        self.amiss = amiss(row, result, self.judged_s);
        self.in_doubt = is_in_doubt(row, result.verdict, &result.reasons);
        self.good = self.expected == self.seen && self.blamed.is_none() && self.amiss.is_none();
    }
}

/// Whether too little could be seen, and nothing was said beside it that must not be said. A leak or a loss that the row does not
/// have is an accusation, which no second try may take back.
fn is_in_doubt(row: &Row, verdict: Verdict, reasons: &[Reason]) -> bool {
    let is_doubt = |r: &Reason| DOUBT.contains(&r.code);
    let is_expected = |r: &Reason| {
        let metric = r.metric.as_deref().unwrap_or_default();
        row.reasons.contains(&(r.code, metric))
    };
    let accuses = verdict == Verdict::Fail && !reasons.iter().any(is_expected);
    !accuses && reasons.iter().any(is_doubt) && reasons.iter().all(|r| is_doubt(r) || is_expected(r))
}

/// What is wrong with a run whose verdict and reasons are right: other words, another limit that fired, a fail that came late.
fn amiss(row: &Row, result: &RunResult, judged_s: Option<f64>) -> Option<String> {
    let said: Vec<&str> = result.reasons.iter().map(|r| &*r.message).collect();
    let silent = row.says.iter().find(|words| !said.iter().any(|s| s.contains(*words)));
    if let Some(words) = silent {
        return Some(format!("no reason says `{words}`, but {}", said.join("; ")));
    }
    let mut fired: Vec<String> = result
        .limits
        .iter()
        .filter(|l| l.outcome == Verdict::Fail)
        .map(|l| format!("{}: {}", l.metric, l.rule))
        .collect();
    let mut wanted: Vec<&str> = row.fires.to_vec();
    fired.sort();
    wanted.sort_unstable();
    if !wanted.is_empty() && fired != wanted {
        return Some(format!("{} fired", fired.join(", ")));
    }
    let within_s = row.within_s?;
    let is_early = result.stopped_early && judged_s.is_some_and(|s| s <= within_s);
    (!is_early).then(|| format!("it should be certain within {within_s} s of the judged part"))
}

/// How long the judged part was: from its beginning to the next phase, or to the end.
fn judged_s(facts: &Facts) -> Option<f64> {
    let begins = facts.phases.iter().position(|(phase, _)| *phase == Phase::Measure)?;
    let (_, ends) = facts.phases[begins..].iter().find(|(phase, _)| !phase.is_judged())?;
    Some(ends - facts.phases[begins].1)
}

/// A verdict and its reasons in a form that can be compared and read.
fn words(verdict: Verdict, mut reasons: Vec<(String, String)>) -> String {
    reasons.sort();
    reasons.dedup();
    let all: Vec<String> = reasons
        .into_iter()
        .map(|(code, metric)| {
            if metric.is_empty() {
                code
            } else {
                format!("{metric} {code}")
            }
        })
        .collect();
    if all.is_empty() {
        verdict.name().to_owned()
    } else {
        format!("{}: {}", verdict.name(), all.join(", "))
    }
}

fn line(tried: &Tried) -> String {
    let mark = if tried.good {
        format!("{GOOD}caught{PLAIN}")
    } else {
        format!("{BAD}WRONG {PLAIN}")
    };
    let mark = match tried {
        Tried {
            good: true, expected, ..
        } if expected == "pass" => format!("{GOOD}green {PLAIN}"),
        Tried {
            good: false,
            in_doubt: true,
            ..
        } => format!("{DOUBT_FACE}unsure{PLAIN}"),
        _ => mark,
    };
    let mut wanted = String::new();
    if tried.seen != tried.expected {
        wanted.push_str(&format!("{DIM}; expected {}{PLAIN}", tried.expected));
    }
    if let Some(blamed) = &tried.blamed {
        wanted.push_str(&format!("{DIM}; who leaked is told wrongly: {blamed}{PLAIN}"));
    }
    if let Some(amiss) = &tried.amiss {
        wanted.push_str(&format!("{DIM}; {amiss}{PLAIN}"));
    }
    let judged = tried.judged_s.map_or("-".to_owned(), |s| format!("{s:.0} s"));
    format!(
        "  {mark} {:<19} {judged:>5}  {}{wanted}\n         {DIM}{}{PLAIN}",
        tried.gate, tried.seen, tried.injected
    )
}

fn tell(tried: &[Tried], arguments: &Arguments) {
    if arguments.json {
        let rows: Vec<_> = tried
            .iter()
            .map(|t| json!({ "gate": t.gate, "injected": t.injected, "expected": t.expected, "seen": t.seen, "wrongly_blamed": t.blamed, "amiss": t.amiss, "caught": t.good, "after_s": t.judged_s, "took_s": t.took.as_secs_f64() }))
            .collect();
        style::print(&format!(
            "{}\n",
            json!({ "rows": rows, "good": tried.iter().all(|t| t.good) })
        ));
    }
    let wrong = tried.iter().filter(|t| !t.good).count();
    style::say(&match wrong {
        0 => format!(
            "{GOOD}all {} as they must be{PLAIN}: every leak is caught for its own reason, no clean run is accused",
            tried.len()
        ),
        _ => format!("{BAD}{wrong} of {} are not as they must be{PLAIN}", tried.len()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> &'static Row {
        ROWS.iter().find(|row| row.name == name).expect("a row")
    }

    #[test]
    fn a_second_try_takes_back_doubt_and_no_accusation() {
        let of = |all: &[(ReasonCode, &str)]| -> Vec<Reason> {
            all.iter()
                .map(|(code, metric)| Reason::of(*code, *metric, "x"))
                .collect()
        };
        let leak = (ReasonCode::LimitExceeded, "fds");
        let doubt = (ReasonCode::Straddles, "tasks");
        let (clean, leaking) = (row("fase-6h"), row("fase-6"));
        for (row, verdict, reasons, expected) in [
            (clean, Verdict::Inconclusive, &[doubt][..], true),
            // A sound target that is accused by one limit and in doubt by another is accused.
            (clean, Verdict::Fail, &[leak, doubt], false),
            (clean, Verdict::Fail, &[doubt], false),
            (clean, Verdict::Invalid, &[(ReasonCode::StaleBuild, ""), doubt], false),
            (clean, Verdict::Pass, &[], false),
            // Of a leak that is there, one half was seen and the other was not.
            (leaking, Verdict::Fail, &[leak, doubt], true),
            (
                leaking,
                Verdict::Fail,
                &[leak, (ReasonCode::LimitExceeded, "threads"), doubt],
                false,
            ),
            (leaking, Verdict::Fail, &[leak], false),
        ] {
            assert_eq!(
                is_in_doubt(row, verdict, &of(reasons)),
                expected,
                "{verdict:?} {reasons:?}"
            );
        }
    }

    #[test]
    fn a_fail_that_comes_late_or_for_another_limit_is_amiss() {
        let table =
            leakcheck_model::Record::from_table("run".into(), leakcheck_model::Samples::default(), Vec::new(), None);
        let mut result = leakcheck_judge::summarize(&table, leakcheck_judge::judge(&table));
        let early = row("fase-6e-early");
        assert!(amiss(early, &result, Some(10.0)).is_some(), "it ended by its plan");
        result.stopped_early = true;
        assert_eq!(amiss(early, &result, Some(10.0)), None);
        assert!(amiss(early, &result, Some(40.0)).is_some(), "it ended late");
        assert!(amiss(row("loses-lines"), &result, None).is_some(), "no limit fired");
        result.reasons = vec![Reason::new(ReasonCode::StaleBuild, "it could not be found out")];
        assert!(amiss(row("fase-6b"), &result, None).is_some(), "for another reason");
    }
}
