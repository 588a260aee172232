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

/// The judgement of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Verdict on the run.
    pub verdict: Verdict,
    /// Reasons for the verdict, the most important first.
    pub reasons: Vec<Reason>,
    /// Warnings that do not change the verdict.
    pub warnings: Vec<Reason>,
    /// Results of each metric over the judged part.
    pub metrics: BTreeMap<String, MetricResult>,
    /// Results of each limit.
    pub limits: Vec<LimitResult>,
    /// Values and endpoint rates at the checkpoints.
    pub checkpoints: Vec<Checkpoint>,
    /// Rotations expected by the schedule in the judged part.
    pub expected_rotations: Option<f64>,
    /// Sentences about growth of the engine's own process.
    pub engine_grew: Vec<String>,
}

/// Judges a complete record.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::judge;
/// use leakcheck_model::{Phase, Record, Samples};
///
/// let mut samples = Samples::new(vec!["fds".into()]);
/// for second in 0..1800 {
///     samples.t_s.push(f64::from(second));
///     samples.phase.push(Phase::Measure);
///     samples.columns[0].push(Some(100.0 + f64::from(second / 6)));
/// }
/// let limits = vec![("fds".to_owned(), "growth_per_min < 2".parse()?)];
/// let record = Record::from_table("table".into(), samples, limits, None);
/// let judgement = judge(&record);
/// assert_eq!(judgement.verdict, leakcheck_model::Verdict::Fail);
/// assert!(judgement.limits[0].measured.is_some_and(|per_min| (per_min - 10.0).abs() < 0.1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn judge(record: &Record) -> Judgement {
    let context = JudgementContext::new(record, final_analysis_of(record));
    let limits = all_limits(&context);
    let run = run::judge(&context);
    let mut reasons = run.reasons;
    // If nothing was measured, the cause is the reason, not the missing data of each limit.
    let measured = !context.judged.rows.is_empty() || reasons.is_empty();
    // A run that stopped early at a certain failure leaves other limits undecided, which is no reason.
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

/// Judges only the limits of a record, as [`judge`] does, without a fit for every metric.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{judge, limit_results};
/// use leakcheck_model::{Phase, Record, Samples};
///
/// let mut samples = Samples::new(vec!["fds".into()]);
/// for second in 0..1800 {
///     samples.t_s.push(f64::from(second));
///     samples.phase.push(Phase::Measure);
///     samples.columns[0].push(Some(100.0 + f64::from(second / 6)));
/// }
/// let limits = vec![("fds".to_owned(), "growth_per_min < 2".parse()?)];
/// let record = Record::from_table("table".into(), samples, limits, None);
/// assert_eq!(limit_results(&record), judge(&record).limits);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

/// Makes a limit inconclusive instead of invalid if the run was cut short before its statistic (drain, line check).
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

/// Returns the limits of a growing record that have failed for certain, whatever follows. No limit passes early.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::certain_failures;
/// use leakcheck_model::{Phase, Record, Samples};
///
/// let mut samples = Samples::new(vec!["fds".into()]);
/// for second in 0..1800 {
///     samples.t_s.push(f64::from(second));
///     samples.phase.push(Phase::Measure);
///     samples.columns[0].push(Some(100.0 + f64::from(second / 6)));
/// }
/// let limits = vec![("fds".to_owned(), "growth_per_min < 2".parse()?)];
/// let record = Record::from_table("table".into(), samples, limits, None);
/// assert_eq!(certain_failures(&record).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn certain_failures(record: &Record) -> Vec<LimitResult> {
    let context = JudgementContext::new(record, Analysis::Interim);
    let fails = record.limits.iter().filter(|(_, rule)| early(rule));
    fails
        .map(|(metric, rule)| limit::judge(&context, metric, rule))
        .filter(|l| l.outcome == Verdict::Fail)
        .collect()
}

/// Returns true if a run should continue after its planned length: nothing failed, and more data could decide an
/// inconclusive limit.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::needs_extension;
/// use leakcheck_model::{Phase, Record, Samples};
///
/// let mut samples = Samples::new(vec!["fds".into()]);
/// for second in 0..1800 {
///     samples.t_s.push(f64::from(second));
///     samples.phase.push(Phase::Measure);
///     samples.columns[0].push(Some(100.0 + f64::from(second / 6)));
/// }
/// let limits = vec![("fds".to_owned(), "growth_per_min < 2".parse()?)];
/// let record = Record::from_table("table".into(), samples, limits, None);
/// // The leak is certain, so more data would not help.
/// assert!(!needs_extension(&record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

/// Returns the kind of the analysis at the end of a run.
///
/// If the run has interim analyses or may be extended, it is one of several that share the error.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{Analysis, final_analysis};
/// use leakcheck_model::RunPlan;
///
/// let plan = RunPlan {
///     measure_s: 600.0,
///     max_s: 600.0,
///     early_stop: true,
///     sample_every_s: 1.0,
///     checkpoint_every_s: 120.0,
///     containers: 5,
///     rotations_per_s: None,
///     lines_checked: false,
/// };
/// assert_eq!(final_analysis(&plan, None), Analysis::Last);
/// assert_eq!(final_analysis(&RunPlan { early_stop: false, ..plan }, None), Analysis::Single);
/// ```
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

/// Returns the kind of the final analysis of a record. A repeated judgement uses the same one. A plain table has a
/// single analysis.
fn final_analysis_of(record: &Record) -> Analysis {
    record
        .plan
        .as_ref()
        .map_or(Analysis::Single, |plan| final_analysis(plan, record.rotation_period_s))
}

/// True if a limit may fail for certain before the end. A maximum can only rise and a minimum only fall, so a limit
/// that they must reach may not.
fn early(rule: &Limit) -> bool {
    match rule.statistic {
        Statistic::GrowthPerMin | Statistic::PerRotation | Statistic::Increase => true,
        Statistic::Max => rule.comparison.is_ceiling(),
        Statistic::Min => !rule.comparison.is_ceiling(),
        _ => false,
    }
}
