//! From the record of a run to its judgement: each limit by its statistic, then the run as a whole.

mod asked;
mod checkpoint;
mod counter;
mod drained;
mod frozen;
mod growth;
mod level;
mod limit;
mod lines;
#[cfg(test)]
mod made;
mod metric;
mod run;
mod sum_up;
mod whose;

use std::collections::BTreeMap;

use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::record::Plan;
use leakcheck_model::result::{Checkpoint, LimitResult, MetricResult};
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use crate::{Look, looks};
use asked::Asked;

pub use sum_up::sum_up;

/// What a record comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The run's verdict.
    pub verdict: Verdict,
    /// Why, most important first.
    pub reasons: Vec<Reason>,
    /// What should be known and does not change the verdict.
    pub warnings: Vec<Reason>,
    /// Each metric over the judged part.
    pub metrics: BTreeMap<String, MetricResult>,
    /// Each limit.
    pub limits: Vec<LimitResult>,
    /// The FASE table.
    pub checkpoints: Vec<Checkpoint>,
    /// Rotations that the schedule leads one to expect in the judged part.
    pub expected_rotations: Option<f64>,
    /// What the engine's own process did meanwhile, if it grew.
    pub engine_grew: Vec<String>,
}

/// Judges a record that is complete.
#[must_use]
pub fn judge(record: &Record) -> Judgement {
    let asked = Asked::new(record, last_look(record));
    let limits = all_limits(&asked);
    let run = run::judge(&asked);
    let mut reasons = run.reasons;
    // Where nothing was measured, what prevented it is the reason, and that each limit lacks data is none.
    let measured = !asked.judged.rows.is_empty() || reasons.is_empty();
    // A run that was ended early on a certain fail has left other limits undecided: that is no reason for anything.
    let counts = |l: &&LimitResult| match l.outcome {
        Verdict::Pass => false,
        Verdict::Inconclusive => record.facts.saved_s.is_none(),
        Verdict::Fail | Verdict::Invalid => measured,
    };
    reasons.extend(limits.iter().filter(counts).filter_map(|l| l.reason.clone()));
    let parts = limits.iter().map(|l| l.outcome).chain(run.parts);
    let verdict = run.contaminated.unwrap_or_else(|| Verdict::worst(parts));
    let metrics: BTreeMap<_, _> = record
        .metrics
        .iter()
        .map(|(name, info)| (name.clone(), metric::measure(&asked, name, info, &limits)))
        .collect();
    let mut warnings = run.warnings;
    warnings.extend(metric::warnings(&record.metrics, &metrics, &limits));
    Judgement {
        verdict,
        reasons,
        warnings,
        engine_grew: whose::sentences(record, &metrics),
        metrics,
        limits,
        checkpoints: checkpoint::table(record, &asked.judged),
        expected_rotations: counter::expected_rotations(&asked),
    }
}

/// How each limit of a record stands: what [`judge`] says of them, without what it says of every metric, which costs a fit each.
#[must_use]
pub fn standing(record: &Record) -> Vec<LimitResult> {
    all_limits(&Asked::new(record, last_look(record)))
}

fn all_limits(asked: &Asked) -> Vec<LimitResult> {
    let limits = asked.record.limits.iter();
    limits
        .map(|(metric, rule)| limit::judge(asked, metric, rule))
        .map(|limit| undecided_if_cut_short(asked.record, limit))
        .collect()
}

/// What a run did not come to (its drain, its line check) is undecided, not blind: the run was cut short, and says so.
fn undecided_if_cut_short(record: &Record, limit: LimitResult) -> LimitResult {
    let not_reached = limit.outcome == Verdict::Invalid
        && limit.reason.as_ref().is_some_and(|r| {
            matches!(
                r.code,
                ReasonCode::NotComputable
                    | ReasonCode::LinesUnaccounted
                    | ReasonCode::TooShort
                    | ReasonCode::TooFewRotations
            )
        });
    if record.plan.is_some() && record.facts.is_cut_short() && not_reached {
        return LimitResult {
            outcome: Verdict::Inconclusive,
            reason: None,
            ..limit
        };
    }
    limit
}

/// Judges a record while it grows: the limits that are certainly exceeded whatever comes. Empty as long as there is
/// any doubt; a `pass` is never said early.
#[must_use]
pub fn certain_fails(record: &Record) -> Vec<LimitResult> {
    let asked = Asked::new(record, Look::Early);
    let fails = record.limits.iter().filter(|(_, rule)| early(rule));
    fails
        .map(|(metric, rule)| limit::judge(&asked, metric, rule))
        .filter(|l| l.outcome == Verdict::Fail)
        .collect()
}

/// Whether a run whose planned length is over should go on: nothing failed, and something is undecided that more
/// data could decide.
#[must_use]
pub fn would_more_help(record: &Record) -> bool {
    let undecided = |statistic| matches!(statistic, Statistic::GrowthPerMin | Statistic::PerRotation);
    let asked = Asked::new(record, last_look(record));
    let outcomes: Vec<Verdict> = record
        .limits
        .iter()
        .filter(|(_, rule)| undecided(rule.statistic))
        .map(|(metric, rule)| limit::judge(&asked, metric, rule).outcome)
        .collect();
    outcomes.contains(&Verdict::Inconclusive) && !outcomes.contains(&Verdict::Fail)
}

/// Which look the end of a run is. Where it is looked at on the way, or is extended if it is undecided, it is one of several, and
/// each spends its share of the error.
#[must_use]
pub fn look_at_the_end(plan: &Plan, rotation_period_s: Option<f64>) -> Look {
    let on_the_way = plan.early_stop && !looks::looks_s(plan.measure_s, rotation_period_s).is_empty();
    if on_the_way || plan.max_s > plan.measure_s {
        Look::Last
    } else {
        Look::Final
    }
}

/// The same of a record: judged again, it is the same look. A table from elsewhere is looked at once.
fn last_look(record: &Record) -> Look {
    record
        .plan
        .as_ref()
        .map_or(Look::Final, |plan| look_at_the_end(plan, record.rotation_period_s))
}

/// Whether a fail can be certain before the end. A highest value can only rise and a lowest only fall: what it has yet to reach,
/// it may.
fn early(rule: &Limit) -> bool {
    match rule.statistic {
        Statistic::GrowthPerMin | Statistic::PerRotation | Statistic::Increase => true,
        Statistic::Max => rule.comparison.is_ceiling(),
        Statistic::Min => !rule.comparison.is_ceiling(),
        _ => false,
    }
}

/// The judged part of a record: its rows, times and length.
struct Judged {
    rows: Vec<usize>,
    from_s: f64,
    to_s: f64,
    every_s: f64,
}

impl Judged {
    fn of(record: &Record) -> Self {
        let rows: Vec<usize> = record.samples.rows(Phase::is_judged).collect();
        let t = &record.samples.t_s;
        let at = |i: Option<&usize>| i.map_or(0.0, |&i| t[i]);
        let (from_s, to_s) = (at(rows.first()), at(rows.last()));
        let every_s = match &record.plan {
            Some(plan) => plan.sample_every_s,
            None if rows.len() > 1 => (to_s - from_s) / (rows.len() - 1) as f64,
            None => 0.0,
        };
        Self {
            rows,
            from_s,
            to_s,
            every_s,
        }
    }

    /// Each sample stands for the time to the next.
    fn length_s(&self) -> f64 {
        if self.rows.is_empty() {
            0.0
        } else {
            self.to_s - self.from_s + self.every_s
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::made::Made;
    use leakcheck_model::Samples;

    #[test]
    fn what_was_measured_is_told_beside_what_went_wrong() {
        let made = Made::run(60, 5).metric("fds", |_| Some(40.0)).limit("fds", "max < 40");
        let late = Reason::new(ReasonCode::LoadNotDelivered, "so");
        let judgement = judge(&made.with(|r| r.facts.impairments.push(late)).record());
        let codes: Vec<ReasonCode> = judgement.reasons.iter().map(|r| r.code).collect();
        assert_eq!(codes, [ReasonCode::LoadNotDelivered, ReasonCode::LimitExceeded]);
    }

    #[test]
    fn what_a_run_that_was_cut_short_did_not_come_to_is_undecided() {
        let of = |finished: bool, name: &str, rule: &str| {
            let made = Made::run(60, 5).metric("fds", |_| Some(40.0)).without(Phase::Drain);
            let made = made.with(|r| r.facts.finished = finished).limit(name, rule);
            let limit = judge(&made.record()).limits.remove(0);
            (limit.outcome, limit.reason.map(|r| r.code))
        };
        assert_eq!(of(false, "fds", "drained <= 2"), (Verdict::Inconclusive, None));
        assert_eq!(
            of(true, "fds", "drained <= 2"),
            (Verdict::Invalid, Some(ReasonCode::NotComputable))
        );
        // What was measured, and what could not have been, is what it is.
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
    fn how_limits_stand_is_what_is_judged_of_them() {
        for finished in [true, false] {
            let made = Made::run(300, 5).metric("fds", |t| Some(40.0 + (t / 30.0).floor()));
            let made = made.limit("fds", "growth_per_min < 1").limit("fds", "drained <= 2");
            let record = made.with(|r| r.facts.finished = finished).record();
            assert_eq!(standing(&record), judge(&record).limits);
        }
    }

    #[test]
    fn the_length_of_a_table_is_told_by_its_rows() {
        let of = |times: &[f64]| {
            let mut samples = Samples::new(Vec::new());
            samples.t_s = times.to_vec();
            samples.phase = vec![Phase::Measure; times.len()];
            let judged = Judged::of(&Record::of_table("t".into(), samples, Vec::new(), None));
            (judged.every_s, judged.length_s())
        };
        // Three rows over 30 s: one each 15 s, and each stands for the time to the next.
        assert_eq!(of(&[100.0, 110.0, 130.0]), (15.0, 45.0));
        assert_eq!(of(&[100.0]), (0.0, 0.0));
        assert_eq!(of(&[]), (0.0, 0.0));
    }
}
