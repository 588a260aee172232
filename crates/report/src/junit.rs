//! Renders `junit.xml`: one test case per limit, so that a CI system shows the broken one.
//!
//! An exceeded limit is a failure. An undecided limit is an error, because a skipped test would look green.

use std::time::Duration;

use leakcheck_model::{Record, RunResult, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::text;

/// Renders the file.
///
/// # Errors
/// If it cannot be serialized; characters that XML cannot hold are left out.
pub fn junit(result: &RunResult, record: &Record) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(result.scenario.as_str());
    let seconds = if result.duration_s.is_finite() {
        result.duration_s.max(0.0)
    } else {
        0.0
    };
    let length = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    suite.set_time(length);
    for (name, value) in text::environment(result, record) {
        suite.add_property(Property::new(name.as_str(), value.as_str()));
    }
    suite.add_property(Property::new("verdict", result.verdict.name()));
    for limit in &result.limits {
        let name = format!("{}: {}", limit.metric, limit.rule);
        let (value, interval) = text::measured_and_interval(limit, text::unit_of(record, &limit.metric));
        let interval = if interval.is_empty() {
            String::new()
        } else {
            format!(" ({interval})")
        };
        let measured = format!("measured {value}{interval}");
        let message = limit.reason.as_ref().map_or(String::new(), |r| r.message.clone());
        let code = limit.reason.as_ref().map_or(String::new(), |r| r.code.name());
        suite.add_test_case(case(result, &name, limit.outcome, &message, &code, &measured));
    }
    if let Some(case) = run_case(result) {
        suite.add_test_case(case);
    }
    let mut report = Report::new("leakcheck");
    report.set_time(length);
    report.add_test_suite(suite);
    // Jenkins' schema (xunit plugin, junit-10.xsd) has no `skipped` at the root; we skip no test case.
    Ok(report.to_string()?.replacen(" skipped=\"0\"", "", 1))
}

fn case(result: &RunResult, name: &str, outcome: Verdict, reason: &str, code: &str, measured: &str) -> TestCase {
    let kind = match outcome {
        Verdict::Pass => None,
        Verdict::Fail => Some(NonSuccessKind::Failure),
        Verdict::Invalid | Verdict::Inconclusive => Some(NonSuccessKind::Error),
    };
    let status = match kind {
        None => TestCaseStatus::success(),
        Some(kind) => {
            let message = if reason.is_empty() {
                format!("{}: {measured}", outcome.name())
            } else {
                reason.to_owned()
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(message);
            status.set_type(if code.is_empty() { outcome.name() } else { code });
            let origins = text::grown_origins(result).map(text::origin);
            let lines: Vec<String> = std::iter::once(measured.to_owned()).chain(origins).collect();
            status.set_description(lines.join("\n"));
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("leakcheck.{}", result.scenario));
    case.set_time(Duration::ZERO);
    case
}

/// Returns a test case for the run itself if its verdict is worse than its limits: a target that died, a lost engine, no limit.
fn run_case(result: &RunResult) -> Option<TestCase> {
    let by_limits = Verdict::worst(result.limits.iter().map(|l| l.outcome));
    if !result.limits.is_empty() && by_limits == result.verdict {
        return None;
    }
    let other_reasons: Vec<_> = result
        .reasons
        .iter()
        .filter(|reason| !result.limits.iter().any(|l| l.reason.as_ref() == Some(*reason)))
        .collect();
    let messages: Vec<&str> = other_reasons.iter().map(|r| r.message.as_str()).collect();
    let code = other_reasons.first().map_or(String::new(), |r| r.code.name());
    let meaning = text::verdict_meaning(result);
    Some(case(
        result,
        "the run itself",
        result.verdict,
        &messages.join("; "),
        &code,
        &meaning,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample_run::{SampleRun, leaking};
    use leakcheck_model::{Reason, ReasonCode};

    #[test]
    fn each_limit_is_a_case_and_an_undecided_one_is_an_error() {
        let example = leaking();
        insta::assert_snapshot!(junit(&example.result, &example.record).expect("serializes"));
    }

    fn died() -> SampleRun {
        let mut example = SampleRun::new([0.0, 0.0, 0.0, 60.0, 0.0])
            .metric("tasks", "", |_| Some(1.0))
            .limit("tasks", "max < 2", 1.0, Verdict::Pass);
        example.result.verdict = Verdict::Fail;
        example.result.reasons = vec![Reason::new(
            ReasonCode::TargetDied,
            "the target died of signal 9 \u{1b}[31m<&>\u{0}",
        )];
        example
    }

    fn judged_nothing() -> SampleRun {
        let mut example = SampleRun::new([0.0; 5]);
        example.result.verdict = Verdict::Invalid;
        example
    }

    #[test]
    fn a_target_that_died_fails_though_its_limits_hold() {
        let example = died();
        let text = junit(&example.result, &example.record).expect("serializes");
        assert!(
            text.contains("<testsuites name=\"leakcheck\" tests=\"2\" failures=\"1\" errors=\"0\""),
            "{text}"
        );
        assert!(text.contains("signal 9 &lt;&amp;&gt;"), "{text}");
    }

    #[test]
    fn a_run_that_judged_nothing_is_an_error() {
        let example = judged_nothing();
        let text = junit(&example.result, &example.record).expect("serializes");
        assert!(
            text.contains("errors=\"1\"") && text.contains("the run itself"),
            "{text}"
        );
    }

    #[test]
    fn a_validator_accepts_every_outcome() {
        if std::process::Command::new("xmllint").arg("--version").output().is_err() {
            return crate::tests::skip::skip("`xmllint` is not installed (Debian's package libxml2-utils has it)");
        }
        let sound = SampleRun::new([0.0, 0.0, 0.0, 60.0, 0.0])
            .metric("tasks", "", |_| Some(1.0))
            .limit("tasks", "max < 2", 1.0, Verdict::Pass);
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/junit/junit.xsd");
        let scratch = tempfile::tempdir().expect("scratch");
        let file = scratch.path().join("junit.xml");
        let is_valid = |text: &str| {
            std::fs::write(&file, text).expect("writes");
            let mut validator = std::process::Command::new("xmllint");
            let run = validator
                .args(["--noout", "--nonet", "--schema", schema])
                .arg(&file)
                .output();
            let run = run.expect("runs");
            (run.status.success(), String::from_utf8_lossy(&run.stderr).into_owned())
        };
        for (name, example) in [
            ("pass", sound),
            ("fail", leaking()),
            ("died", died()),
            ("invalid", judged_nothing()),
        ] {
            let text = junit(&example.result, &example.record).expect("serializes");
            let (valid, output) = is_valid(&text);
            assert!(valid, "{name}: {output}");
            // The validator rejects a wrong count, a case without a name and a misplaced element.
            for (right, wrong) in [
                (" errors=\"", " errors=\"x"),
                ("<testcase name", "<testcase title"),
                ("</testsuite>", "<skipped/></testsuite>"),
            ] {
                assert!(text.contains(right), "{name}: {right}");
                assert!(!is_valid(&text.replacen(right, wrong, 1)).0, "{name}: {wrong}");
            }
        }
    }
}
