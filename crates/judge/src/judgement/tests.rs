//! Judgements of whole records.

pub(super) mod test_support;

use leakcheck_model::Phase;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::judge::{judge, limit_results};
use test_support::RunBuilder;

#[test]
fn measured_failures_are_reported_beside_impairments() {
    let builder = RunBuilder::run(60, 5)
        .metric("fds", |_| Some(40.0))
        .limit("fds", "max < 40");
    let late = Reason::new(ReasonCode::LoadNotDelivered, "so");
    let judgement = judge(&builder.with(|r| r.facts.impairments.push(late)).record());
    let codes: Vec<ReasonCode> = judgement.reasons.iter().map(|r| r.code).collect();
    assert_eq!(codes, [ReasonCode::LoadNotDelivered, ReasonCode::LimitExceeded]);
}

#[test]
fn statistics_that_a_cut_short_run_did_not_reach_are_undecided() {
    let of = |finished: bool, name: &str, rule: &str| {
        let builder = RunBuilder::run(60, 5)
            .metric("fds", |_| Some(40.0))
            .without(Phase::Drain);
        let builder = builder.with(|r| r.facts.finished = finished).limit(name, rule);
        let limit = judge(&builder.record()).limits.remove(0);
        (limit.outcome, limit.reason.map(|r| r.code))
    };
    assert_eq!(of(false, "fds", "drained <= 2"), (Verdict::Inconclusive, None));
    assert_eq!(
        of(true, "fds", "drained <= 2"),
        (Verdict::Invalid, Some(ReasonCode::NotComputable))
    );
    // Measured statistics, and those that could not be measured in any run, keep their outcome.
    assert_eq!(of(false, "fds", "max < 100"), (Verdict::Pass, None));
    assert_eq!(
        of(false, "fds", "max < 40"),
        (Verdict::Fail, Some(ReasonCode::LimitExceeded))
    );
    assert_eq!(
        of(false, "tasks", "max < 40"),
        (Verdict::Invalid, Some(ReasonCode::MetricAbsent))
    );
}

#[test]
fn limit_results_equal_those_of_the_judgement() {
    for finished in [true, false] {
        let builder = RunBuilder::run(300, 5).metric("fds", |t| Some(40.0 + (t / 30.0).floor()));
        let builder = builder.limit("fds", "growth_per_min < 1").limit("fds", "drained <= 2");
        let record = builder.with(|r| r.facts.finished = finished).record();
        assert_eq!(limit_results(&record), judge(&record).limits);
    }
}
