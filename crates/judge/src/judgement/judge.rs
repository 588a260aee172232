//! The judgement of a record: each limit by its statistic, then the run as a whole.

use std::collections::BTreeMap;

use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::result::{Checkpoint, LimitResult, MetricResult};
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Record, RunPlan};

use super::context::JudgementContext;
use super::{checkpoint, engine_growth, limit, metric, rotations, run};
use crate::interim_analysis;
use crate::test_spec::Analysis;

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
    let context = JudgementContext::new(record, final_analysis_of(record));
    let limits = all_limits(&context);
    let run = run::judge(&context);
    let mut reasons = run.reasons;
    // Where nothing was measured, what prevented it is the reason, and that each limit lacks data is none.
    let measured = !context.judged.rows.is_empty() || reasons.is_empty();
    // A run that was ended early on a certain fail has left other limits undecided: that is no reason for anything.
    let counts = |l: &&LimitResult| match l.outcome {
        Verdict::Pass => false,
        Verdict::Inconclusive => record.facts.saved_s.is_none(),
        Verdict::Fail | Verdict::Invalid => measured,
    };
    reasons.extend(limits.iter().filter(counts).filter_map(|l| l.reason.clone()));
    let parts = limits.iter().map(|l| l.outcome).chain(run.parts);
    let verdict = run.overriding_verdict.unwrap_or_else(|| Verdict::worst(parts));
    let metrics: BTreeMap<_, _> = record
        .metrics
        .iter()
        .map(|(name, info)| (name.clone(), metric::measure(&context, name, info, &limits)))
        .collect();
    let mut warnings = run.warnings;
    warnings.extend(metric::warnings(&record.metrics, &metrics, &limits));
    Judgement {
        verdict,
        reasons,
        warnings,
        engine_grew: engine_growth::sentences(record, &metrics),
        metrics,
        limits,
        checkpoints: checkpoint::table(record, &context.judged),
        expected_rotations: rotations::expected(record, &context.judged),
    }
}

/// How each limit of a record stands: what [`judge`] says of them, without what it says of every metric, which costs a fit each.
#[must_use]
pub fn limit_results(record: &Record) -> Vec<LimitResult> {
    all_limits(&JudgementContext::new(record, final_analysis_of(record)))
}

fn all_limits(context: &JudgementContext) -> Vec<LimitResult> {
    let limits = context.record.limits.iter();
    limits
        .map(|(metric, rule)| limit::judge(context, metric, rule))
        .map(|limit| undecided_if_cut_short(context.record, limit))
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
pub fn certain_failures(record: &Record) -> Vec<LimitResult> {
    let context = JudgementContext::new(record, Analysis::Interim);
    let fails = record.limits.iter().filter(|(_, rule)| early(rule));
    fails
        .map(|(metric, rule)| limit::judge(&context, metric, rule))
        .filter(|l| l.outcome == Verdict::Fail)
        .collect()
}

/// Whether a run whose planned length is over should go on: nothing failed, and something is undecided that more
/// data could decide.
#[must_use]
pub fn needs_extension(record: &Record) -> bool {
    let undecided = |statistic| matches!(statistic, Statistic::GrowthPerMin | Statistic::PerRotation);
    let context = JudgementContext::new(record, final_analysis_of(record));
    let outcomes: Vec<Verdict> = record
        .limits
        .iter()
        .filter(|(_, rule)| undecided(rule.statistic))
        .map(|(metric, rule)| limit::judge(&context, metric, rule).outcome)
        .collect();
    outcomes.contains(&Verdict::Inconclusive) && !outcomes.contains(&Verdict::Fail)
}

/// Which analysis the end of a run is. Where it is looked at on the way, or is extended if it is undecided, it is one of several, and
/// each spends its share of the error.
#[must_use]
pub fn final_analysis(plan: &RunPlan, rotation_period_s: Option<f64>) -> Analysis {
    let on_the_way =
        plan.early_stop && !interim_analysis::interim_times_s(plan.measure_s, rotation_period_s).is_empty();
    if on_the_way || plan.max_s > plan.measure_s {
        Analysis::Last
    } else {
        Analysis::Single
    }
}

/// The same of a record: judged again, it is the same analysis. A table from elsewhere is looked at once.
fn final_analysis_of(record: &Record) -> Analysis {
    record
        .plan
        .as_ref()
        .map_or(Analysis::Single, |plan| final_analysis(plan, record.rotation_period_s))
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
