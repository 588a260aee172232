//! One run of a case, compared with the expected outcome.

use std::time::Duration;

use leakcheck_model::event::Phase;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Facts, RunResult};
use leakcheck_runner::Outcome;
use serde_json::json;

use super::cases::Case;
use super::expected_attribution;
use crate::style::{BAD, DIM, DOUBT, GOOD, PLAIN};

/// Reasons that a busy machine can cause.
const MACHINE_REASONS: [ReasonCode; 10] = [
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

/// A run of a case.
pub(super) struct Attempt {
    pub(super) case: &'static str,
    /// The defect of the target.
    injected: String,
    expected: String,
    actual: String,
    attribution_mismatch: Option<String>,
    /// A difference other than verdict, reasons and attribution.
    other_mismatch: Option<String>,
    /// Length of the measurement, in seconds.
    measured_s: Option<f64>,
    pub(super) is_as_expected: bool,
    /// The mismatch may be due to a busy machine, so that the case is repeated.
    pub(super) is_in_doubt: bool,
    pub(super) took: Duration,
}

impl Attempt {
    /// An attempt of a case that has not ended yet.
    pub(super) fn new(case: &'static Case, injected: String) -> Self {
        let reasons = case.reasons.iter();
        let reasons = reasons.map(|(code, metric)| (code.name(), (*metric).to_owned()));
        Self {
            case: case.name,
            injected,
            expected: outcome_text(case.verdict, reasons.collect()),
            actual: String::new(),
            attribution_mismatch: None,
            other_mismatch: None,
            measured_s: None,
            is_as_expected: false,
            is_in_doubt: false,
            took: Duration::ZERO,
        }
    }

    /// Compares the outcome of the run with the case.
    pub(super) fn compare(&mut self, case: &Case, outcome: &Outcome) {
        let result = &outcome.result;
        let reasons = result.reasons.iter();
        let reasons = reasons.map(|r| (r.code.name(), r.metric.clone().unwrap_or_default()));
        self.actual = outcome_text(result.verdict, reasons.collect());
        self.measured_s = measured_s(&outcome.record.facts);
        self.attribution_mismatch = expected_attribution::mismatch(case.attributions, result);
        self.other_mismatch = other_mismatch(case, result, self.measured_s);
        // On a busy machine the last inspection of a short run can miss what was created while it was under way.
        let is_attribution_late = self.expected == self.actual && self.attribution_mismatch.is_some();
        self.is_in_doubt = is_in_doubt(case, result.verdict, &result.reasons) || is_attribution_late;
        self.is_as_expected =
            self.expected == self.actual && self.attribution_mismatch.is_none() && self.other_mismatch.is_none();
    }

    /// Records that the run did not start, which is never in doubt.
    pub(super) fn fail(&mut self, error: &leakcheck_runner::RunError) {
        self.actual = error.to_string();
    }

    /// The lines of the attempt in the table.
    pub(super) fn line(&self) -> String {
        let mark = match self {
            Self {
                is_as_expected: true,
                expected,
                ..
            } if expected == "pass" => format!("{GOOD}green {PLAIN}"),
            Self {
                is_as_expected: true, ..
            } => format!("{GOOD}caught{PLAIN}"),
            Self { is_in_doubt: true, .. } => format!("{DOUBT}unsure{PLAIN}"),
            _ => format!("{BAD}WRONG {PLAIN}"),
        };
        let mut mismatch = String::new();
        if self.actual != self.expected {
            mismatch.push_str(&format!("{DIM}; expected {}{PLAIN}", self.expected));
        }
        if let Some(attribution) = &self.attribution_mismatch {
            mismatch.push_str(&format!("{DIM}; wrong attribution: {attribution}{PLAIN}"));
        }
        if let Some(other) = &self.other_mismatch {
            mismatch.push_str(&format!("{DIM}; {other}{PLAIN}"));
        }
        let measured = self.measured_s.map_or("-".to_owned(), |s| format!("{s:.0} s"));
        format!(
            "  {mark} {:<19} {measured:>5}  {}{mismatch}\n         {DIM}{}{PLAIN}",
            self.case, self.actual, self.injected
        )
    }

    /// The attempt as JSON.
    pub(super) fn as_json(&self) -> serde_json::Value {
        json!({
            "gate": self.case,
            "injected": self.injected,
            "expected": self.expected,
            "seen": self.actual,
            "wrongly_blamed": self.attribution_mismatch,
            "amiss": self.other_mismatch,
            "caught": self.is_as_expected,
            "after_s": self.measured_s,
            "took_s": self.took.as_secs_f64(),
        })
    }
}

/// Returns whether a mismatch may be due to a busy machine. An unexpected leak or loss is an accusation, which no repetition may
/// take back.
fn is_in_doubt(case: &Case, verdict: Verdict, reasons: &[Reason]) -> bool {
    let is_machine = |r: &Reason| MACHINE_REASONS.contains(&r.code);
    let is_expected = |r: &Reason| {
        let metric = r.metric.as_deref().unwrap_or_default();
        case.reasons.contains(&(r.code, metric))
    };
    let accuses = verdict == Verdict::Fail && !reasons.iter().any(is_expected);
    !accuses && reasons.iter().any(is_machine) && reasons.iter().all(|r| is_machine(r) || is_expected(r))
}

/// Returns a mismatch of a run with the right verdict and reasons: a missing message, another failed limit, a late end.
fn other_mismatch(case: &Case, result: &RunResult, measured_s: Option<f64>) -> Option<String> {
    let messages: Vec<&str> = result.reasons.iter().map(|r| &*r.message).collect();
    let missing = case
        .messages
        .iter()
        .find(|text| !messages.iter().any(|message| message.contains(*text)));
    if let Some(text) = missing {
        return Some(format!("no reason contains `{text}`, but {}", messages.join("; ")));
    }
    let mut failed: Vec<String> = result
        .limits
        .iter()
        .filter(|l| l.outcome == Verdict::Fail)
        .map(|l| format!("{}: {}", l.metric, l.rule))
        .collect();
    let mut expected: Vec<&str> = case.failed_limits.to_vec();
    failed.sort();
    expected.sort_unstable();
    if !expected.is_empty() && failed != expected {
        return Some(format!("the failed limits are {}", failed.join(", ")));
    }
    let within_s = case.within_s?;
    let is_early = result.stopped_early && measured_s.is_some_and(|s| s <= within_s);
    (!is_early).then(|| format!("the run should stop early within {within_s} s of measuring"))
}

/// Length of the judged part, from its beginning to the next phase.
fn measured_s(facts: &Facts) -> Option<f64> {
    let begin = facts.phases.iter().position(|(phase, _)| *phase == Phase::Measure)?;
    let (_, end) = facts.phases[begin..].iter().find(|(phase, _)| !phase.is_judged())?;
    Some(end - facts.phases[begin].1)
}

/// A verdict and its reasons as text that can be compared and read.
fn outcome_text(verdict: Verdict, mut reasons: Vec<(String, String)>) -> String {
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

#[cfg(test)]
mod tests {
    use leakcheck_model::{Record, Samples};

    use super::super::cases::CASES;
    use super::*;

    fn case(name: &str) -> &'static Case {
        CASES.iter().find(|case| case.name == name).expect("a case")
    }

    #[test]
    fn a_repetition_takes_back_doubt_and_no_accusation() {
        let of = |all: &[(ReasonCode, &str)]| -> Vec<Reason> {
            all.iter()
                .map(|(code, metric)| Reason::of(*code, *metric, "x"))
                .collect()
        };
        let leak = (ReasonCode::LimitExceeded, "fds");
        let doubt = (ReasonCode::Straddles, "tasks");
        let (sound, leaking) = (case("fase-6h"), case("fase-6"));
        for (case, verdict, reasons, expected) in [
            (sound, Verdict::Inconclusive, &[doubt][..], true),
            // A sound target that one limit accuses and another leaves undecided is accused.
            (sound, Verdict::Fail, &[leak, doubt], false),
            (sound, Verdict::Fail, &[doubt], false),
            (sound, Verdict::Invalid, &[(ReasonCode::StaleBuild, ""), doubt], false),
            (sound, Verdict::Pass, &[], false),
            // Half of the expected leak was found.
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
                is_in_doubt(case, verdict, &of(reasons)),
                expected,
                "{verdict:?} {reasons:?}"
            );
        }
    }

    #[test]
    fn a_late_fail_or_another_failed_limit_is_a_mismatch() {
        let table = Record::from_table("run".into(), Samples::default(), Vec::new(), None);
        let mut result = leakcheck_judge::summarize(&table, leakcheck_judge::judge(&table));
        let early = case("fase-6e-early");
        assert!(
            other_mismatch(early, &result, Some(10.0)).is_some(),
            "it did not stop early"
        );
        result.stopped_early = true;
        assert_eq!(other_mismatch(early, &result, Some(10.0)), None);
        assert!(other_mismatch(early, &result, Some(40.0)).is_some(), "it stopped late");
        assert!(
            other_mismatch(case("loses-lines"), &result, None).is_some(),
            "no limit failed"
        );
        result.reasons = vec![Reason::new(ReasonCode::StaleBuild, "it could not be found out")];
        assert!(
            other_mismatch(case("fase-6b"), &result, None).is_some(),
            "another message"
        );
    }
}
